"""Memory that processes share: anonymous files, mapped by whoever knows their path.

On Linux such a file lives in memory (`memfd_create`) and counts against no mounted file system, so that a container's
small `/dev/shm` does not matter; other processes of the user open it under `/proc`. Elsewhere it is a temporary file.

Source: Linux manual pages memfd_create(2) and proc(5).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from pathlib import Path

from seqtrain.errors import ResourceError


class SharedFile:
    """A file in memory that grows and is gone when it is closed or its process ends.

    Args:
        size: Bytes; more come with `grow`.

    Raises:
        ResourceError: when there is no memory, or no file descriptor left.
    """

    def __init__(self, size: int) -> None:
        self._temporary: Path | None = None
        try:
            if hasattr(os, "memfd_create"):
                self._descriptor = os.memfd_create("seqtrain", os.MFD_CLOEXEC)
                self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
            else:
                self._descriptor, self.path = tempfile.mkstemp(prefix="seqtrain-")
                self._temporary = Path(self.path)
            os.ftruncate(self._descriptor, max(1, size))
        except OSError as error:
            raise ResourceError(f"no memory to share with worker processes: {error.strerror}") from error
        self.size = max(1, size)

    def map(self) -> mmap.mmap:
        """The whole file as it is now, readable and writable."""
        self.size = os.fstat(self._descriptor).st_size
        return mmap.mmap(self._descriptor, self.size)

    def close(self) -> None:
        """Gives the file up; what is mapped stays until its last user lets go of it."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)


def map_shared(path: str, size: int, *, private: bool = False) -> mmap.mmap:
    """Maps another process's shared file, made longer first if need be.

    Args:
        path: Its path.
        size: How many bytes are needed.
        private: Whether what is written stays in this process, page by page.
    """
    descriptor = os.open(path, os.O_RDWR)
    try:
        length = os.fstat(descriptor).st_size
        if length < size:
            os.ftruncate(descriptor, size)
            length = size
        return mmap.mmap(descriptor, length, access=mmap.ACCESS_COPY if private else mmap.ACCESS_WRITE)
    finally:
        os.close(descriptor)
