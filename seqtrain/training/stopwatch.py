"""Times a short `fit` after its graph is compiled."""

from __future__ import annotations

import sys
import time
from typing import Any

import keras

from seqtrain.loading.keras_dataset import BatchTiming, TrainingDataset, shapes_of, tf_dataset
from seqtrain.structure import named_leaves, num_samples
from seqtrain.training.throughput import Throughput

_WARM_UP_STEPS = 5


class SameBatch(keras.utils.PyDataset):
    """Repeats one batch without end, so that loading takes no time.

    Args:
        batch: The batch.
    """

    num_batches = None

    def __init__(self, batch: tuple[Any, ...]) -> None:
        super().__init__()
        self._batch = batch

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self._batch

    def for_fit(self) -> Any:
        """See `KerasDataset.for_fit`."""
        if keras.backend.backend() != "tensorflow":
            return self
        arrays = [array for _, array in named_leaves(self._batch)]
        return tf_dataset(lambda index: arrays, self._batch, shapes_of(self._batch), None)

    def take_timings(self, count: int) -> list[BatchTiming]:
        """Timings as if each batch had been available at once."""
        return [BatchTiming(0, num_samples(self._batch), 0.0)] * count


def timed_fit(model: Any, dataset: TrainingDataset | SameBatch, seconds: float) -> dict[str, float]:
    """Trains for about `seconds` seconds, after a few warm-up steps.

    Returns:
        `samples_per_s` and `data_wait`, as in `Throughput`.
    """
    throughput = Throughput(dataset, sys.maxsize)
    stop = _StopAfter(throughput, seconds)
    model.fit(dataset.for_fit(), steps_per_epoch=sys.maxsize, verbose=0, shuffle=False, callbacks=[throughput, stop])
    keras.ops.convert_to_numpy(model.trainable_variables[0])  # waits for the device
    return throughput.measured()


class _StopAfter(keras.callbacks.Callback):
    def __init__(self, throughput: Throughput, seconds: float) -> None:
        super().__init__()
        self._throughput = throughput
        self._seconds = seconds
        self._deadline = 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch + 1 == _WARM_UP_STEPS:
            self._throughput.restart()
            self._deadline = time.perf_counter() + self._seconds
        elif self._deadline and time.perf_counter() > self._deadline:
            self.model.stop_training = True
