"""Memory for batches: blocks that are used again once the consumer has let go of the batch in them.

TensorFlow takes an aligned array without a copy, and its tensor then uses the array's own memory. So a block may be
used again only when every array in it is gone. A block is therefore leased: a batch's arrays are made in a view of the
block, and each of them, and each view of one, keeps that lease alive. JAX keeps an array's memory in use without
keeping the array: there a block is given away with its batch. A fresh block costs a page fault for every 4 KB of it; a
batch of 64 photographs has 2,400 of them.

Worker processes write into blocks that lie in anonymous files. On Linux such a file lies in memory (`memfd_create`) and
counts against no mounted file system, so that a container's small `/dev/shm` does not matter; other processes of the
user open it under `/proc`. Elsewhere it is a temporary file.

Source: Linux manual pages memfd_create(2) and proc(5).
"""

from __future__ import annotations

import collections
import contextlib
import math
import mmap
import os
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ResourceError
from seqtrain.structure import ALIGNMENT, FieldSpec, map_structure, named_leaves

_FEW = 2  # with fewer free blocks, a consumer that keeps batches would stop the workers


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a batch lie in a block, each aligned.

    Args:
        fields: The `FieldSpec` of each array, batch axis included, nested as the batch is.
        offsets: Of each array, in the order of the fields.
        size: Bytes in all.
    """

    fields: tuple[Any, ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, fields: tuple[Any, ...]) -> Layout:
        """Lays out arrays one after the other."""
        offsets, end = [], 0
        for _, field in named_leaves(fields):
            offsets.append(end)
            end += aligned(math.prod(field.shape) * np.dtype(field.dtype).itemsize)
        return cls(fields, tuple(offsets), end)

    @classmethod
    def of_rows(cls, spec: tuple[Any, ...], num_rows: int) -> Layout:
        """Lays out a batch of so many samples."""
        return cls.of(map_structure(lambda field: FieldSpec((num_rows, *field.shape), field.dtype), spec))

    def arrays(self, block: Any, num_rows: int | None = None) -> tuple[Any, ...]:
        """The arrays in a block of memory; or their first rows."""
        offsets = iter(self.offsets)

        def array(field: FieldSpec) -> npt.NDArray[Any]:
            shape = field.shape if num_rows is None else (num_rows, *field.shape[1:])
            return np.ndarray(shape, field.dtype, block, next(offsets))

        arrays: tuple[Any, ...] = map_structure(array, self.fields)
        return arrays


def aligned(num_bytes: int) -> int:
    """So many bytes, rounded up to where the next array may begin."""
    return -(-num_bytes // ALIGNMENT) * ALIGNMENT


class _Block(np.ndarray):
    """A block of memory as bytes, or a lease of it.

    As the base of a view, NumPy takes the array that owns the memory, except where the array in between is of another
    class: so an array that is made in a lease, which is of this class, holds the lease itself.
    """

    file: SharedFile | None = None


class Buffer:
    """Memory for one batch, in use until this buffer and every array in it are gone.

    Args:
        block: The memory; None where batches bring their own arrays.
        give_back: What is done with the block then.
    """

    lease: _Block | None = None

    def __init__(self, block: _Block | None = None, give_back: Callable[[_Block], None] = lambda block: None) -> None:
        self._give_back = give_back
        if block is not None:
            self.file = block.file
            self._use(block)

    @property
    def path(self) -> str:
        """Where a worker process finds the memory."""
        assert self.file is not None
        return self.file.path

    def keep(self) -> None:
        """Has the memory never be used again by another batch."""
        if self.lease is not None:
            self._return.detach()

    def map_again(self) -> None:
        """Maps the whole file after a worker has made it longer."""
        assert self.file is not None
        self.keep()
        self._use(self.file.block())

    def _use(self, block: _Block) -> None:
        self.lease = block.view()
        self._return = weakref.finalize(self.lease, self._give_back, block)
        self._return.atexit = False


class HeapBuffers:
    """Buffers in this process's own memory.

    `reuse` says whether the consumer keeps a batch's arrays for as long as it uses their memory. Where it does not,
    memory is given away with each batch.

    Args:
        spec: Of a batch, or None where batches bring their own arrays.
        num_rows: Of a full batch.
        most_kept: How many free blocks are kept.
    """

    def __init__(self, spec: tuple[Any, ...] | None, num_rows: int, most_kept: int) -> None:
        self.reuse = False
        self.layout = Layout.of_rows(spec or (), num_rows)
        self._needs_memory = spec is not None
        self._closed = False
        # Leases end in any thread, at any allocation: a deque needs no lock.
        self._free: collections.deque[_Block] = collections.deque(maxlen=most_kept)

    def take(self) -> Buffer | None:
        """A buffer in a free block, or in a new one."""
        if not self._needs_memory:
            return Buffer()
        try:
            return Buffer(self._free.popleft(), self._give_back)
        except IndexError:
            return Buffer(_new_block(self.layout.size), self._give_back)

    def rows(self, buffer: Buffer, num_rows: int) -> tuple[Any, ...]:
        """The arrays of a batch of so many rows, to be written."""
        return self.layout.arrays(buffer.lease, num_rows)

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch as it is handed to the consumer."""
        if not self.reuse:
            buffer.keep()
        return batch

    def close(self) -> None:
        """Lets go of the free blocks."""
        self._closed = True
        self._free.clear()

    def _give_back(self, block: _Block) -> None:
        if not self._closed:
            self._free.append(block)


