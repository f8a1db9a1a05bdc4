"""The datasets passed to `fit` and `evaluate`: the batches of a stream, as Keras takes them.

Keras's own workers are never used. With JAX, Keras takes a `keras.utils.Sequence` with `workers=1`, and calls its
`__getitem__` from one thread, in order. With TensorFlow, Keras would read it through `tf.data.Dataset.from_generator`,
whose Python code takes longer than making a cheap batch; so it gets a `tf.data.Dataset` that only calls `__getitem__`.

The training dataset has no end, and `fit` gets `steps_per_epoch`: then Keras makes one iterator for the whole run, and
index `i` is step `i` of the run. The validation dataset has an end: Keras restarts it at 0 each time.

TensorFlow must know the shapes of the batches before training. If the sequence has no spec, its first two batches are
read for them: an axis may vary if it is None in the model's inputs or outputs, or if it differs between these two,
unless the model's input has one size for it.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy.typing as npt

from seqtrain import console
from seqtrain.errors import WorkerError
from seqtrain.loading.stream import BatchStream
from seqtrain.structure import PART_NAMES, map_structure, named_leaves, num_samples
from seqtrain.text import listed

Shape = tuple[int | None, ...]  # with None for an axis that may vary, such as the first
Shapes = dict[str, Shape]  # of the arrays of a batch, by their names


class BatchTiming(NamedTuple):
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
        if keras.backend.backend() == "tensorflow":
            stream.reuse_memory()
        self._stream = stream
        self._start = stream.position  # the position of Keras's batch 0
        self._shapes: Shapes = {}
        self._checked: dict[str, tuple[int, ...]] | None = None  # the shapes of the last batch that was checked
        self.error: BaseException | None = None

    def for_fit(self) -> Any:
        """What `fit` and `evaluate` take: this object or, with TensorFlow, a `tf.data.Dataset` of its batches.

        Raises:
            BaseException: what making the first batches raised, if they are read; it is kept in `error` too.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        if (spec := self._stream.sequence.spec) is not None:
            self._shapes = {name: (None, *field.shape) for name, field in named_leaves(spec)}
            return tf_dataset(self._arrays, spec, self._shapes, self.num_batches)
        first = self._first_batch()
        shapes, of_model = shapes_of(first), _model_shapes(first, self._model)
        second = shapes_of(self[1]) if self.num_batches != 1 else shapes
        self._shapes = {
            name: _common(name, each, second.get(name, each), of_model[name]) for name, each in shapes.items()
        }
        return tf_dataset(self._arrays, first, self._shapes, self.num_batches)

    def _first_batch(self) -> tuple[Any, ...]:
        workers = self._stream.workers
        task = f"starting {workers.count} worker processes" if workers.processes else "loading the first batch"
        if workers.processes and workers.imports:
            task += f", which import {listed([Path(name).name for name in workers.imports], 2)}"
        with console.status(task):
            first: tuple[Any, ...] = self[0]
        return first

    def _take(self, position: int, interruptible: bool = True) -> tuple[Any, ...]:
        try:
            return self._stream.take(position, interruptible).batch
        except BaseException as error:
            self.error = error
            raise

    def _arrays(self, index: int) -> list[npt.NDArray[Any]]:
        """The arrays of a batch, which must have the names and shapes of the first batch."""
        if self.error is not None:  # TensorFlow would read on after a batch that failed
            raise self.error
        arrays = dict(named_leaves(self[index]))
        shapes = {name: array.shape[1:] for name, array in arrays.items()}
        if shapes != self._checked:
            self._check_shapes(index, {name: (None, *shape) for name, shape in shapes.items()})
            self._checked = shapes
        return [arrays[name] for name in self._shapes]

    def _check_shapes(self, index: int, shapes: Shapes) -> None:
        if shapes.keys() == self._shapes.keys() and all(_fits(shapes[name], self._shapes[name]) for name in shapes):
            return
        epoch, number = self._stream.schedule(self._start + index)
        self.error = WorkerError(
            f"batch {number} of epoch {epoch} differs in shape from the first batch",
            expected=_text(self._shapes),
            received=_text(shapes),
            fix="give all samples one shape (pad them); or make the axis None in the shape of the model's input",
        )
        raise self.error


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

    def for_fit(self) -> Any:
        """See `KerasDataset.for_fit`; waits for the first batch. What is read before training is not timed."""
        self._first_batch()
        dataset = super().for_fit()
        self._timings.clear()
        return dataset

    @property
    def has_next_batch(self) -> bool:
        """Whether Keras already has the batch of the next step, so that the step will not wait for data."""
        return bool(self._timings)

    def take_timings(self, count: int) -> list[BatchTiming]:
        """Removes and returns the timings of the next `count` trained batches, in the order of the steps."""
        return [self._timings.popleft() for _ in range(min(count, len(self._timings)))]


