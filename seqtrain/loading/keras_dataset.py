"""The dataset passed to `fit`: a `keras.utils.Sequence` that returns the batches of a stream.

Keras's own workers are never used: with `workers=1`, Keras calls `__getitem__` from one thread, in order.

The training dataset has no end, and `fit` gets `steps_per_epoch`: then Keras makes one iterator for the whole run, and
index `i` is step `i` of the run. The validation dataset has an end: Keras restarts it at 0 each time.

Before training, Keras reads the first two batches to infer their shapes, and TensorFlow then rejects batches of other
shapes: text of variable length fails if the first two batches happen to be equally long. The axes that may vary are
those that are None in the model's inputs and outputs. So if the sequence has no spec, Keras is given a second batch
that differs from the first along each of these axes.
"""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from seqtrain import console
from seqtrain.loading.stream import BatchStream
from seqtrain.structure import map_structure, num_samples


@dataclass(frozen=True, slots=True)
class BatchTiming:
    """When a batch was returned to Keras.

    Args:
        step: The step of the run.
        samples: The number of samples in the batch.
        at: The time, by `time.perf_counter`.
    """

    step: int
    samples: int
    at: float


class KerasDataset(keras.utils.PyDataset):
    """Returns the batches of a stream.

    TensorFlow converts an exception to text, so the original is kept in `error`, for the run to raise.

    Args:
        stream: Where the batches come from.
        model: Its inputs and outputs say which axes of a batch may vary, if the sequence has no spec.
    """

    def __init__(self, stream: BatchStream, model: Any) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._model = model
        self._learns_form = True
        if keras.backend.backend() == "tensorflow":
            stream.reuse_memory()
        self._stream = stream
        self.error: BaseException | None = None

    def on_epoch_begin(self) -> None:
        """Notes that Keras has inferred the shapes: from now on it reads batches to train on."""
        self._learns_form = False

    def _take(self, position: int, interruptible: bool = True) -> tuple[Any, ...]:
        try:
            if self._learns_form:
                return self._first_batches(position, interruptible)
            return self._stream.take(position, interruptible).batch
        except BaseException as error:
            self.error = error
            raise

    def _first_batches(self, position: int, interruptible: bool) -> tuple[Any, ...]:
        if self._stream.is_kept(position - 1) and self._stream.sequence.spec is None:
            return _of_another_form(self._stream.take(position - 1).batch, self._model)
        workers = self._stream.workers
        words = f"starting {workers.count} worker processes" if workers.processes else "loading the first batch"
        with console.status(words):
            return self._stream.take(position, interruptible).batch


class TrainingDataset(KerasDataset):
    """The training batches, from the start of the stream.

    Args:
        stream: Where the batches come from. If Keras reads ahead beyond its end, it gets the last batch again, which is
            never trained on.
        model: See `KerasDataset`.
        steps_per_execution: Batches in one call of the compiled step, which cannot be stopped in between.
    """

    num_batches = None

    def __init__(self, stream: BatchStream, model: Any = None, steps_per_execution: int = 1) -> None:
        super().__init__(stream, model)
        self._start = stream.position
        self._steps_per_execution = steps_per_execution
        self._last_batch: tuple[Any, ...] | None = None
        self._timings: collections.deque[BatchTiming] = collections.deque()

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        end, position = self._stream.end, self._start + index
        if end is not None and position >= end and self._last_batch is not None:
            return self._last_batch
        batch = self._take(position, interruptible=index % self._steps_per_execution == 0)
        self._last_batch = batch if end is not None and position == end - 1 else None
        if self._timings and index <= self._timings[-1].step:  # earlier batches were read to infer shapes
            self._timings.clear()
        self._timings.append(BatchTiming(index, num_samples(batch), time.perf_counter()))
        return batch

    def on_epoch_begin(self) -> None:
        """Discards the timings of the batches that were read to infer shapes."""
        if self._learns_form:
            self._timings.clear()
        super().on_epoch_begin()

    @property
    def has_next_batch(self) -> bool:
        """Whether Keras already has the batch of the next step, so that the step will not wait for data."""
        return bool(self._timings)

    def take_timings(self, count: int) -> list[BatchTiming]:
        """Removes and returns the timings of the next `count` trained batches, in the order of the steps."""
        return [self._timings.popleft() for _ in range(min(count, len(self._timings)))]


class ValidationDataset(KerasDataset):
    """The validation batches, the same in every evaluation.

    Args:
        stream: Where the batches come from; its schedule repeats after `num_steps`.
        num_steps: The number of batches in an evaluation.
        model: See `KerasDataset`.
    """

    def __init__(self, stream: BatchStream, num_steps: int, model: Any = None) -> None:
        super().__init__(stream, model)
        self._num_steps = num_steps

    @property
    def num_batches(self) -> int:
        """Batches in an evaluation."""
        return self._num_steps

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if self._stream.is_kept(index):
            return self._take(index)
        taken = self._stream.position
        return self._take(taken + (index - taken) % self._num_steps)


def _of_another_form(batch: tuple[Any, ...], model: Any) -> tuple[Any, ...]:
    """A batch of zeros with the same shape, but longer along each axis that is None in the model's shapes.

    Args:
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        model: A Keras model; without declared inputs, the shape stays the same.
    """
    open_inputs = _open_axes(getattr(model, "inputs", None))
    open_outputs = _open_axes(getattr(model, "outputs", None))
    parts = [_longer(batch[0], open_inputs), *(_longer(part, open_outputs) for part in batch[1:])]
    return tuple(parts)


def _open_axes(tensors: Any) -> list[tuple[int, ...]]:
    shapes = [tuple(tensor.shape) for tensor in tensors or ()]
    return [tuple(axis for axis, size in enumerate(shape) if axis and size is None) for shape in shapes]


def _longer(part: Any, open_axes: list[tuple[int, ...]]) -> Any:
    remaining = iter(open_axes)

    def leaf(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        axes = next(remaining, ())
        shape = [size + 1 if axis in axes else size for axis, size in enumerate(array.shape)]
        return np.zeros(shape, array.dtype)

    return map_structure(leaf, part)
