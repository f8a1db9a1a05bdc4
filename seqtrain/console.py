"""Keeps the screen for what the command says, and stdout for what scripts read.

Libraries and a user's own code write where they like: TensorFlow and CUDA from C++ past `sys.stderr` (no logging level
silences all of it), a callback with `print`. So the file descriptors themselves are redirected.

Progress goes to stderr in one of three ways, which all who show any ask for here: bars on a terminal, plain lines in a
pipe or a log, or nothing. What takes long and has no progress to show has a status line.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TextIO, cast

from seqtrain.errors import SeqtrainError

Display = Literal["bar", "lines", "none"]
_progress: ContextVar[str] = ContextVar("progress", default="auto")
_STDOUT, _STDERR = 1, 2
PATIENCE_S = 1.0
_LAST_LINES = 20


def display(asked: str | None = None) -> Display:
    """How progress is shown on stderr: as asked for, else bars on a terminal that can draw them, and lines elsewhere.

    Args:
        asked: `auto`, `bar`, `lines` or `none`; by default what `progress_shown_as` was given.
    """
    asked = asked or _progress.get()
    if asked != "auto":
        return cast(Display, asked)
    return "bar" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "lines"


@contextlib.contextmanager
def progress_shown_as(progress: str) -> Iterator[None]:
    """Shows progress within the block as `--progress` asks for."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


@contextlib.contextmanager
def status(words: str, asked: str | None = None) -> Iterator[None]:
    """Shows what is being done where it takes more than a second.

    A terminal shows it, with the time that has passed, until it is done; a log gets one line.

    Args:
        words: Such as `listing the samples`.
        asked: See `display`.
    """
    shown = display(asked)
    if shown == "none":
        yield
        return
    done = threading.Event()
    arguments = words, shown, sys.stderr, done
    thread = threading.Thread(target=_show_status, args=arguments, name="status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def write_above_bars(text: str) -> None:
    """Writes to the current stderr, above progress bars."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr, end="")
    else:
        sys.stderr.write(text)


@contextlib.contextmanager
def native_stderr_to(path: Path) -> Iterator[None]:
    """Sends what is written to file descriptor 2 to a file, and leaves `sys.stderr` on the screen."""
    sys.stderr.flush()
    former = sys.stderr
    with _redirected(_STDERR, path) as screen:
        sys.stderr = _screen(screen)
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stderr = former


def outlive_terminal() -> None:
    """Keeps this process running when its terminal, or the reader of its stderr, is gone: their output is then lost.

    Stdout in a pipe is for scripts, which must know that nobody reads it.
    """
    sys.stderr = _screen(_STDERR)
    if sys.stdout.isatty():
        sys.stdout = _screen(_STDOUT)


@contextlib.contextmanager
def native_stderr_aside() -> Iterator[None]:
    """Keeps what is written to file descriptor 2 off the screen; its last lines are shown after an unexpected error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stderr")
        try:
            with native_stderr_to(path):
                yield
        except (SeqtrainError, KeyboardInterrupt, BrokenPipeError):
            raise
        except Exception:
            for line in path.read_text(errors="backslashreplace").splitlines()[-_LAST_LINES:]:
                sys.stderr.write(f"{line}\n")
            raise


@contextlib.contextmanager
def python_stderr_to_native() -> Iterator[None]:
    """Sends what Python writes to `sys.stderr` to file descriptor 2: for libraries that print on both.

    A handler that a library makes meanwhile keeps this stream, so it is never closed.
    """
    native = os.fdopen(_STDERR, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    with contextlib.redirect_stderr(native):
        yield


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
def quiet() -> Iterator[None]:
    """Keeps stdout for scripts, and discards what libraries write to file descriptor 2."""
    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        yield


@contextlib.contextmanager
def _redirected(descriptor: int, path: Path) -> Iterator[int]:
    """Redirects a file descriptor to a file; yields a copy of the original one."""
    former = os.dup(descriptor)
    with path.open("ab") as file:
        os.dup2(file.fileno(), descriptor)
    try:
        yield former
    finally:
        os.dup2(former, descriptor)
        os.close(former)


class _Screen(io.FileIO):
    """A file descriptor whose terminal, or the other end of whose pipe, may be closed."""

    def write(self, content: Any) -> int:
        try:
            return super().write(content)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE):
                raise
            return memoryview(content).nbytes


def _screen(descriptor: int) -> TextIO:
    raw = io.BufferedWriter(_Screen(descriptor, "w", closefd=False))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _show_status(words: str, shown: Display, stream: TextIO, done: threading.Event) -> None:
    """Waits a second, then shows the words; runs in a thread of its own."""
    if done.wait(PATIENCE_S):
        return
    from tqdm import tqdm

    if shown == "lines":
        tqdm.write(words, file=stream)
        return
    line: tqdm[Any] = tqdm(desc=words, bar_format="{desc} ({elapsed})", leave=False, dynamic_ncols=True, file=stream)
    line.start_t -= PATIENCE_S
    line.refresh()
    while not done.wait(PATIENCE_S):
        line.refresh()
    line.close()
