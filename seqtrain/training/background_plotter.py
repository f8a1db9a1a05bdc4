"""Redraws the curves of a run while it trains, in a process of its own.

The process, of the lowest priority, draws after an epoch. It costs about a second of a processor, so one is begun at
most every twenty times the time that the last has taken: a run of many short epochs is not slowed by more than the
processor's idle time. A failure is logged once; the end of the run draws them in any case.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras

_TIMES = 20
_FIRST_GUESS_S = 1.0
log = logging.getLogger("seqtrain")


class BackgroundPlotter(keras.callbacks.Callback):
    """Starts drawing after an epoch, if the last drawing is done and was long enough ago.

    Args:
        run_dir: The run folder, whose history is written before.
    """

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self._run_dir = run_dir
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.monotonic()
        self._took_s = _FIRST_GUESS_S
        self._has_failed = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Collects the last drawing's outcome, and perhaps starts another."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._judge(self._process)
            self._process = None
        if self._process is None and not self._has_failed and now - self._began >= _TIMES * self._took_s:
            self._began = now
            self._begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes how long a drawing takes."""
        if self._process is not None and self._process.poll() is None:
            self._took_s = max(_FIRST_GUESS_S, time.monotonic() - self._began)

    def on_train_end(self, logs: Any = None) -> None:
        """Ends a drawing that is under way: the end of the run draws anew."""
        self.close()

    def close(self) -> None:
        """Ends a drawing that is under way."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _begin(self) -> None:
        command = [sys.executable, "-m", "seqtrain.reports.curves", str(self._run_dir)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the run
            )
        except OSError as error:
            self._log_failure(str(error))

    def _judge(self, process: subprocess.Popen[bytes]) -> None:
        words = process.communicate()[1].decode(errors="replace").strip().splitlines()
        if process.returncode:
            self._log_failure(words[-1] if words else f"exit code {process.returncode}")

    def _log_failure(self, reason: str) -> None:
        self._has_failed = True
        log.warning("the plots are not renewed while the run trains, but at its end: %s", reason)
