"""Redraws the curves of a run while it trains, in a separate process.

The process has the lowest priority and draws after an epoch. It uses about a second of CPU time. After a drawing that
took t seconds, the next one starts at least 20 t seconds later, so that runs with many short epochs are not slowed
down. A failure is logged once; at the end of the run the curves are drawn in any case.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

_PAUSE_FACTOR = 20
_FIRST_GUESS_S = 1.0
log = logging.getLogger("seqtrain")


class BackgroundPlotter(keras.callbacks.Callback):
    """Starts drawing after an epoch, if the last drawing is finished and was long enough ago.

    Args:
        run_dir: The run folder; its history must be written before.
        clock: Returns the time in seconds, monotonically.
    """

    def __init__(self, run_dir: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._run_dir = run_dir
        self.process: subprocess.Popen[bytes] | None = None
        self._clock = clock
        self._began = clock()
        self._took_s = _FIRST_GUESS_S
        self._has_failed = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Checks the result of the last drawing, and starts another if it is time."""
        now = self._clock()
        if self.process is not None and self.process.poll() is not None:
            self._check_result(self.process)
            self.process = None
        if self.process is None and not self._has_failed and now - self._began >= _PAUSE_FACTOR * self._took_s:
            self._began = now
            self._begin()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Records how long a drawing takes."""
        if self.process is not None and self.process.poll() is None:
            self._took_s = max(_FIRST_GUESS_S, self._clock() - self._began)

    def on_train_end(self, logs: Any = None) -> None:
        """Stops a running drawing process: the curves are drawn again at the end of the run."""
        self.close()

    def close(self) -> None:
        """Stops a running drawing process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _begin(self) -> None:
        command = [sys.executable, "-m", "seqtrain.reports.curves", str(self._run_dir)]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C must only stop the run
            )
        except OSError as error:
            self._log_failure(str(error))

    def _check_result(self, process: subprocess.Popen[bytes]) -> None:
        lines = process.communicate()[1].decode(errors="replace").strip().splitlines()
        if process.returncode:
            self._log_failure(lines[-1] if lines else f"exit code {process.returncode}")

    def _log_failure(self, reason: str) -> None:
        self._has_failed = True
        log.warning("the plots are not renewed while the run trains, but at its end: %s", reason)
