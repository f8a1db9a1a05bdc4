"""Atomic writes of files. No other module knows the temporary names.

A file is written under a temporary name in the same folder, synced to the disk, and renamed. A process that is killed
in between leaves the previous file unchanged, and a temporary file that `is_unfinished` recognises.
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
def atomic_write(path: Path, *, shared: bool = False, durable: bool = True) -> Iterator[BinaryIO]:
    """Opens a temporary file that replaces `path` at the end of the block; if the block raises, it is removed.

    Args:
        path: The file.
        shared: Whether other processes may write the same file at the same time.
        durable: Whether to sync it, so that it survives a power cut; not needed for files such as plots.

    Raises:
        OSError: when it cannot be written, as on a full disk; the previous file is unchanged.
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
    """Writes a text file atomically; bytes of file names that are not UTF-8 are kept (`surrogateescape`)."""
    with atomic_write(path) as file:
        file.write(text.encode(errors="surrogateescape"))


def write_json(path: Path, document: Any, indent: int | None = 2) -> None:
    """Writes a JSON file atomically."""
    write_text(path, json.dumps(document, indent=indent) + "\n")


def is_unfinished(path: Path) -> bool:
    """Whether a file is the temporary file of a process that was killed while writing."""
    return path.match(_UNFINISHED.format("*"))


def sync_folder(folder: Path) -> None:
    """Syncs the entries of a folder, if the file system supports it, so that renames survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


def partial(path: Path) -> Path:
    """The name that an output such as predictions has until it is complete; users may open it before."""
    return path.with_name(f"{path.name}.partial")