class ValidationDataset(KerasDataset):
    """The validation batches: the same in every evaluation, unless the sequence changes between epochs.

    Args:
        stream: Where the batches come from, from the start of an evaluation; each has `num_steps`.
        num_steps: The number of batches in an evaluation.
        model: See `KerasDataset`.
    """

    def __init__(self, stream: BatchStream, num_steps: int, model: Any = None) -> None:
        super().__init__(stream, model)
        self._num_steps = num_steps
        self._next = self._start  # the position that is next, though the first batches were read for their shapes

    @property
    def num_batches(self) -> int:
        """Batches in an evaluation."""
        return self._num_steps

    def for_fit(self) -> Any:
        """See `KerasDataset.for_fit`."""
        dataset = super().for_fit()
        self._next = self._start
        return dataset

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        first = self._start + index
        position = self._next + (first - self._next) % self._num_steps
        # With JAX, `evaluate` reads the first batch twice, the first time to build what is not built.
        is_same = self._next == first + 1 and self._num_steps > 1
        if self._stream.is_kept(first) and (is_same or position == self._stream.end):
            position = first
        batch = self._take(position)
        self._next = position + 1
        return batch


def tf_dataset(
    arrays: Callable[[int], list[npt.NDArray[Any]]], first: tuple[Any, ...], shapes: Shapes, num_batches: int | None
) -> Any:
    """A `tf.data.Dataset` of batches that a function makes, one at a time and in order.

    Args:
        arrays: Returns the arrays of the batch at an index, in the order of `named_leaves`.
        first: A batch, or the spec of one, whose structure and types all others have.
        shapes: The shapes that all others have.
        num_batches: Its length; None for no end.
    """
    import tensorflow as tf

    types = [keras.backend.standardize_dtype(array.dtype) for _, array in named_leaves(first)]

    def tensors(index: Any) -> Any:
        flat = tf.numpy_function(lambda index: arrays(int(index)), [index], types)
        for tensor, shape in zip(flat, shapes.values(), strict=True):
            tensor.set_shape(shape)
        leaves = iter(flat)
        return map_structure(lambda _: next(leaves), first)

    indices = tf.data.Dataset.counter() if num_batches is None else tf.data.Dataset.range(num_batches)
    # Converted by AutoGraph, the function would run code of the conversion for every batch.
    return indices.map(tf.autograph.experimental.do_not_convert(tensors)).prefetch(tf.data.AUTOTUNE)


def shapes_of(batch: tuple[Any, ...]) -> Shapes:
    """The shapes of a batch, with any number of samples."""
    return {name: (None, *array.shape[1:]) for name, array in named_leaves(batch)}


def _model_shapes(batch: tuple[Any, ...], model: Any) -> Shapes:
    """For each array, the shape of the model's input or output that takes it, by name or in order; () if unknown."""
    shapes: Shapes = {}
    for number, (part, name) in enumerate(zip(batch, PART_NAMES, strict=False)):
        tensors = list(getattr(model, "outputs" if number else "inputs", None) or ())
        named, remaining = {f"{name}.{tensor.name}": tensor for tensor in tensors}, iter(tensors)
        leaves = [leaf for leaf, _ in named_leaves(batch) if leaf.partition(".")[0] == name]
        for leaf in sorted(leaves) if isinstance(part, dict) else leaves:  # Keras sorts the names of a dict
            in_order = next(remaining, None)
            shapes[leaf] = tuple(getattr(named.get(leaf, in_order), "shape", ()))
    return shapes


def _common(name: str, first: Shape, second: Shape, of_model: Shape) -> Shape:
    """The shape of an array in all batches, by its shapes in the first two."""
    if len(second) != len(first):
        return first
    is_declared = len(of_model) == len(first)
    may_differ = not is_declared or name.partition(".")[0] != "x"
    sizes = zip(first, second, of_model if is_declared else first, strict=True)
    return tuple(
        None if declared is None or (may_differ and size != other) else size for size, other, declared in sizes
    )


def _fits(shape: Shape, expected: Shape) -> bool:
    return len(shape) == len(expected) and all(map(lambda size, wanted: wanted in (None, size), shape, expected))


def _text(shapes: Shapes) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
