"""Keeps the screen for what the run says: what libraries write to stderr below Python goes to a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def native_stderr_to(path: Path) -> Iterator[None]:
    """Sends what is written to file descriptor 2 to a file, and leaves `sys.stderr` on the screen.

    TensorFlow and CUDA report their start from C++, past `sys.stderr`; no logging level silences all of it.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    former = sys.stderr
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(screen, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = former
        os.dup2(screen, 2)
        os.close(screen)
