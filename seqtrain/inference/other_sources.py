"""Sources of new samples for a trained run: the inputs of `predict`, or another source.

The inputs on the command line of `predict` become a source without labels:

    run trained on      takes
    image files         images, folders of images at any depth, CSV manifests with a column of paths
    pairs of images     one CSV with two columns of paths
    rows of arrays      .npy, .npz and HDF5 files
    pixels in CSV       one CSV, with or without labels
    a table, ratings    one CSV or Parquet file, with or without the columns to predict
    series              CSV and Parquet files, and folders of them
    volumes, slices     .nii, .nii.gz and .npy files, and folders of them at any depth

The inputs keep their order; the files of a folder are sorted by path, and the rows of tables and arrays keep their
order.

Decoding and resizing follow the config. Scales and vocabularies that were fitted on the training samples must not
change: a new sequence would fit them on the new samples, and the model would get another scale than it was trained
with. So the run's sequence is copied, and the copy reads from the new source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError, DataError, did_you_mean
from seqtrain.loading.pipeline import Data, build_source
from seqtrain.sources.arrays import StoredArray
from seqtrain.sources.base import Source, only
from seqtrain.sources.file_listing import MaskNames
from seqtrain.sources.hdf5_file import open_array
from seqtrain.sources.image_files import image_extensions, images_below
from seqtrain.sources.listed_files import ListedArrays, ListedImages, ListedPairs
from seqtrain.sources.npy_files import npy_array, npz_array
from seqtrain.sources.table_file import read_texts
from seqtrain.splits import Indices

_HDF5 = (".h5", ".hdf5", ".hdf")
_CHUNKS_KEPT = 16


def require_inputs(inputs: Sequence[Path]) -> None:
    """Raises a DataError for inputs that do not exist, before anything slow happens.

    Raises:
        DataError: when one is neither a file nor a folder.
    """
    for path in inputs:
        if not path.exists():
            siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError("no such file or folder", where=path, fix=did_you_mean(path.name, siblings))


def source_of_inputs(inputs: Sequence[Path], loaded: LoadedConfig, own: Source) -> Source:
    """The source of the samples in the inputs.

    Args:
        inputs: Files and folders.
        loaded: The run's config.
        own: The run's source.

    Raises:
        ConfigError: when the run's kind of source cannot be given as files and folders.
        DataError: when the inputs are not of the kind that the run was trained on.
    """
    name, arguments = loaded.config.sequence.name, loaded.config.source.arguments
    other = own.of_inputs(inputs)
    if other is not None:
        return other
    if own.has_rows:
        return ListedArrays([_array(path, own.x_key) for path in inputs], own)
    if name == "image_pairs":
        columns = (arguments.get("path_a_column", "path_a"), arguments.get("path_b_column", "path_b"))
        return ListedPairs(only(inputs, "table of pairs"), columns, arguments.get("root"))
    if name != "image_triplets" and "path" in own[0]:
        column = str(arguments.get("path_column", "path"))
        masks = MaskNames(*own.mask_names)
        return ListedImages((each for path in inputs for each in _images(path, column, masks)), own)
    key = next((key for key, value in arguments.items() if isinstance(value, Path)), "path")
    raise ConfigError(
        f"the samples of the source '{loaded.config.source.name}' with the sequence '{name}' are no single files",
        where="INPUT",
        fix=f"leave INPUT out, and name other data of the same form with -s source.{key}=PATH",
    )


def open_other_source(named: LoadedConfig, data: Data, where: str) -> Source:
    """Opens another source than the run's, with the same kind of samples and the same classes.

    Args:
        named: The run's config with the other source.
        data: The run's data.
        where: The settings that name the other source, for messages.

    Raises:
        ConfigError: when the source cannot be built.
        DataError: when its samples cannot be listed, or its classes or columns are others than the run's.
    """
    component = named.config.source
    arguments = {**component.arguments, **data.source.inferred_arguments}
    source = build_source(named, component.model_copy(update={"arguments": arguments}))
    try:
        source.number_like(data.source)
    except DataError as error:
        raise DataError(dataclasses.replace(each, where=each.where or where) for each in error.mistakes) from error
    return source


def sequence_like_run(data: Data, source: Source, indices: Indices) -> Any:
    """A sequence of some samples of a source, in order and without augmentation, like the run's validation sequence.

    Args:
        data: The run's data.
        source: A source with the same kind of samples.
        indices: Which of the source's samples.
    """
    if data.train.fitted():
        return data.sequence(data.split.train).reading_from(source, indices)
    return dataclasses.replace(data, source=source).sequence(indices)


def _images(path: Path, path_column: str, masks: MaskNames) -> Iterator[str]:
    if path.is_dir():
        yield from (str(path / image) for image in masks.images_of(path, images_below(path)))
    elif path.suffix.lower() == ".csv":
        yield from (str(path.parent / cell) for cell in read_texts(path, [path_column]).texts[path_column])
    elif path.suffix.lower() in image_extensions():
        yield str(path)
    else:
        raise DataError(
            "is not what this run was trained on",
            where=path,
            expected="an image, a folder of images, or a CSV with a column of their paths",
        )


def _array(path: Path, key: str) -> StoredArray:
    if path.suffix.lower() == ".npy":
        return npy_array(path)
    if path.suffix.lower() == ".npz":
        return npz_array(path, key)
    if path.suffix.lower() in _HDF5:
        return open_array(path, key, _CHUNKS_KEPT)
    raise DataError("is not what this run was trained on", where=path, expected="arrays in .npy, .npz or HDF5 files")
