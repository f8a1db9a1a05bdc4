"""Reads rows of an array on disk straight into the rows of a batch.

One call reads a row, or several that follow each other. Mapped, each page of it would be a fault of its own, around
which the kernel reads 128 KB more that a shuffled order never uses, and what is mapped counts as resident. A file that
is cut short while a run reads it is an error in words here, where a mapping would kill the process.

Source: Linux manual page preadv(2).
"""

from __future__ import annotations

import os
import weakref
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.sources.npy_files import NpyArray

_PAGE = 4096


class NpyRows:
    """The rows of an array on disk, each in one piece.

    Args:
        array: Where it lies.
    """

    def __init__(self, array: NpyArray) -> None:
        self._array = array
        self._row_bytes = row_bytes(array)

    def read(self, indices: npt.NDArray[np.integer], out: npt.NDArray[Any]) -> None:
        """Writes the rows `indices` into `out`, whose dtype may differ; the disk is read in its own order.

        Raises:
            DataError: when the file has become shorter, or cannot be read any more.
        """
        if not len(indices):
            return
        order = np.argsort(indices, kind="stable")
        first = indices[order]
        if out.dtype == self._array.dtype and out[:1].flags.c_contiguous:
            is_next = (np.diff(first) == 1) & (np.diff(order) == 1) & out.flags.c_contiguous
            for run in np.split(np.arange(len(order)), np.flatnonzero(~is_next) + 1):
                start = int(order[run[0]])
                self._read_rows(int(first[run[0]]), out[start : start + len(run)])
            return
        row: npt.NDArray[Any] = np.empty((1, *self._array.shape[1:]), self._array.dtype)
        for position, index in zip(order.tolist(), first.tolist(), strict=True):
            self._read_rows(index, row)
            out[position] = row[0]

    def _read_rows(self, index: int, rows: npt.NDArray[Any]) -> None:
        """Reads rows that follow each other, from `index` on."""
        memory = rows.reshape(-1).view(np.uint8).data
        offset = self._array.offset + index * self._row_bytes
        while memory:
            row = (offset - self._array.offset) // self._row_bytes
            try:
                count = os.preadv(self._descriptor, [memory], offset)
            except OSError as error:
                raise DataError(
                    f"row {row} cannot be read: {error.strerror}", where=self._array.name, fix="check the disk"
                ) from error
            if count == 0:
                raise DataError(
                    f"ends before row {row}: the file has become shorter",
                    where=self._array.name,
                    fix="save the whole array again",
                )
            memory, offset = memory[count:], offset + count

    @cached_property
    def _descriptor(self) -> int:
        try:
            descriptor = os.open(self._array.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise DataError(f"cannot be opened: {error.strerror}", where=self._array.name) from error
        weakref.finalize(self, os.close, descriptor).atexit = False
        return descriptor

    def __getstate__(self) -> dict[str, Any]:
        return {"_array": self._array, "_row_bytes": self._row_bytes}


def row_bytes(array: NpyArray) -> int:
    """The size of a row."""
    return int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize


def is_worth_a_call(array: object) -> TypeGuard[NpyArray]:
    """Whether rows are of a page or more, and lie in one piece; smaller ones are gathered faster from a mapping."""
    if not isinstance(array, NpyArray):
        return False
    return row_bytes(array) >= _PAGE and not array.fortran_order and hasattr(os, "preadv")
