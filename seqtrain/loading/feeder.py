"""What `fit` is given: a `keras.utils.Sequence` that hands out the stream's batches.

Keras's own workers are never used: with `workers=1` Keras calls `__getitem__` from one thread, in order.

Training is fed as a sequence without an end, and `fit` is told `steps_per_epoch`: then Keras makes one iterator for the
whole run, index `i` is the run's step `i`, and nothing has to be guessed about epochs. Validation has an end: Keras
begins it anew at 0 each time.
"""

from __future__ import annotations

from typing import Any

import keras

from seqtrain.loading.stream import BatchStream


class TrainingFeeder(keras.utils.PyDataset):
    """The training batches by the run's step.

    Args:
        stream: Where the batches come from. What Keras reads ahead beyond its end is the last batch again, and is
            never trained on.
    """

    num_batches = None

    def __init__(self, stream: BatchStream) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        if keras.backend.backend() == "tensorflow":
            stream.reuse_memory()
        self._stream = stream
        self._last_batch: tuple[Any, ...] | None = None
        self.error: BaseException | None = None

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        end = self._stream.end
        if end is not None and index >= end and self._last_batch is not None:
            return self._last_batch
        self._last_batch = _take(self, self._stream, index)
        return self._last_batch


class ValidationFeeder(keras.utils.PyDataset):
    """The validation batches, the same in every evaluation.

    Args:
        stream: Where the batches come from; its schedule repeats after `num_steps`.
        num_steps: Batches in an evaluation.
    """

    def __init__(self, stream: BatchStream, num_steps: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        if keras.backend.backend() == "tensorflow":
            stream.reuse_memory()
        self._stream = stream
        self._num_steps = num_steps
        self.error: BaseException | None = None

    @property
    def num_batches(self) -> int:
        """Batches in an evaluation."""
        return self._num_steps

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if self._stream.is_kept(index):
            return _take(self, self._stream, index)
        taken = self._stream.position
        return _take(self, self._stream, taken + (index - taken) % self._num_steps)


def _take(feeder: TrainingFeeder | ValidationFeeder, stream: BatchStream, position: int) -> tuple[Any, ...]:
    """Takes a batch. TensorFlow turns an exception here into text, so the original is kept for the run to raise."""
    try:
        return stream.take(position).batch
    except BaseException as error:
        feeder.error = error
        raise