class SharedBuffers(HeapBuffers):
    """Buffers in memory that worker processes map too.

    Args:
        spec: Of a batch, or None where a worker decides its form.
        num_rows: Of a full batch.
        count: How many there are; they are all there ever will be.
    """

    def __init__(self, spec: tuple[Any, ...] | None, num_rows: int, count: int) -> None:
        super().__init__(spec, num_rows, count)
        self._files = [SharedFile(self.layout.size) for _ in range(count)]
        self._free.extend(file.block() for file in self._files)

    def take(self) -> Buffer | None:
        """A free buffer, or None."""
        try:
            return Buffer(self._free.popleft(), self._give_back)
        except IndexError:
            return None

    def adopt(self, buffer: Buffer, layout: Layout) -> tuple[Any, ...]:
        """The batch that a worker has laid out in a buffer, whose file it may have made longer."""
        assert buffer.lease is not None
        if len(buffer.lease) < layout.size:
            buffer.map_again()
        return layout.arrays(buffer.lease)

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch; a copy where the consumer would use its memory without keeping it, or where buffers run short."""
        if self.reuse and len(self._free) >= _FEW:
            return batch
        copied: tuple[Any, ...] = map_structure(_aligned_copy, batch)
        return copied

    def close(self) -> None:
        """Gives the files up; memory that is in use stays."""
        super().close()
        for file in self._files:
            file.close()


class SharedFile:
    """A file in memory that is gone when it is closed or its process ends.

    Args:
        size: Bytes; whoever maps it may make it longer.

    Raises:
        ResourceError: when there is no memory, or no file descriptor left.
    """

    def __init__(self, size: int) -> None:
        self._temporary: Path | None = None
        try:
            if hasattr(os, "memfd_create"):
                self._descriptor = os.memfd_create("seqtrain", os.MFD_CLOEXEC)
                self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
            else:
                self._descriptor, self.path = tempfile.mkstemp(prefix="seqtrain-")
                self._temporary = Path(self.path)
            os.ftruncate(self._descriptor, max(1, size))
        except OSError as error:
            raise ResourceError(f"no memory to share with worker processes: {error.strerror}") from error

    def map(self) -> mmap.mmap:
        """The whole file as it is now, readable and writable."""
        return mmap.mmap(self._descriptor, os.fstat(self._descriptor).st_size)

    def block(self) -> _Block:
        """The same as a block of memory."""
        block = np.frombuffer(self.map(), np.uint8).view(_Block)
        block.file = self
        return block

    def close(self) -> None:
        """Gives the file up; what is mapped stays until its last user lets go of it."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


def map_shared(path: str, size: int, *, private: bool = False) -> mmap.mmap:
    """Maps another process's shared file, made longer first if need be.

    Args:
        path: Its path.
        size: How many bytes are needed.
        private: Whether what is written stays in this process, page by page.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        length = os.fstat(descriptor).st_size
        if length < size:
            os.ftruncate(descriptor, size)
            length = size
        return mmap.mmap(descriptor, length, access=mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE)
    finally:
        os.close(descriptor)


def _new_block(size: int) -> _Block:
    block: _Block = FieldSpec((size,), "uint8").empty(1)[0].view(_Block)
    return block


def _aligned_copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy = FieldSpec(array.shape[1:], array.dtype.str).empty(len(array))
    copy[...] = array
    return copy
