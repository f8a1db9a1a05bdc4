"""Writes train.log: every message of a run with its time, including those logged before the run folder exists."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

log = logging.getLogger("seqtrain")


@contextlib.contextmanager
def early_messages() -> Iterator[MemoryHandler]:
    """Buffers messages until the log file exists."""
    buffer = MemoryHandler(1000, flushLevel=logging.CRITICAL + 1)
    log.addHandler(buffer)
    try:
        yield buffer
    finally:
        log.removeHandler(buffer)


@contextlib.contextmanager
def log_to(path: Path, early: MemoryHandler) -> Iterator[None]:
    """Writes every message to a file, and at the end the error that ended the run, with its traceback.

    Args:
        path: The file.
        early: The buffered messages.
    """
    logging.raiseExceptions = False  # a full disk is reported once, not with each message
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    early.setTarget(handler)
    early.flush()
    log.removeHandler(early)
    log.addHandler(handler)
    log.debug("command: %s", " ".join(sys.argv))
    try:
        yield
    except BaseException as error:
        log.debug("ended by %s: %s", type(error).__name__, error, exc_info=True)
        raise
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):  # a failed write fails again on close
            handler.close()


@contextlib.contextmanager
def warnings_logged() -> Iterator[None]:
    """Logs Python's warnings as one line each, so that they appear above the bars and in the file."""
    former = warnings.showwarning

    def show(
        message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        log.warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = former
