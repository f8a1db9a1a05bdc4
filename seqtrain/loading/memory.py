"""Memory for batches: blocks that are reused after the consumer has released the batch.

TensorFlow uses an aligned array without a copy: its tensor shares the array's memory. So a block may be reused only
when every array in it has been deleted. A block is therefore leased: the arrays of a batch are made in a view of the
block, and each array, and each view of one, keeps this lease alive. JAX uses an array's memory without keeping the
array; there, a block is never reused. A new block costs a page fault for every 4 KB; a batch of 64 photographs causes
2,400 of them.

Worker processes write to blocks in anonymous files. On Linux such a file is in memory (`memfd_create`) and belongs to
no mounted file system, so a container's small `/dev/shm` does not matter; other processes of the user open it through
`/proc`. On other systems it is a temporary file.

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

_FEW = 2  # with fewer free blocks, a consumer that holds batches would stall the workers


@dataclass(frozen=True)
class Layout:
    """The offsets of a batch's arrays in a block, each aligned.

    Args:
        fields: The `FieldSpec` of each array, including the batch axis, nested like the batch.
        offsets: The offset of each array in bytes, in the order of the fields.
        size: The total number of bytes.
    """

    fields: tuple[Any, ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, fields: tuple[Any, ...]) -> Layout:
        """A layout of arrays one after the other."""
        offsets, end = [], 0
        for _, field in named_leaves(fields):
            offsets.append(end)
            end += aligned(math.prod(field.shape) * np.dtype(field.dtype).itemsize)
        return cls(fields, tuple(offsets), end)

    @classmethod
    def of_rows(cls, spec: tuple[Any, ...], num_rows: int) -> Layout:
        """A layout of a batch with `num_rows` samples."""
        return cls.of(map_structure(lambda field: FieldSpec((num_rows, *field.shape), field.dtype), spec))

    def arrays(self, block: Any, num_rows: int | None = None) -> tuple[Any, ...]:
        """The arrays in a block of memory, or only their first `num_rows` rows."""
        offsets = iter(self.offsets)

        def array(field: FieldSpec) -> npt.NDArray[Any]:
            shape = field.shape if num_rows is None else (num_rows, *field.shape[1:])
            return np.ndarray(shape, field.dtype, block, next(offsets))

        arrays: tuple[Any, ...] = map_structure(array, self.fields)
        return arrays


def aligned(num_bytes: int) -> int:
    """The number of bytes, rounded up to the alignment of the next array."""
    return -(-num_bytes // ALIGNMENT) * ALIGNMENT


class _Block(np.ndarray):
    """A block of memory as bytes, or a lease of it.

    NumPy sets the base of a view to the array that owns the memory, unless the array in between has another class. A
    lease has this class, so an array made in a lease keeps a reference to the lease itself.
    """

    file: SharedFile | None = None


class Buffer:
    """Memory for one batch, in use until this buffer and every array in it are deleted.

    Args:
        block: The memory; None if batches have their own arrays.
        give_back: Called with the block when it is no longer in use.
    """

    lease: _Block | None = None

    def __init__(self, block: _Block | None = None, give_back: Callable[[_Block], None] = lambda block: None) -> None:
        self._give_back = give_back
        if block is not None:
            self.file = block.file
            self._use(block)

    @property
    def path(self) -> str:
        """The path through which a worker process opens the memory."""
        assert self.file is not None
        return self.file.path

    def keep(self) -> None:
        """Makes sure that the memory is never reused for another batch."""
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

    `reuse` says whether the consumer keeps a reference to a batch's arrays while it uses their memory. If not, the
    memory of a batch is never reused.

    Args:
        spec: The spec of a batch, or None if batches have their own arrays.
        num_rows: The number of rows of a full batch.
        most_kept: The largest number of free blocks to keep.
    """

    def __init__(self, spec: tuple[Any, ...] | None, num_rows: int, most_kept: int) -> None:
        self.reuse = False
        self.layout = Layout.of_rows(spec or (), num_rows)
        self._needs_memory = spec is not None
        self._closed = False
        # A lease may end in any thread, at any allocation; a deque needs no lock.
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
        """The arrays of a batch of `num_rows` rows, to be written."""
        return self.layout.arrays(buffer.lease, num_rows)

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch for the consumer."""
        if not self.reuse:
            buffer.keep()
        return batch

    def close(self) -> None:
        """Frees the unused blocks."""
        self._closed = True
        self._free.clear()

    def _give_back(self, block: _Block) -> None:
        if not self._closed:
            self._free.append(block)


class SharedBuffers(HeapBuffers):
    """Buffers in memory that is shared with worker processes.

    Args:
        spec: The spec of a batch, or None if the worker decides its shape.
        num_rows: The number of rows of a full batch.
        count: The fixed number of buffers.
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
        """The batch that a worker has written to a buffer, whose file it may have made longer."""
        assert buffer.lease is not None
        if len(buffer.lease) < layout.size:
            buffer.map_again()
        return layout.arrays(buffer.lease)

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch for the consumer; a copy if its memory could not be tracked (JAX), or if buffers run short."""
        if self.reuse and len(self._free) >= _FEW:
            return batch
        copied: tuple[Any, ...] = map_structure(_aligned_copy, batch)
        return copied

    def close(self) -> None:
        """Closes the files; memory in use stays valid."""
        super().close()
        for file in self._files:
            file.close()


class SharedFile:
    """A file in memory that is deleted when it is closed or its process ends.

    Args:
        size: Bytes; a worker process may make it longer.

    Raises:
        ResourceError: when no memory or no file descriptor is left.
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
        """Maps the whole file in its current length, readable and writable."""
        return mmap.mmap(self._descriptor, os.fstat(self._descriptor).st_size)

    def block(self) -> _Block:
        """The mapped file as a block of memory."""
        block = np.frombuffer(self.map(), np.uint8).view(_Block)
        block.file = self
        return block

    def close(self) -> None:
        """Closes the file; existing mappings stay valid."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


def map_shared(path: str, size: int, *, private: bool = False) -> mmap.mmap:
    """Maps another process's shared file, and makes it longer first if it is too short.

    Args:
        path: Its path.
        size: The number of bytes needed.
        private: Whether writes stay in this process (copy on write).
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
