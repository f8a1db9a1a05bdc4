"""Files that appear whole or not at all: the only place that knows what they are called until then.

A file is written beside its place under another name, flushed to the disk, and renamed. Who is killed in between leaves
the former file as it was, and a leftover that `is_unfinished` knows.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_UNFINISHED = ".{}.unfinished"


@contextlib.contextmanager
def written_whole(path: Path, *, shared: bool = False, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` at the end of the block; where that raises, it is removed.

    Args:
        path: Of the file.
        shared: Whether other processes may write the same file at the same time.
        durable: Whether it must survive a power cut; not what can be made anew, such as plots.

    Raises:
        OSError: when it cannot be written, as on a full disk; what was there before is untouched.
    """
    unfinished = path.with_name(_UNFINISHED.format(f"{path.name}.{os.getpid()}" if shared else path.name))
    try:
        with unfinished.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all; bytes of file names that are no UTF-8 stay as they are."""
    with written_whole(path) as file:
        file.write(text.encode(errors="surrogateescape"))


def write_json(path: Path, document: Any, indent: int | None = 2) -> None:
    """Writes a JSON file whole or not at all."""
    write_text(path, json.dumps(document, indent=indent) + "\n")


def is_unfinished(path: Path) -> bool:
    """Whether a file was being written by a process that was killed."""
    return path.match(_UNFINISHED.format("*"))


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut, where its file system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


def partial(path: Path) -> Path:
    """What a long output, such as predictions, is called until it is whole: a name that people see and may open."""
    return path.with_name(f"{path.name}.partial")
