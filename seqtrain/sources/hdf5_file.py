"""Data sets of an HDF5 file: finds a data set, and reads its rows in several threads at once.

The HDF5 library serves one thread at a time, including decompression. So it is used as little as possible: a contiguous
data set is read like a .npy file, without the library; for a chunked data set the library returns the compressed bytes,
which are decompressed here, in several threads at once. Filters other than gzip and shuffle are left to the library.

Rows of one chunk are decompressed together, and the last chunks are kept: with an order that follows the chunks (see
`randomness.blocked_order`), each chunk is decompressed about once per epoch.

Source: HDF5 File Format Specification Version 3.0, IV.A.2.l (filters); H5Pset_shuffle in the reference manual.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import zlib
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, did_you_mean, one_of
from seqtrain.extras import require
from seqtrain.sources.npy_files import NpyArray

_GZIP, _SHUFFLE = 1, 2
_COMPACT = 0  # the layout of a data set that is stored in its own header


@dataclass(frozen=True)
class ChunkedArray:
    """A chunked data set.

    Args:
        path: The file.
        key: The data set's name in the file.
        shape: The shape of the data set.
        dtype: The dtype of its values.
        chunk: The shape of a chunk.
        num_kept: The number of rows of chunks that are kept in memory.
    """

    path: Path
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]
    num_kept: int

    @property
    def name(self) -> str:
        """The file and the data set, for messages."""
        return f"{self.path}[{self.key}]"

    @property
    def num_bytes_kept(self) -> int:
        """The most memory that the kept rows of chunks take."""
        num_rows = min(self.num_kept * self.chunk[0], self.shape[0])
        return num_rows * math.prod(self.shape[1:]) * self.dtype.itemsize

    def rows(self) -> None:
        """None, since rows of a chunk are not read one by one; see `NpyArray.rows`."""

    def map(self) -> Any:
        """The rows, which are read when they are indexed; or the whole array, if a row is one value."""
        rows = ChunkedRows(self)
        return rows if math.prod(self.shape[1:]) > 1 else rows.read_all()


def open_array(path: Path, key: str, num_kept: int) -> NpyArray | ChunkedArray:
    """Finds a data set in a file.

    Args:
        path: The HDF5 file.
        key: The data set's name, such as "images" or "train/images".
        num_kept: The number of rows of chunks to keep in memory.

    Raises:
        DataError: when the file is damaged or not HDF5, has no such data set, or stores it in another file.
    """
    h5py = require("h5py", "hdf5", "HDF5 files")
    try:
        with h5py.File(path, "r") as file:
            _check_links(h5py, file, path, key)
            if not isinstance(file[key], h5py.Dataset):
                raise DataError(f"'{key}' is a group", where=path, expected=one_of(data_set_names(file)))
            return _as_array(file[key], path, key, num_kept)
    except FileNotFoundError as error:
        raise DataError("no such file", where=path) from error
    except OSError as error:
        raise DataError(
            "is no HDF5 file, or a damaged one", where=path, received=str(error), fix="write or fetch it again"
        ) from error


def _check_links(h5py: Any, file: Any, path: Path, key: str) -> None:
    """Checks that a name exists, and does not lead into another file."""
    parts = [part for part in key.split("/") if part]
    for count in range(1, len(parts) + 1):
        name = "/".join(parts[:count])
        link = file.get(name, getlink=True) if parts[:count] else None
        if link is None:
            known = data_set_names(file)
            raise DataError(
                f"there is no data set '{key}'", where=path, expected=one_of(known), fix=did_you_mean(key, known)
            )
        if isinstance(link, h5py.ExternalLink):
            raise DataError(
                f"'{name}' is a link into another file, which is not followed",
                where=path,
                received=f"{link.filename}[{link.path}]",
                fix="name that file in the config, or copy the data set (h5copy)",
            )
        if isinstance(link, h5py.SoftLink):
            group = [] if link.path.startswith("/") else parts[: count - 1]
            _check_links(h5py, file, path, "/".join([*group, link.path, *parts[count:]]))
            return


def data_set_names(file: Any) -> list[str]:
    """The names of the data sets in an open HDF5 file."""
    h5py = require("h5py", "hdf5", "HDF5 files")
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _as_array(dataset: Any, path: Path, key: str, num_kept: int) -> NpyArray | ChunkedArray:
    if dataset.is_virtual or dataset.external:
        raise DataError(
            f"the data set '{key}' keeps its values in other files, which are not read",
            where=path,
            fix="copy it into one file (h5repack)",
        )
    if not dataset.shape:
        raise DataError(f"the data set '{key}' has no rows", where=path, received=f"shape {dataset.shape}")
    if dataset.chunks is not None:
        return ChunkedArray(path, key, dataset.shape, dataset.dtype, dataset.chunks, num_kept)
    if dataset.id.get_create_plist().get_layout() == _COMPACT:
        return ChunkedArray(path, key, dataset.shape, dataset.dtype, dataset.shape, num_kept)
    offset = dataset.id.get_offset()
    if offset is None:
        raise DataError(f"nothing was ever written to the data set '{key}'", where=path)
    return NpyArray(path, f"{path}[{key}]", dataset.dtype, dataset.shape, False, offset)


class ChunkedRows:
    """The rows of a chunked data set; safe for several threads, and opened by each process itself.

    Args:
        array: The data set.
    """

    def __init__(self, array: ChunkedArray) -> None:
        self.array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, len(array.shape)
        self._opened: _Opened | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        rows = self._row_indices(key)
        flat = rows.reshape(-1)
        out = np.empty((len(flat), *self.shape[1:]), self.dtype)
        blocks = flat // self.array.chunk[0]
        order = np.argsort(blocks, kind="stable")
        changes = np.flatnonzero(np.diff(blocks[order])) + 1
        # Sorted by first row, so that threads that need the same chunks start with different ones, and do not wait.
        for positions in sorted(np.split(order, changes), key=lambda rows: int(rows[0])) if len(order) else ():
            block = int(blocks[positions[0]])
            out[positions] = self._block(block)[flat[positions] - block * self.array.chunk[0]]
        return out.reshape(*rows.shape, *self.shape[1:])[()]

    def _row_indices(self, key: Any) -> npt.NDArray[np.integer]:
        """The indices of the rows that a slice, an integer or an array of integers selects."""
        if isinstance(key, slice):
            return np.arange(*key.indices(len(self)))
        rows = np.asarray(key)
        if rows.size and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        return np.where(rows < 0, rows + len(self), rows)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def read_all(self) -> npt.NDArray[Any]:
        """All rows at once; the file is not kept open.

        Raises:
            DataError: when they cannot be read.
        """
        h5py = require("h5py", "hdf5", "HDF5 files")
        try:
            with h5py.File(self.array.path, "r") as file:
                return np.asarray(file[self.array.key][()])
        except OSError as error:
            raise DataError("the data set cannot be read", where=self.array.name, received=str(error)) from error

    def _block(self, block: int) -> npt.NDArray[Any]:
        """The rows of the chunks that begin at one row, decompressed once even if several threads need them."""
        opened = self._open()
        with opened.lock:
            future = opened.blocks.get(block)
            is_mine = future is None
            if future is None:
                future = opened.blocks[block] = Future()
                while len(opened.blocks) > self.array.num_kept:
                    opened.blocks.popitem(last=False)
            opened.blocks.move_to_end(block)
        if is_mine:
            try:
                future.set_result(self._read_block(opened, block))
            except BaseException as error:
                with opened.lock:
                    opened.blocks.pop(block, None)
                future.set_exception(error)
        return future.result()

    def _read_block(self, opened: _Opened, block: int) -> npt.NDArray[Any]:
        first, *others = self.array.chunk
        start = block * first
        out = np.empty((min(first, len(self) - start), *self.shape[1:]), self.dtype)
        for corner in itertools.product(
            *(range(0, size, step) for size, step in zip(self.shape[1:], others, strict=True))
        ):
            part = out[:, *(slice(at, at + step) for at, step in zip(corner, others, strict=True))]
            part[...] = self._read_chunk(opened, (start, *corner))[tuple(map(slice, part.shape))]
        return out

    def _read_chunk(self, opened: _Opened, corner: tuple[int, ...]) -> npt.NDArray[Any]:
        """One complete chunk, even if it reaches beyond the data set."""
        chunk, dataset = self.array.chunk, opened.dataset
        try:
            in_chunks = dataset.chunks is not None
            if in_chunks and opened.filters.keys() <= {_GZIP, _SHUFFLE} and _is_written(dataset, corner):
                with opened.library_lock:
                    filter_mask, content = dataset.id.read_direct_chunk(corner)
                return _decode_chunk(content, list(opened.filters), filter_mask, self.dtype, chunk)
            values = dataset[tuple(slice(at, at + step) for at, step in zip(corner, chunk, strict=True))]
        except (OSError, ValueError, zlib.error) as error:
            raise DataError(
                "a part of the data set cannot be read",
                where=self.array.name,
                received=f"rows from {corner[0]}: {error}",
                fix="write the file again",
            ) from error
        padded = np.zeros(chunk, self.dtype)
        padded[tuple(map(slice, values.shape))] = values
        return padded

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None or self._opened.process != os.getpid():
                h5py = require("h5py", "hdf5", "HDF5 files")
                try:
                    file = h5py.File(self.array.path, "r")
                except OSError as error:
                    raise DataError("cannot be opened any more", where=self.array.path, received=str(error)) from error
                dataset, library_lock = file[self.array.key], h5py._objects.phil
                self._opened = _Opened(os.getpid(), file, dataset, _filters(dataset), library_lock)
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {"array": self.array}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["array"])  # type: ignore[misc]


@dataclass
class _Opened:
    """The open file of one process, and the rows of chunks that were decompressed last.

    `library_lock` is the lock of h5py, without which HDF5 fails or crashes if two threads use it, such as one that
    reads and one that saves weights. Until 3.16, h5py takes it for all calls but `read_direct_chunk` (its pull request
    2764).
    """

    process: int
    file: Any
    dataset: Any
    filters: dict[int, None]
    library_lock: Any
    blocks: OrderedDict[int, Future[npt.NDArray[Any]]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _filters(dataset: Any) -> dict[int, None]:
    """The filters of the data set's chunks, in order."""
    created = dataset.id.get_create_plist()
    return dict.fromkeys(created.get_filter(number)[0] for number in range(created.get_nfilters()))


def _is_written(dataset: Any, corner: tuple[int, ...]) -> bool:
    """Whether a chunk is in the file; a chunk that was never written holds the fill value."""
    return dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None


def _decode_chunk(
    content: bytes, filters: list[int], mask: int, dtype: np.dtype[Any], chunk: tuple[int, ...]
) -> npt.NDArray[Any]:
    """A chunk's values; bit n of `mask` says that filter n was not applied."""
    num_bytes = math.prod(chunk) * dtype.itemsize  # with the known size, decompression takes three quarters of the time
    for number in reversed(range(len(filters))):
        if mask >> number & 1:
            continue
        if filters[number] == _GZIP:
            content = zlib.decompress(content, bufsize=num_bytes)
        else:
            planes = np.frombuffer(content, np.uint8).reshape(dtype.itemsize, -1)
            content = planes.T.tobytes()
    return np.frombuffer(content, dtype).reshape(chunk)
