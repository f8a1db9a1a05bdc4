"""Keeps the screen for what the command says, and stdout for what scripts read.

Libraries and a user's own code write where they like: TensorFlow and CUDA from C++ past `sys.stderr` (no logging level
silences all of it), a callback with `print`. So the file descriptors themselves are redirected.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_STDOUT, _STDERR = 1, 2


@contextlib.contextmanager
def native_stderr_to(path: Path) -> Iterator[None]:
    """Sends what is written to file descriptor 2 to a file, and leaves `sys.stderr` on the screen."""
    sys.stderr.flush()
    former = sys.stderr
    with _redirected(_STDERR, path) as screen:
        sys.stderr = os.fdopen(screen, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = former


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Sends what is written to stdout to stderr."""
    sys.stdout.flush()
    former = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(former, _STDOUT)
        os.close(former)


@contextlib.contextmanager
def _redirected(descriptor: int, path: Path) -> Iterator[int]:
    """Sends a file descriptor to a file; yields one that goes where it went before."""
    former = os.dup(descriptor)
    with path.open("ab") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        yield former
    finally:
        os.dup2(former, descriptor)
        os.close(former)
