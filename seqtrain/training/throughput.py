"""Measures samples per second, and the share of the time that the model waits for data.

For each step two times are compared: when the model finished the previous step, and when the loader returned the batch.
If the batch came later, the difference is waiting time. (TensorFlow fetches a batch inside the step, so the gap between
steps does not show it.) The first step of a run compiles the graph before it fetches, and is not counted.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import keras

from seqtrain.loading.tuning import num_cores

_SLOW_LOADING = 0.2
log = logging.getLogger("seqtrain")


class Throughput(keras.callbacks.Callback):
    """Adds `samples_per_s` and `data_wait` (a share of the time, 0 to 1) to the logs of each batch and each epoch.

    Args:
        dataset: The dataset of the run, which records when it returned each batch.
        num_workers: The number of workers, for the advice if the model waits for more than a fifth of an epoch.
    """

    def __init__(self, dataset: Any, num_workers: int) -> None:
        super().__init__()
        self._dataset = dataset
        self._num_workers = num_workers
        self._warned = False
        self._compiled = False
        self._first_batch = 0
        self.restart()

    def restart(self) -> None:
        """Starts counting again."""
        self._waited = self._samples = self._trained_s = 0.0
        self._began = self._model_free = time.perf_counter()

    def measured(self) -> dict[str, float]:
        """`samples_per_s` and `data_wait` since the last `restart`."""
        seconds = self._trained_s or 1.0
        return {
            "samples_per_s": round(self._samples / seconds, 1),
            "data_wait": round(min(self._waited / seconds, 1.0), 4),
        }

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts counting."""
        self.restart()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Records the first batch of a step."""
        self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the step's samples and waiting time; adds the values of the epoch so far to the logs."""
        timings = self._dataset.take_timings(batch - self._first_batch + 1)
        self._samples += sum(each.samples for each in timings)
        if self._compiled:
            self._waited += max(0.0, *(each.at - self._model_free for each in timings), 0.0)
        self._compiled = True
        self._model_free = time.perf_counter()
        self._trained_s = self._model_free - self._began
        if logs is not None:
            logs.update(self.measured())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds the values to the logs; warns once about slow loading, but not after the first epoch."""
        measured = self.measured()
        wait = measured["data_wait"]
        if logs is not None:
            logs.update(measured)
        if wait > _SLOW_LOADING and epoch > 0 and not self._warned:
            self._warned = True
            log.warning("the model waited for data in %.0f %% of epoch %d: %s", 100 * wait, epoch + 1, self._advice())

    def _advice(self) -> str:
        if self._num_workers < num_cores():
            return f"try -s fit.workers={num_cores()}"
        return "see what takes the time with `seqtrain profile`"
