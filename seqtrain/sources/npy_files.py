"""Arrays in .npy and .npz files, which are mapped into memory or read row by row, and never loaded as a whole.

`np.load` maps a .npy but not a .npz, although the members that `np.savez` writes are plain .npy files in an
uncompressed zip file. So both are opened in the same way: find the start of the .npy, parse its header, and map the
bytes after it. Nothing is unpickled, and an array is described by its location, so that it pickles to a few bytes.

Large rows are read straight into the rows of a batch: one call reads a row or several consecutive ones. If they were
mapped, each page would be a page fault, for which the kernel reads 128 KB more that a shuffled order does not use, and
mapped pages count as resident memory. If a file is truncated while a run reads it, reading raises an error, while using
a mapping kills the process.

Source: NumPy enhancement proposal 1, the .npy format; PKWARE, APPNOTE.TXT, section 4.3.7, the local file header; Linux
manual page preadv(2).
"""

from __future__ import annotations

import math
import os
import struct
import tokenize
import weakref
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, did_you_mean, one_of, unreadable

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature; length of the file name, length of the extra field
_ENCRYPTED = 1
_PAGE = 4096
_CHECK_PATH = "check the path; relative ones are relative to the config file"
# NumPy parses the header as a Python literal, and raises any of these for a damaged header.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError)


@dataclass(frozen=True)
class NpyArray:
    """The location of an array in a file.

    Args:
        path: The file.
        name: The file, and the member of a .npz in brackets; for messages.
        dtype: The dtype of the elements.
        shape: The shape of the whole array.
        fortran_order: Whether the first axis varies fastest.
        offset: The offset of the first element in the file.
    """

    path: Path
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    offset: int

    def map(self) -> npt.NDArray[Any]:
        """The array, read-only and mapped into memory."""
        order = "F" if self.fortran_order else "C"
        try:
            mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape, order)  # type: ignore[call-overload]
        except (OSError, ValueError) as error:
            raise DataError(
                f"cannot be mapped: {error}", where=self.name, fix="check that the file is still there"
            ) from error
        return np.asarray(mapped)

    def rows(self) -> NpyRows | None:
        """The rows, if they are contiguous and at least a page long; smaller rows are read faster from a mapping."""
        if row_bytes(self) < _PAGE or self.fortran_order or not hasattr(os, "preadv"):
            return None
        return NpyRows(self)


class NpyRows:
    """The contiguous rows of an array on disk.

    Args:
        array: The location of the array.
    """

    def __init__(self, array: NpyArray) -> None:
        self._array = array
        self._row_bytes = row_bytes(array)

    def read(self, indices: npt.NDArray[np.integer], out: npt.NDArray[Any]) -> None:
        """Writes the rows `indices` into `out`, whose dtype may differ; they are read in the order of the file.

        Raises:
            DataError: when the file has become shorter, or can no longer be read.
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
        """Reads consecutive rows, from `index` on."""
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
    """The size of a row in bytes."""
    return int(np.prod(array.shape[1:], dtype=np.int64)) * array.dtype.itemsize


def npy_array(path: Path) -> NpyArray:
    """Finds the array in a .npy file.

    Raises:
        DataError: when the file is missing, corrupt or truncated, or holds no rows of numbers.
    """
    try:
        with path.open("rb") as file:
            return _parse(file, path, str(path), path.stat().st_size)
    except OSError as error:
        raise unreadable(path, error, fix=_CHECK_PATH) from error


def npz_array(path: Path, key: str) -> NpyArray:
    """Finds one array in a .npz file.

    Raises:
        DataError: see `npy_array`; and when there is no such array in the file, or it is compressed.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            member = _member(archive, path, key)
            file.seek(member.header_offset)
            signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            if signature != b"PK\x03\x04":
                raise zipfile.BadZipFile(f"no header before '{key}'")
            file.seek(name_length + extra_length, 1)
            return _parse(file, path, f"{path}[{key}]", file.tell() + member.file_size)
    except (zipfile.BadZipFile, struct.error) as error:
        raise DataError(
            f"is no readable .npz: {error}", where=path, fix="save it again with np.savez(path, x=x, y=y)"
        ) from error
    except OSError as error:
        raise unreadable(path, error, fix=_CHECK_PATH) from error


def _member(archive: zipfile.ZipFile, path: Path, key: str) -> zipfile.ZipInfo:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if key not in members:
        raise DataError(
            f"has no array '{key}'",
            where=path,
            expected=one_of(members),
            fix=did_you_mean(key, members) or "set x_key and y_key to the names of the arrays",
        )
    member = members[key]
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
        raise DataError(
            "is compressed, so it cannot be mapped into memory",
            where=f"{path}[{key}]",
            fix="save it uncompressed, with np.savez(path, x=x, y=y) in place of np.savez_compressed",
        )
    return member


def _parse(file: BinaryIO, path: Path, name: str, end: int) -> NpyArray:
    """Reads the header of a .npy that starts at the file's position and ends at `end`."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format is for arrays with field names")
        header = (
            np.lib.format.read_array_header_1_0(file)
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0(file)
        )
    except _HEADER_ERRORS as error:
        raise DataError(
            f"is no readable .npy: {error}", where=name, fix="save it again with np.save(path, array)"
        ) from error
    shape, fortran_order, dtype = header
    array = NpyArray(path, name, dtype, tuple(shape), fortran_order, file.tell())
    _check(array, end)
    return array


def _check(array: NpyArray, end: int) -> None:
    if array.dtype.hasobject:
        raise DataError(
            "holds Python objects, which only unpickling could read; that can run any code, and is never done",
            where=array.name,
            fix="save an array of numbers, such as np.stack(samples).astype('float32')",
        )
    if not array.shape or any(length <= 0 for length in array.shape):
        raise DataError(
            "holds no rows",
            where=array.name,
            expected="an array with one row per sample",
            received=f"shape {array.shape}",
            fix="save the samples stacked along the first axis",
        )
    needed = array.offset + math.prod(array.shape) * array.dtype.itemsize
    if end < needed:
        raise DataError(
            "is truncated",
            where=array.name,
            expected=f"{needed - array.offset} bytes of data for {array.dtype} of shape {array.shape}",
            received=f"{max(end - array.offset, 0)} bytes",
            fix="copy or save the file again",
        )
