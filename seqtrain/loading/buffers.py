"""Where batches are written: aligned memory that is used again once its consumer has let go of it.

TensorFlow takes an aligned array without a copy, and its tensor then uses the array's own memory. So memory may be used
again only when the very arrays that were handed over are gone, which a finalizer on each of them tells. JAX keeps the
array's memory in use without keeping the array itself: there nothing is used again.

A fresh array costs a page fault for every 4 KB of it; a batch of 64 photographs has 2,400 of them.
"""

from __future__ import annotations

import collections
import weakref
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.loading.shared_file import SharedFile
from seqtrain.structure import ALIGNMENT, FieldSpec, map_structure, named_leaves


@dataclass
class Buffer:
    """Memory for one batch.

    Args:
        rows: The batch's arrays, to be written; None while their form is not known.
        memory: The arrays of a full batch, of which `rows` are the first; None where there is no such memory.
        slot: Its number among shared buffers.
    """

    rows: tuple[Any, ...] | None = None
    memory: tuple[Any, ...] | None = None
    slot: int = 0


class Buffers(Protocol):
    """Where a stream gets memory for batches.

    `reuse` says whether the consumer keeps a batch's arrays for as long as it uses their memory. Where it does not,
    heap memory is handed over for good, and shared memory is copied.
    """

    reuse: bool

    def take(self) -> Buffer | None:
        """A buffer, or None when all are in use."""

    def shape(self, buffer: Buffer, num_rows: int) -> None:
        """Gives a buffer the rows of a batch."""

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch as it is handed to the consumer; takes the buffer back when the consumer has done with it."""

    def give_back(self, buffer: Buffer) -> None:
        """Takes back a buffer whose batch was never handed over."""

    def close(self) -> None:
        """Frees the memory as soon as nobody uses it."""


class HeapBuffers:
    """Buffers in this process's own memory.

    Args:
        spec: Of a batch, or None where batches bring their own arrays.
        num_rows: Of a full batch.
        most_kept: How many free buffers are kept.
    """

    def __init__(self, spec: tuple[Any, ...] | None, num_rows: int, most_kept: int) -> None:
        self._spec = spec
        self._num_rows = num_rows
        self.reuse = False
        # Finalizers run in any thread, at any allocation: a deque needs no lock.
        self._free: collections.deque[tuple[Any, ...]] = collections.deque(maxlen=most_kept)

    def take(self) -> Buffer:
        """A free buffer, or a new one."""
        if self._spec is None:
            return Buffer()
        try:
            return Buffer(memory=self._free.popleft())
        except IndexError:
            return Buffer(memory=map_structure(lambda field: field.empty(self._num_rows), self._spec))

    def shape(self, buffer: Buffer, num_rows: int) -> None:
        """Takes the first rows of the memory."""
        buffer.rows = map_structure(lambda array: array[:num_rows], _required(buffer.memory))

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch; its memory is free again when its arrays are gone."""
        memory = buffer.memory
        if not self.reuse or memory is None:
            return batch
        return _watched(batch, _required(buffer.rows), lambda: self._free.append(memory))

    def give_back(self, buffer: Buffer) -> None:
        """Keeps the memory for the next batch."""
        if buffer.memory is not None:
            self._free.append(buffer.memory)

    def close(self) -> None:
        """Lets go of the free buffers."""
        self._free.clear()


