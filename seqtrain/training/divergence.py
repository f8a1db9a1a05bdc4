"""Detects a NaN or infinite loss or weight, and names the batch that caused it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from seqtrain import keras_private
from seqtrain.errors import DivergedError
from seqtrain.loading.batch_errors import describe_batch
from seqtrain.loading.pipeline import Data
from seqtrain.training.progress import Progress


class LossCheck(keras.callbacks.Callback):
    """Ends a run whose loss is NaN or infinite.

    Keras logs the running mean of an epoch, so the first batch after which it is not finite is the cause.

    Args:
        data: The run's data, to describe the batch.
        progress: Returns the run's progress before the batch that has just ended.

    Raises:
        DivergedError: from `fit`, with the batch and its samples.
    """

    def __init__(self, data: Data, progress: Callable[[], Progress]) -> None:
        super().__init__()
        self._data = data
        self._progress = progress
        self._first_validation_batch = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the training loss."""
        loss = _loss(logs)
        if not math.isfinite(loss):
            at, batches = self._progress(), len(self._data.train)
            start = at.epoch * self._data.steps_per_epoch
            places = [divmod(start + step, batches) for step in range(at.step, batch + 1)]
            names = " or ".join(describe_batch(self._data.train, *place) for place in places)
            raise DivergedError(f"the loss became {loss} in {names}")

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the first batch of a step, which may have several."""
        self._first_validation_batch = batch

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the validation loss."""
        loss = _loss(logs)
        if not math.isfinite(loss):
            epoch = self._progress().epoch
            batches = range(self._first_validation_batch, batch + 1)
            names = " or ".join(describe_batch(self._data.val, epoch, each) for each in batches)
            raise DivergedError(f"the validation loss became {loss} in {names}")


def require_finite_weights(model: Any, since: Progress, now: Progress) -> None:
    """Checks that no weight is NaN or infinite, since the loss may still be finite.

    Args:
        model: The model.
        since: The run's progress at the last checkpoint.
        now: The run's current progress.

    Raises:
        DivergedError: with the batches between which it happened.
    """
    keras_private.sync_variables(model)
    if not all(weight.dtype.kind in "iub" or np.isfinite(weight).all() for weight in model.get_weights()):
        first, last = (f"epoch {each.epoch}, batch {each.step}" for each in (since, now))
        raise DivergedError(f"weights became NaN or infinite between {first}, and {last}")


def _loss(logs: dict[str, Any] | None) -> float:
    return float((logs or {}).get("loss", 0.0))
