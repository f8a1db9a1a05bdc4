"""Faults at a given moment of training: killed, stopped by a signal, held up.

{"moment": {"at": "test_batch_end", "epoch": 2, "batch": 1, "do": "SIGKILL"}}
{"moment": {"at": "train_batch_end", "epoch": 2, "batch": 1, "do": "wait", "until": FILE, "marker": FILE}}
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import keras

from tests.faults.environment import BEGINS, fault

_SECONDS_A_BATCH = 0.03
_LONGEST_WAIT_S = 180.0


class FaultyCallback(keras.callbacks.Callback):
    """Slows training down, and does what the fault says at its moment.

    It keeps nothing in checkpoints, so that a run with it and one without are the same run.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._moment: dict[str, Any] = fault("moment") or {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to load."""

    def on_train_begin(self, logs: Any = None) -> None:
        print(BEGINS, file=sys.stderr, flush=True)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._at("epoch_begin")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._at("train_batch_begin", batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(_SECONDS_A_BATCH)
        self._at("train_batch_end", batch)

    def on_test_begin(self, logs: Any = None) -> None:
        self._at("test_begin")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        time.sleep(_SECONDS_A_BATCH)
        self._at("test_batch_end", batch)

    def on_test_end(self, logs: Any = None) -> None:
        self._at("test_end")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._at("epoch_end")

    def on_train_end(self, logs: Any = None) -> None:
        self._at("train_end")

    def _at(self, name: str, batch: int | None = None) -> None:
        moment = self._moment
        if moment.get("at") != name or moment.get("epoch", self._epoch) != self._epoch:
            return
        if batch is not None and moment.get("batch", batch) != batch:
            return
        if moment["do"] == "wait":
            self._wait(Path(moment["until"]), Path(moment["marker"]))
        else:
            os.kill(os.getpid(), getattr(signal, moment["do"]))

    def _wait(self, until: Path, marker: Path) -> None:
        marker.touch()
        end = time.monotonic() + _LONGEST_WAIT_S
        while not until.exists() and time.monotonic() < end:
            time.sleep(0.05)