class SharedBuffers:
    """Buffers in memory that worker processes map too.

    Args:
        spec: Of a batch, or None where a worker decides its form.
        num_rows: Of a full batch.
        count: How many there are; they are all there ever will be.
    """

    def __init__(self, spec: tuple[Any, ...] | None, num_rows: int, count: int) -> None:
        specs = map_structure(lambda field: _rows(field, num_rows), spec or ())
        self.layout = Layout.of(specs)
        self.reuse = False
        self._files = [SharedFile(self.layout.size) for _ in range(count)]
        self._maps = [file.map() for file in self._files]
        self._free = collections.deque(range(count))

    def path(self, slot: int) -> str:
        """Where another process finds a slot."""
        return self._files[slot].path

    def take(self) -> Buffer | None:
        """A free slot, or None."""
        try:
            return Buffer(slot=self._free.popleft())
        except IndexError:
            return None

    def shape(self, buffer: Buffer, num_rows: int) -> None:
        """Takes the first rows of the slot."""
        full = self.layout.arrays(self._maps[buffer.slot])
        buffer.rows = map_structure(lambda array: array[:num_rows], full)

    def adopt(self, buffer: Buffer, layout: Layout) -> tuple[Any, ...]:
        """The batch that a worker has laid out in a slot, which it may have made longer."""
        if len(self._maps[buffer.slot]) < layout.size:
            self._maps[buffer.slot] = self._files[buffer.slot].map()
        buffer.rows = layout.arrays(self._maps[buffer.slot])
        return buffer.rows

    def lend(self, buffer: Buffer, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        """The batch; a copy of it where slots run short, so that a consumer that keeps batches stops nobody."""
        if not self.reuse or len(self._free) < 2:
            copied: tuple[Any, ...] = map_structure(_aligned_copy, batch)
            self.give_back(buffer)
            return copied
        return _watched(batch, _required(buffer.rows), lambda: self._free.append(buffer.slot))

    def give_back(self, buffer: Buffer) -> None:
        """Frees the slot."""
        buffer.rows = None
        self._free.append(buffer.slot)

    def close(self) -> None:
        """Gives the files up."""
        for file in self._files:
            file.close()
        self._maps.clear()


@dataclass(frozen=True)
class Layout:
    """Where the arrays of a batch lie in one block of memory, each aligned.

    Args:
        fields: As the batch is nested: shape with the batch axis, dtype and offset of each array.
        size: Bytes in all.
    """

    fields: tuple[Any, ...]
    size: int

    @classmethod
    def of(cls, specs: tuple[Any, ...]) -> Layout:
        """Lays out arrays of the given shapes, batch axis included."""
        end = 0

        def place(field: FieldSpec) -> _Placed:
            nonlocal end
            placed = _Placed(field, end)
            num_bytes = int(np.prod(field.shape, dtype=np.int64)) * np.dtype(field.dtype).itemsize
            end += -(-num_bytes // ALIGNMENT) * ALIGNMENT
            return placed

        return cls(map_structure(place, specs), end)

    def arrays(self, memory: Any) -> tuple[Any, ...]:
        """The arrays in a block of memory."""
        arrays: tuple[Any, ...] = map_structure(lambda placed: placed.array(memory), self.fields)
        return arrays


@dataclass(frozen=True)
class _Placed:
    field: FieldSpec
    offset: int

    def array(self, memory: Any) -> npt.NDArray[Any]:
        return np.ndarray(self.field.shape, self.field.dtype, memory, self.offset)


def _rows(field: FieldSpec, num_rows: int) -> FieldSpec:
    return FieldSpec((num_rows, *field.shape), field.dtype)


def _leaves(structure: tuple[Any, ...]) -> Any:
    return (leaf for _, leaf in named_leaves(structure))


def _required(rows: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if rows is None:
        raise ValueError("the buffer holds no batch")
    return rows


def _watched(batch: tuple[Any, ...], rows: tuple[Any, ...], when_gone: Any) -> tuple[Any, ...]:
    """The batch with fresh views in place of the buffer's own arrays; tells when all of these are gone."""
    views: list[npt.NDArray[Any]] = []
    owned = {id(array) for array in _leaves(rows)}

    def view(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if id(array) not in owned:
            return array
        views.append(array.view())
        return views[-1]

    handed: tuple[Any, ...] = map_structure(view, batch)
    left = list(range(len(views)))

    def gone() -> None:
        if left.pop() == 0:  # atomic, so exactly one of them is the last
            when_gone()

    for each in views:
        weakref.finalize(each, gone).atexit = False
    return handed


def _aligned_copy(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy = FieldSpec(array.shape[1:], array.dtype.str).empty(len(array))
    copy[...] = array
    return copy
