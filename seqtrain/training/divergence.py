"""A loss or a weight that became NaN or infinite: found after the batch that made it so, and named with that batch."""

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
    """Ends a run whose loss is NaN or infinite. Keras logs a mean since the epoch began, so the last batch made it so.

    Args:
        data: Of the run; it names batches.
        progress: How far the run is, before the batch that has just ended.

    Raises:
        DivergedError: out of `fit`, with the batch and its samples.
    """

    def __init__(self, data: Data, progress: Callable[[], Progress]) -> None:
        super().__init__()
        self._data = data
        self._progress = progress
        self._first_validation_batch = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss of training."""
        loss = _loss(logs)
        if not math.isfinite(loss):
            at, batches = self._progress(), len(self._data.train)
            start = at.epoch * self._data.steps_per_epoch
            places = [divmod(start + step, batches) for step in range(at.step, batch + 1)]
            names = " or ".join(describe_batch(self._data.train, *place) for place in places)
            raise DivergedError(f"the loss became {loss} in {names}")

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the first batch of a step, which may be of several."""
        self._first_validation_batch = batch

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss of a validation."""
        loss = _loss(logs)
        if not math.isfinite(loss):
            epoch = self._progress().epoch
            batches = range(self._first_validation_batch, batch + 1)
            names = " or ".join(describe_batch(self._data.val, epoch, each) for each in batches)
            raise DivergedError(f"the validation loss became {loss} in {names}")


def require_finite_weights(model: Any, since: Progress, now: Progress) -> None:
    """Refuses weights that became NaN or infinite behind a loss that hides it.

    Args:
        model: Whose weights.
        since: When they were last saved.
        now: How far the run is.

    Raises:
        DivergedError: with the batches that it lies between.
    """
    keras_private.sync_variables(model)
    if not all(weight.dtype.kind in "iub" or np.isfinite(weight).all() for weight in model.get_weights()):
        first, last = (f"epoch {each.epoch}, batch {each.step}" for each in (since, now))
        raise DivergedError(f"weights became NaN or infinite between {first}, and {last}")


def _loss(logs: dict[str, Any] | None) -> float:
    return float((logs or {}).get("loss", 0.0))
