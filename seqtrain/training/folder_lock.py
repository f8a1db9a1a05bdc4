"""A lock on a run folder, which the kernel releases when the process that holds it ends, for whatever reason.

The lock file names the process that holds the lock. It is never removed: otherwise, a process that had opened the old
file and a process that creates a new one could both hold a lock.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import platform
import re
import time
from pathlib import Path

from seqtrain.errors import RunFolderBusyError

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_LONGEST_WAIT_S = 1.0
log = logging.getLogger("seqtrain")


class FolderLock:
    """A lock on a folder, held until `close` or the end of this process.

    Args:
        path: The lock file; created if it does not exist.

    Raises:
        RunFolderBusyError: when another process holds it.
        OSError: when the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._take(path)
            holder = f"host {platform.node()}, process {os.getpid()}\n".encode()
            os.pwrite(self._descriptor, holder, 0)
            os.ftruncate(self._descriptor, len(holder))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Unlocks the folder."""
        os.close(self._descriptor)

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunFolderBusyError(
                "another process uses this run folder", where=path.parent, received=_holder(self._descriptor)
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            log.warning(
                "%s: the file system has no locks (%s); see to it that no other run is started in this folder",
                path.parent,
                error.strerror,
            )


def _holder(descriptor: int) -> str:
    """The process that holds the lock, as text; waits up to a second if the process has not written its name yet."""
    end = time.monotonic() + _LONGEST_WAIT_S
    while True:
        text = os.pread(descriptor, 200, 0).partition(b"\n")[0].decode(errors="replace")
        if (text and not _is_gone(text)) or time.monotonic() > end:
            return text or "a holder that does not say who it is"
        time.sleep(0.01)


def _is_gone(holder: str) -> bool:
    """Whether the named process ran on this machine and has ended, so that the text is outdated."""
    match = re.fullmatch(r"host (.*), process (\d+)", holder)
    if match is None or match[1] != platform.node():
        return False
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
