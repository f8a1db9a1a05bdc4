"""Sources of the samples that `predict` gets, which have no labels.

A sequence asks its source for labels and masks nevertheless. So each class here replaces a source of the run: the
samples are new, the class names are the run's, and labels and masks are zeros, which are never used. The classes are
not registered, because a config cannot train on them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.sources.arrays import StoredArray
from seqtrain.sources.base import Source
from seqtrain.sources.image_files import ImageFiles
from seqtrain.sources.image_header import read_image_size
from seqtrain.sources.npy_files import NpyArray
from seqtrain.sources.packed_paths import PackedPaths
from seqtrain.sources.pair_manifest import PairManifestSource
from seqtrain.sources.table_file import read_texts
from seqtrain.structure import FieldSpec


class ListedImages(ImageFiles):
    """Image files in a given order.

    Args:
        paths: The paths of the files.
        like: The run's source.
    """

    labels: npt.NDArray[Any] | None
    classes: tuple[str, ...] | None

    def __init__(self, paths: Iterable[str], like: Source) -> None:
        super().__init__(PackedPaths("", paths))
        self.labels, self.classes = _zero_labels(like, len(self)), like.classes

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path": self._paths[index], "label": 0}

    def read_mask(self, index: int) -> npt.NDArray[np.uint8]:
        """A mask of background in the size of the image."""
        return np.zeros(read_image_size(self._paths[index]), dtype=np.uint8)

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[Any, Any]:
        """The paths, and zeros."""
        labels = np.zeros(len(self), np.int64) if self.labels is None else self.labels
        return [self._paths[index] for index in indices.tolist()], labels[indices]


class ListedPairs(Source):
    """Pairs of image files that a CSV file lists, one pair per row.

    Args:
        path: The CSV file.
        columns: The columns of the first and of the second image's path.
        root: The folder that paths are relative to. Default: the CSV file's folder.

    Raises:
        DataError: when the table cannot be read.
    """

    classes = PairManifestSource.classes
    labels: npt.NDArray[np.int64]

    def __init__(self, path: Path, columns: tuple[str, str], root: Path | None) -> None:
        table = read_texts(path, columns)
        cells = [table.texts[name] for name in columns]
        self._places = table.places
        self._paths = PackedPaths(str(root or path.parent), itertools.chain(*zip(*cells, strict=True)))
        self.labels = np.zeros(table.num_rows, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"path_a": self._paths[2 * index], "path_b": self._paths[2 * index + 1], "label": 0}

    def describe(self, index: int) -> str:
        """The CSV file and the row's line."""
        return self._places.of(index)


class ListedArrays(Source):
    """The rows of some arrays, one array after the other; an array with the shape of one sample is one row.

    Args:
        arrays: The arrays on disk.
        like: The run's source.

    Raises:
        DataError: when the rows are not like the run's samples.
    """

    fields: Mapping[str, FieldSpec]
    classes: tuple[str, ...] | None
    labels: npt.NDArray[Any] | None

    def __init__(self, arrays: Sequence[StoredArray], like: Source) -> None:
        self.fields: Mapping[str, FieldSpec] = dict(like.fields)
        self._files = [_checked_rows(array, self.fields["x"]) for array in arrays]
        self._ends = np.cumsum([file.shape[0] for file in self._files])
        self.labels, self.classes = _zero_labels(like, len(self)), like.classes

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        which, row = self._place(index)
        return {"x": self._arrays[which][row]}

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples, and zeros as their labels."""
        for out, index in zip(rows.get("x", ()), indices.tolist(), strict=False):
            which, row = self._place(index)
            out[...] = self._arrays[which][row]
        if "y" in rows:
            rows["y"][...] = 0

    def describe(self, index: int) -> str:
        """The file and the row, such as `x.npy[5]`."""
        which, row = self._place(index)
        return f"{self._files[which].name}[{row}]"

    @cached_property
    def _arrays(self) -> list[npt.NDArray[Any]]:
        return [file.map() for file in self._files]

    def _place(self, index: int) -> tuple[int, int]:
        which = int(np.searchsorted(self._ends, index, side="right"))
        return which, index - (int(self._ends[which - 1]) if which else 0)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_arrays"}


def _zero_labels(like: Source, length: int) -> npt.NDArray[Any] | None:
    return None if like.labels is None else np.zeros(length, like.labels.dtype)


def _checked_rows(array: StoredArray, sample: FieldSpec) -> StoredArray:
    dtype = np.dtype(sample.dtype)
    is_same_dtype = array.dtype == dtype or (array.dtype.kind == dtype.kind == "f")
    if is_same_dtype and array.shape == sample.shape and isinstance(array, NpyArray):
        return dataclasses.replace(array, shape=(1, *array.shape))
    if is_same_dtype and array.shape[1:] == sample.shape:
        return array
    raise DataError(
        "its rows are not like the samples that the run was trained on",
        where=array.name,
        expected=f"{sample.dtype}, (n, {', '.join(map(str, sample.shape))})",
        received=f"{array.dtype}, {array.shape}",
        fix="save the samples in the shape, type and range of the run's own",
    )
