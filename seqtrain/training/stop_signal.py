"""Stops a run, so that it can be resumed, on SIGINT, SIGTERM or SIGHUP, or when its time is over.

While the main thread waits for data inside TensorFlow, Python runs no signal handlers. So signals wake a separate
thread (`signal.set_wakeup_fd`), which interrupts the loader; the run ends after the current batch. A second signal ends
the process at once, with two exceptions: SIGHUP, which both the kernel and the shell send when a terminal is closed;
and a signal right after the first one, since a wrapper script passes on a Ctrl-C that the whole process group has
received, and timeout(1) sends SIGTERM to its child and to the process group.

A signal that was ignored when the process started, as SIGHUP under `nohup`, stays ignored.

Source: Python's documentation of `signal.set_wakeup_fd`; the exit code of a run out of time is that of timeout(1).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from seqtrain.errors import InterruptedRunError, OutOfTimeError, SeqtrainError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REPEATED_SIGNAL_S = 0.5


class StopSignal:
    """A context manager that waits for a reason to stop; `check`, called between batches, raises it.

    Args:
        deadline: The time at which to stop, by `time.monotonic`.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._reason: SeqtrainError | None = None
        self._listeners: list[Callable[[SeqtrainError], None]] = []
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[SeqtrainError], None]) -> None:
        """Registers a function to be called with the reason to stop: from another thread, or at once."""
        with self._lock:
            self._listeners.append(listener)
            reason = self._reason
        if reason is not None:
            listener(reason)

    def forget_listeners(self) -> None:
        """Unregisters all listeners."""
        with self._lock:
            self._listeners.clear()

    def __enter__(self) -> StopSignal:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._former_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._former: dict[int, Any] = {}
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, lambda number, frame: None)
        self._thread = threading.Thread(target=self._watch, name="seqtrain-stops", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._former_wakeup)
        for number, handler in self._former.items():
            signal.signal(number, handler)
        os.close(self._write)
        self._thread.join()
        os.close(self._read)

    def check(self) -> None:
        """Raises the reason to stop, if there is one.

        Raises:
            InterruptedRunError: when a signal has arrived.
            OutOfTimeError: when the time is over.
        """
        if self._reason is not None:
            raise self._reason

    def _watch(self) -> None:
        deadline, stopped_at = self._deadline, 0.0
        while True:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._read], [], [], wait)[0]:
                deadline = None
                self._stop(OutOfTimeError())
                continue
            numbers = os.read(self._read, 64)
            if not numbers:
                return
            for number in numbers:
                if number not in self._former or (number == signal.SIGHUP and self._reason is not None):
                    continue
                if not isinstance(self._reason, InterruptedRunError):
                    stopped_at = time.monotonic()
                    self._stop(InterruptedRunError(number))
                elif time.monotonic() - stopped_at > _REPEATED_SIGNAL_S:
                    os._exit(128 + number)

    def _stop(self, reason: SeqtrainError) -> None:
        with self._lock:
            self._reason = reason
            listeners = list(self._listeners)
        for listener in listeners:
            with contextlib.suppress(Exception):
                listener(reason)
