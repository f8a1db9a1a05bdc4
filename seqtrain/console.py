"""Keeps the terminal for the command's own messages, and stdout for the output that scripts read.

Libraries and user code also write to stdout and stderr: TensorFlow and CUDA write from C++, bypassing `sys.stderr` (no
logging level silences all of it), and a user's callback may call `print`. So the file descriptors are redirected.

Progress goes to stderr in one of three ways: bars on a terminal, plain lines in a pipe or a log file, or nothing. All
code that shows progress calls `display` to know which. A long task without measurable progress has a status line.
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
    """How to show progress on stderr: as `asked`; for `auto`, bars on a terminal that can draw them, else lines.

    Args:
        asked: `auto`, `bar`, `lines` or `none`. Default: the argument of the enclosing `progress_shown_as`.
    """
    asked = asked or _progress.get()
    if asked != "auto":
        return cast(Display, asked)
    return "bar" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "lines"


@contextlib.contextmanager
def progress_shown_as(progress: str) -> Iterator[None]:
    """Sets how progress is shown within the block, as `--progress` says."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


@contextlib.contextmanager
def status(task: str, asked: str | None = None) -> Iterator[None]:
    """Shows a status line for a task that takes more than a second.

    A terminal shows it with the elapsed time until the task is done; a log file gets one line.

    Args:
        task: The task, such as `listing the samples`.
        asked: See `display`.
    """
    shown = display(asked)
    if shown == "none":
        yield
        return
    done = threading.Event()
    arguments = task, shown, sys.stderr, done
    thread = threading.Thread(target=_show_status, args=arguments, name="status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def write_above_bars(text: str) -> None:
    """Writes to stderr, above the progress bars if there are any."""
    if "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr, end="")
    else:
        sys.stderr.write(text)


@contextlib.contextmanager
def native_stderr_to(path: Path) -> Iterator[None]:
    """Redirects file descriptor 2 to a file, while `sys.stderr` still writes to the terminal."""
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
    """Keeps this process running when its terminal or the reader of its stderr is closed; that output is then lost.

    A pipe on stdout is not protected: a script must notice that its reader is gone.
    """
    sys.stderr = _screen(_STDERR)
    if sys.stdout.isatty():
        sys.stdout = _screen(_STDOUT)


@contextlib.contextmanager
def hidden_native_stderr() -> Iterator[None]:
    """Hides what libraries write to file descriptor 2; if an unexpected error is raised, shows its last lines."""
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
    """Makes `sys.stderr` write to file descriptor 2, for libraries that print to both.

    A logging handler that a library creates within the block keeps this stream, so the stream is never closed.
    """
    native = os.fdopen(_STDERR, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    with contextlib.redirect_stderr(native):
        yield


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Redirects stdout to stderr."""
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
    """Redirects stdout to stderr, and discards what libraries write to file descriptor 2."""
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
    """Writes to a file descriptor, and ignores that its terminal or the other end of its pipe was closed."""

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


def _show_status(task: str, shown: Display, stream: TextIO, done: threading.Event) -> None:
    """Waits a second, then shows the status line; runs in a separate thread."""
    if done.wait(PATIENCE_S):
        return
    from tqdm import tqdm

    if shown == "lines":
        tqdm.write(task, file=stream)
        return
    line: tqdm[Any] = tqdm(desc=task, bar_format="{desc} ({elapsed})", leave=False, dynamic_ncols=True, file=stream)
    line.start_t -= PATIENCE_S
    line.refresh()
    while not done.wait(PATIENCE_S):
        line.refresh()
    line.close()
