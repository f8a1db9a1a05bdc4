"""What `fit` is given: a `keras.utils.Sequence` that hands out the stream's batches.

Keras's own workers are never used: with `workers=1` Keras calls `__getitem__` from one thread, in order.

Training is fed as a sequence without an end, and `fit` is told `steps_per_epoch`: then Keras makes one iterator for the
whole run, index `i` is its step `i`, and nothing has to be guessed about epochs. Validation has an end: Keras
begins it anew at 0 each time.
"""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass
from typing import Any

import keras

from seqtrain import console
from seqtrain.loading.batch_form import example_of_another_form
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.tuning import num_samples


@dataclass(frozen=True)
class BatchTiming:
    """A batch that was handed over.

    Args:
        step: The run's.
        samples: In the batch.
        at: When, by `time.perf_counter`.
    """

    step: int
    samples: int
    at: float


class KerasDataset(keras.utils.PyDataset):
    """Hands out the batches of a stream.

    TensorFlow turns an exception into text, so the original is kept for the run to raise.

    Args:
        stream: Where the batches come from.
        model: Says which axes of a batch may vary, where the sequence does not.
    """

    def __init__(self, stream: BatchStream, model: Any) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._model = model
        self._looks = True
        if keras.backend.backend() == "tensorflow":
            stream.reuse_memory()
        self._stream = stream
        self.error: BaseException | None = None

    def on_epoch_begin(self) -> None:
        """From here on Keras reads to train, and no longer to learn the form of a batch."""
        self._looks = False

    def _take(self, position: int, interruptible: bool = True) -> tuple[Any, ...]:
        if not self._looks:
            return self._taken(position, interruptible)
        workers = self._stream.workers
        words = f"starting {workers.count} worker processes" if workers.processes else "loading the first batch"
        with console.status(words):
            return self._taken(position, interruptible)

    def _taken(self, position: int, interruptible: bool) -> tuple[Any, ...]:
        try:
            if self._looks and self._stream.is_kept(position - 1) and self._stream.sequence.spec is None:
                return example_of_another_form(self._stream.take(position - 1).batch, self._model)
            return self._stream.take(position, interruptible).batch
        except BaseException as error:
            self.error = error
            raise


class TrainingDataset(KerasDataset):
    """The training batches, from where the stream begins.

    Args:
        stream: Where the batches come from. What Keras reads ahead beyond its end is the last batch again, and is
            never trained on.
        model: See `KerasDataset`.
        steps_per_execution: Batches in one call of the compiled step, which a stop must not come between.
    """

    num_batches = None

    def __init__(self, stream: BatchStream, model: Any = None, steps_per_execution: int = 1) -> None:
        super().__init__(stream, model)
        self._start = stream.position
        self._steps_per_execution = steps_per_execution
        self._last_batch: tuple[Any, ...] | None = None
        self._handed: collections.deque[BatchTiming] = collections.deque()

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        end, position = self._stream.end, self._start + index
        if end is not None and position >= end and self._last_batch is not None:
            return self._last_batch
        batch = self._take(position, interruptible=index % self._steps_per_execution == 0)
        self._last_batch = batch if end is not None and position == end - 1 else None
        if self._handed and index <= self._handed[-1].step:  # Keras has only looked at what it was handed
            self._handed.clear()
        self._handed.append(BatchTiming(index, num_samples(batch), time.perf_counter()))
        return batch

    def on_epoch_begin(self) -> None:
        """Forgets what Keras has only looked at."""
        if self._looks:
            self._handed.clear()
        super().on_epoch_begin()

    @property
    def has_next_batch(self) -> bool:
        """Whether the batch of the next step was handed over already, so that the step will not wait for data."""
        return bool(self._handed)

    def handed(self, count: int) -> list[BatchTiming]:
        """The next `count` batches that the model has trained on, in the order in which they were handed over."""
        return [self._handed.popleft() for _ in range(min(count, len(self._handed)))]


class ValidationDataset(KerasDataset):
    """The validation batches, the same in every evaluation.

    Args:
        stream: Where the batches come from; its schedule repeats after `num_steps`.
        num_steps: Batches in an evaluation.
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
