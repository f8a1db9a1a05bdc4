"""Detects samples and labels as arrays: two .npy files, the members of one .npz, the data sets of one HDF5 file."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.extras import require
from seqtrain.init.detection import Detection
from seqtrain.init.image_sample import fitting_batch_size
from seqtrain.init.listing import Listing, is_held_out
from seqtrain.init.recipe import Recipe, filters
from seqtrain.sources.arrays import StoredArray, check_numbers
from seqtrain.sources.hdf5_file import data_set_names, open_array
from seqtrain.sources.npy_files import npy_array, npz_array
from seqtrain.text import number_range

_SAMPLES = ("x", "images", "image", "data", "features", "inputs", "samples", "imgs", "pixels")
_LABELS = ("y", "labels", "label", "targets", "target", "classes")
_FEW_ARRAYS = 8
_IS_WEIGHT = re.compile(r"/vars/\d+$|:\d+$")  # names of weights in Keras's HDF5 files, new and old
_FEW_CHANNELS = 4
_SMALLEST_IMAGE = 8
_TOO_MANY_CLASSES = 2000  # labels with this many distinct whole numbers are hardly classes


class _Named(NamedTuple):
    """An array and its name."""

    name: str
    array: StoredArray


def arrays(listing: Listing) -> Iterator[Detection]:
    """Finds pairs of arrays with equally many samples and labels."""
    files = {file.removesuffix(".npy"): file for file in listing.with_extension(".npy")}
    for x, y in _pairs(files, lambda name: npy_array(listing.root / files[name])):
        source = {"name": "arrays", "x": listing.path(files[x.name]), "y": listing.path(files[y.name])}
        yield from _detect("arrays", source, f"{files[x.name]} and {files[y.name]}", x.array, y.array)
    for file in listing.with_extension(".npz"):
        path = listing.root / file
        for x, y in _pairs(_members(path), partial(npz_array, path)):
            source = {"name": "arrays", "file": listing.path(file)}
            source |= {key: name for key, name in (("x_key", x.name), ("y_key", y.name)) if name != key[0]}
            yield from _detect("arrays", source, f"{x.name} and {y.name} in {file}", x.array, y.array)
    for file in listing.with_extension(".h5", ".hdf5"):
        path = listing.root / file
        for x, y in _pairs(_data_sets(path), partial(open_array, path, num_kept=2)):
            source = {"name": "hdf5", "path": listing.path(file), "x": x.name, "y": y.name}
            yield from _detect("hdf5", source, f"{x.name} and {y.name} in {file}", x.array, y.array)


def _pairs(names: Collection[str], opened: Callable[[str], StoredArray]) -> Iterator[tuple[_Named, _Named]]:
    """Pairs of samples and labels: by their names, or else by their shapes."""
    found = list(_named_pairs(names))
    if not found and len(names) <= _FEW_ARRAYS and not any(map(_IS_WEIGHT.search, names)):
        found = list(_only_pair({name: opened(name).shape for name in names}))
    for x, y in found:
        yield _Named(x, opened(x)), _Named(y, opened(y))


def _named_pairs(names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names that differ in one word only, such as `train_images` and `train_labels`."""
    words = {name: re.split(r"[_\-/. ]+", name.lower()) for name in names}
    for x, first in sorted(words.items(), key=lambda item: is_held_out(item[0])):
        for y, second in words.items():
            differ = [(a, b) for a, b in zip(first, second, strict=False) if a != b]
            if len(first) == len(second) and len(differ) == 1 and differ[0][0] in _SAMPLES and differ[0][1] in _LABELS:
                yield x, y


def _only_pair(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, str]]:
    """The only array with several numbers per row, and the only array with one number per row."""
    samples = [name for name, shape in shapes.items() if len(shape) > 1 and shape[1:] != (1,)]
    labels = [name for name, shape in shapes.items() if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)]
    if len(samples) == len(labels) == 1 and shapes[samples[0]][0] == shapes[labels[0]][0]:
        yield samples[0], labels[0]


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def _data_sets(path: Path) -> list[str]:
    h5py = require("h5py", "hdf5", "HDF5 files")
    try:
        with h5py.File(path, "r") as file:
            return data_set_names(file)
    except OSError as error:
        raise DataError("is no HDF5 file, or a damaged one", where=path, received=str(error)) from error


def _detect(kind: str, source: dict[str, Any], places: str, x: StoredArray, y: StoredArray) -> Iterator[Detection]:
    if x.shape[0] != y.shape[0] or len(y.shape) > 2 or x.dtype.kind not in "iubf":
        return
    check_numbers(y, "labels")
    labels = np.asarray(y.map())
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    are_classes = (
        labels.ndim == 1 and labels.dtype.kind in "iub" and labels.min() >= 0 and labels.max() < _TOO_MANY_CLASSES
    )
    recipe = _recipe(source, x, labels, are_classes)
    size = "x".join(map(str, x.shape[1:])) or "one number"
    if are_classes:
        counts = np.unique(labels, return_counts=True)[1]
        each = number_range(counts.min(), counts.max())
        targets = ("classes", f"{len(counts)} ({each} each)")
    else:
        targets = ("targets", f"{'x'.join(map(str, labels.shape[1:])) or 'one'} number(s) each, {labels.dtype}")
    notes = () if x.dtype != np.float64 else ("float64 takes twice the memory of float32 and trains no better",)
    yield Detection(
        kind,
        (("samples", f"{x.shape[0]:,} of {size}, {x.dtype}: {places}"), targets),
        lambda answers: recipe,
        notes=notes,
    )


def _recipe(source: dict[str, Any], x: StoredArray, labels: npt.NDArray[Any], are_classes: bool) -> Recipe:
    shape, values = x.shape[1:], dict[str, Any]()
    is_image = len(shape) == 3 or (len(shape) == 2 and x.dtype == np.uint8)
    model: dict[str, Any] = {"name": "mlp", "units": [128, 64]}
    if len(shape) == 3 and shape[0] <= _FEW_CHANNELS < shape[-1]:
        values, shape = {"stored_format": "channels_first"}, (*shape[1:], shape[0])
    if is_image and min(shape[:2]) >= _SMALLEST_IMAGE and labels.ndim == 1:
        model = {"name": "cnn", "filters": filters((shape[0], shape[1]))}
    elif len(shape) == 4 and labels.ndim == 1:
        model = {"name": "cnn_3d", "filters": [8, 16, 32]}
    elif labels.ndim == 2:
        model["num_outputs"] = labels.shape[1]
    by = "stratified" if are_classes and np.unique(labels, return_counts=True)[1].min() > 1 else "random"
    about = f"{x.shape[0]:,} samples of {'x'.join(map(str, x.shape[1:]))} as arrays."
    values |= {"model": model, "is_number": not are_classes}
    values["about_source"] = "Samples and labels stay on disk and are read as batches ask for them."
    return Recipe("arrays", about, source, fitting_batch_size(x.shape[0], 128), by, values=values)
