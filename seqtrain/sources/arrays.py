"""The source `arrays`: samples and labels in .npy files or in one .npz, mapped into memory."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import sources
from seqtrain.sources.base import Source
from seqtrain.sources.class_labels import check_finite, class_names
from seqtrain.sources.hdf5_file import ChunkedArray
from seqtrain.sources.npy_files import NpyArray, npy_array, npz_array
from seqtrain.structure import FieldSpec

_CACHED = ("_arrays", "labels", "groups")  # not pickled, since they can be read again


StoredArray = NpyArray | ChunkedArray
"""An array on disk, whatever its format."""


@sources.register("arrays")
class Arrays(Source):
    """Arrays on disk, larger than memory if need be: `x.npy` and `y.npy`, or one uncompressed `.npz`.

    Integers in `y`, of shape (n,) or (n, 1), are class labels; save the targets of a regression as floats.

    Args:
        x: The .npy file of the samples, one per row.
        y: The .npy file of the labels or targets, one per row.
        file: One .npz file that holds both, in place of x and y.
        x_key: The name of the samples in `file`.
        y_key: The name of the labels in `file`.
        groups: A .npy file with one number or text per sample, such as the patient; equal values are one group.
        classes: The names of the classes, by label. Default: "0", "1" and so on.

    Raises:
        ConfigError: when neither x and y nor file is given, or both.
        DataError: when a file is missing, corrupt, truncated, compressed or empty, when lengths differ, or when a label
            is NaN or not a class index.

    Example:
        source: {name: arrays, x: data/x.npy, y: data/y.npy}
    """

    classes: tuple[str, ...] | None
    x_key: str

    def __init__(
        self,
        x: Path | None = None,
        y: Path | None = None,
        file: Path | None = None,
        x_key: str = "x",
        y_key: str = "y",
        groups: Path | None = None,
        classes: list[str] | None = None,
    ) -> None:
        self.x_key = x_key
        self._files: dict[str, StoredArray]
        if file is not None and x is None and y is None:
            self._files = {"x": npz_array(file, x_key), "y": npz_array(file, y_key)}
        elif file is None and x is not None and y is not None and (x_key, y_key) == ("x", "y"):
            self._files = {"x": npy_array(x), "y": npy_array(y)}
        else:
            raise ConfigError(
                "the source 'arrays' needs either x and y, or file",
                expected="x: and y: (two .npy files), or file: (one .npz file, with x_key: and y_key:)",
            )
        self._list(npy_array(groups) if groups else None, classes)

    def _list(self, groups: StoredArray | None, classes: list[str] | None) -> None:
        """Checks the arrays, without reading samples."""
        self._rows = {name: rows for name, array in self._files.items() if (rows := array.rows()) is not None}
        self._group_file = groups
        check_numbers(self._files["x"], "samples")
        check_numbers(self._files["y"], "labels or targets")
        self._check_lengths()
        self.classes = self._checked_classes(classes)

    def __len__(self) -> int:
        return self._files["x"].shape[0]

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: array[index] for name, array in self._arrays.items()}

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The shapes and dtypes of `x` and `y` as stored."""
        return {name: FieldSpec(array.shape[1:], array.dtype.name) for name, array in self._arrays.items()}

    @cached_property
    def labels(self) -> npt.NDArray[Any] | None:
        """Class indices or float targets; None if a target is more than one number."""
        y = self._arrays["y"]
        return np.array(y) if y.ndim == 1 else None

    @cached_property
    def groups(self) -> npt.NDArray[Any] | None:
        """The group of each sample, or None."""
        return None if self._group_file is None else np.array(self._group_file.map())

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples into rows; they are read in the order in which they are stored."""
        order = np.argsort(indices)
        ascending = indices[order]
        for name, out in rows.items():
            if name in self._rows:
                self._rows[name].read(indices, out)
            else:
                out[order] = self._arrays[name][ascending]

    def describe(self, index: int) -> str:
        """The file and the row, such as `x.npy[5]`."""
        return f"{self._files['x'].name}[{index}]"

    @cached_property
    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        x, y = self._files["x"].map(), self._files["y"].map()
        # Labels of shape (n, 1), such as those of CIFAR-10, are class indices too.
        return {"x": x, "y": y[:, 0] if _is_whole(y.dtype) and y.shape[1:] == (1,) else y}

    def _check_lengths(self) -> None:
        for other in (self._files["y"], *([self._group_file] if self._group_file else [])):
            if other.shape[0] != len(self):
                raise DataError(
                    "has another length than the samples",
                    where=other.name,
                    expected=f"{len(self)} rows, as in {self._files['x'].name}",
                    received=f"{other.shape[0]} rows",
                    fix="save one row per sample",
                )
        if self._group_file and len(self._group_file.shape) != 1:
            raise DataError(
                "holds more than one group per sample",
                where=self._group_file.name,
                expected=f"shape ({len(self)},)",
                received=f"shape {self._group_file.shape}",
                fix="save one number or text per sample",
            )

    def _checked_classes(self, names: list[str] | None) -> tuple[str, ...] | None:
        y = self._arrays["y"]
        if y.ndim <= 2 and not _is_whole(y.dtype):
            check_finite(y, self._label_name)
        if y.ndim == 1 and _is_whole(y.dtype):
            return class_names(y, names, self._label_name)
        if names and y.shape[1:] != (len(names),):
            raise ConfigError(
                f"classes: there are {len(names)} names, but the targets are no labels of so many classes",
                expected=f"whole numbers of shape (n,), or one column per class: (n, {len(names)})",
                received=f"{y.dtype} of shape {y.shape} in {self._files['y'].name}",
                fix="leave classes out, or save the labels as integers",
            )
        return tuple(names) if names else None

    def _label_name(self, row: int) -> str:
        return f"{self._files['y'].name}[{row}]"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _CACHED}


def _is_whole(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iub"


def check_numbers(array: StoredArray, what: str) -> None:
    """Checks that an array holds numbers.

    Raises:
        DataError: when it does not.
    """
    if array.dtype.kind not in "iubf":
        raise DataError(
            f"holds no numbers that a model can take as {what}",
            where=array.name,
            expected="an array of integers or floats",
            received=str(array.dtype),
            fix="save it as numbers; class names as their index 0, 1, 2 ..., with the names in `classes`",
        )
