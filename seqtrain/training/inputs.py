"""What `predict` is given on its command line, made a source that stands in for the run's.

    run trained on      takes
    image files         images, folders of images at any depth, CSV manifests with a column of paths
    rows of arrays      .npy and .npz files
    a table             one CSV or Parquet file, with or without the columns to predict
    whole volumes       a folder of .nii, .nii.gz or .npy

Order is kept: of the inputs as they are named, of a folder by path, of a manifest or an array by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError, DataError, did_you_mean
from seqtrain.sources.base import Source
from seqtrain.sources.image_folder import image_extensions
from seqtrain.sources.images import ImagesSource
from seqtrain.sources.listed_files import ListedArrays, ListedImages, ListedRows
from seqtrain.sources.manifest_csv import read_table
from seqtrain.sources.npy_files import NpyArray, npy_array, npz_array
from seqtrain.sources.rows import RowSource
from seqtrain.sources.table import Table
from seqtrain.sources.volumes import Volumes

_PAIRED = ("image_pairs", "image_triplets")


def require_inputs(inputs: Sequence[Path]) -> None:
    """Tells of inputs that are not there, before anything costs time.

    Raises:
        DataError: when one is neither a file nor a folder.
    """
    for path in inputs:
        if not path.exists():
            siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            raise DataError("no such file or folder", where=path, fix=did_you_mean(path.name, siblings))


def source_of(inputs: Sequence[Path], loaded: LoadedConfig, own: Source) -> Source:
    """The samples that the inputs hold.

    Args:
        inputs: Files and folders.
        loaded: The run's config.
        own: The run's source.

    Raises:
        ConfigError: when the run was trained on what inputs cannot name.
        DataError: when the inputs are not of the kind that the run was trained on.
    """
    name = loaded.config.sequence.name
    if isinstance(own, Table):
        return ListedRows(_only(inputs, "table"), own)
    if hasattr(own, "read_rows"):
        key = loaded.config.source.arguments.get("x_key") or "x"
        return ListedArrays([_array(path, key) for path in inputs], cast(RowSource, own))
    if isinstance(own, Volumes) and own.label_classes is not None:
        return _volumes(_only(inputs, "folder of volumes"), loaded, own)
    if name not in _PAIRED and "path" in own[0]:
        column = str(loaded.config.source.arguments.get("path_column", "path"))
        return ListedImages((each for path in inputs for each in _images(path, column)), own)
    raise ConfigError(
        f"the samples of the source '{loaded.config.source.name}' with the sequence '{name}' are no single files",
        where="INPUT",
        fix=f"leave INPUT out, and name other data of the same form with -s source.{_path_key(loaded)}=PATH",
    )


def _path_key(loaded: LoadedConfig) -> str:
    """The first argument of a source that is a path."""
    arguments = loaded.config.source.arguments.items()
    return next((key for key, value in arguments if isinstance(value, Path)), "path")


def _images(path: Path, path_column: str) -> Iterator[str]:
    if path.is_dir():
        source = ImagesSource(path)
        yield from (source.describe(index) for index in range(len(source)))
    elif path.suffix.lower() == ".csv":
        yield from (str(path.parent / cell) for cell in read_table(path, [path_column]).columns[0])
    elif path.suffix.lower() in image_extensions():
        yield str(path)
    else:
        raise DataError(
            "is not what this run was trained on",
            where=path,
            expected="an image, a folder of images, or a CSV with a column of their paths",
        )


def _array(path: Path, key: str) -> NpyArray:
    if path.suffix.lower() == ".npy":
        return npy_array(path)
    if path.suffix.lower() == ".npz":
        return npz_array(path, key)
    raise DataError("is not what this run was trained on", where=path, expected="arrays in .npy or .npz files")


def _volumes(folder: Path, loaded: LoadedConfig, own: Volumes) -> Source:
    arguments = loaded.config.source.arguments
    kept: dict[str, Any] = {name: arguments[name] for name in ("spacing_mm", "cache_mb") if arguments.get(name)}
    source = Volumes(folder, **kept)
    source.labels, source.label_classes = np.zeros(len(source), np.int64), own.label_classes
    source.classes = own.classes
    return source


def _only(inputs: Sequence[Path], what: str) -> Path:
    if len(inputs) > 1:
        raise ConfigError(f"this run takes one {what} at a time", where="INPUT", received=f"{len(inputs)} inputs")
    return inputs[0]
