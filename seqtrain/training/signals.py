"""Ends a run after the batch in which SIGINT or SIGTERM arrived; a second signal ends it at once."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Any

import keras

from seqtrain.errors import InterruptedRunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalStop(keras.callbacks.Callback):
    """While entered, remembers a signal; as a callback, raises it after the batch.

    Raises:
        InterruptedRunError: out of `fit`, when a signal has arrived.
    """

    def __init__(self) -> None:
        super().__init__()
        self._received: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> SignalStop:
        self._former = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._received is not None:
            os._exit(128 + number)
        self._received = number

    def check(self) -> None:
        """Raises when a signal has arrived."""
        if self._received is not None:
            raise InterruptedRunError(self._received)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Checks between training batches."""
        self.check()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Checks between validation batches."""
        self.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Checks between epochs."""
        self.check()
