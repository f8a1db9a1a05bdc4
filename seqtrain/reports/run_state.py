"""How a run stands: whether it trains, how it has ended, and why, as its folder tells.

    result.json there      what it says: completed, early_stopped, interrupted or max_time
    its lock is held       training; a run that goes on has no result any more
    the log says why       diverged, failed or interrupted
    none of these          killed: its process is gone without a word

The lock is asked only where there is no result, by taking it shared for an instant: no folder that a finished run lies
in is touched, and a run that is being started is disturbed only in that very instant.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOCK = ".seqtrain.lock"
_LOG_END = 1 << 16  # bytes; a traceback of TensorFlow's has some thousand
_BEGUN = re.compile(r"^\S+ \S+ DEBUG command: ", re.MULTILINE)
_ENDED = re.compile(r"^\S+ \S+ DEBUG ended by (\w+): (.*(?:\n  .*)*)", re.MULTILINE)
_BY_ERROR = {"DivergedError": "diverged", "KeyboardInterrupt": "interrupted"}


@dataclass(frozen=True)
class RunState:
    """How a run stands.

    Args:
        status: One word: training, completed, early_stopped, interrupted, max_time, diverged, failed or killed.
        told: Who trains it, or the error that ended it.
    """

    status: str
    told: str = ""

    @property
    def words(self) -> str:
        """The status for people."""
        return {"max_time": "out of time"}.get(self.status, self.status.replace("_", " "))


def run_state(folder: Path, result: Mapping[str, Any] | None) -> RunState:
    """How the run in a folder stands.

    Args:
        folder: The run folder.
        result: What its result.json holds; None where there is none.
    """
    if result is not None:
        return RunState(str(result["status"]))
    holder = lock_holder(folder)
    if holder is not None:
        return RunState("training", holder)
    error = _error_of(log_end(folder))
    return (
        RunState("killed") if error is None else RunState(_BY_ERROR.get(error[0], "failed"), f"{error[0]}: {error[1]}")
    )


def lock_holder(folder: Path) -> str | None:
    """Who holds the folder's lock, in the words of the lock; None where nobody does."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        holder = os.pread(descriptor, 200, 0).partition(b"\n")[0].decode(errors="replace")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder or "a process that does not say who it is"
        except OSError:  # a file system without locks
            return holder if _lives_here(holder) else None
        return None
    finally:
        os.close(descriptor)


def log_end(folder: Path) -> str:
    """The last of train.log: what was said since the last start, as far as it is near the end."""
    text = ""
    with contextlib.suppress(OSError), (folder / "train.log").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_END))
        text = file.read().decode(errors="replace")
    starts = [match.start() for match in _BEGUN.finditer(text)]
    return text[starts[-1] :] if starts else text


def _error_of(log: str) -> tuple[str, str] | None:
    """The kind and the words of the error that ended the run."""
    found = _ENDED.findall(log)
    return found[-1] if found else None


def _lives_here(holder: str) -> bool:
    match = re.fullmatch(r"host (.*), process (\d+)", holder)
    return match is not None and match[1] == platform.node() and Path("/proc", match[2]).exists()
