"""Checks the disk of a folder: free space, the speed of synced writes, and whether file locks work.

A checkpoint is synced before it replaces the previous one, so a disk that takes seconds to sync slows down every epoch;
and a run folder is locked, so that two runs never write to the same folder.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from seqtrain.doctor.finding import Finding, judged
from seqtrain.errors import RunFolderBusyError
from seqtrain.text import memory_size
from seqtrain.training.folder_lock import FolderLock

_TOO_LITTLE = 100 * 2**20
_LITTLE = 2 * 2**30
_FEW_FILES = 1000
_SLOW_SYNC_S = 0.2
_NUM_SYNCS = 5
_LARGE_BYTES = 8 * 2**20
_IN_MEMORY = ("tmpfs", "ramfs")


def disk(name: str, path: Path, setting: str) -> Iterator[Finding]:
    """Checks a disk by writing to a temporary folder in `path`, or in its nearest existing parent.

    Args:
        name: What the folder is for.
        path: The folder, which need not exist and is not created.
        setting: The option that chooses another folder, for the fixes: "--run-dir DIR".
    """
    folder = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".seqtrain-doctor-", dir=folder) as own:
            yield of_room(name, setting, folder, shutil.disk_usage(own).free, os.statvfs(own).f_favail)
            yield of_kind(name, setting, file_system(folder))
            yield of_syncs(name, setting, *_sync_times(Path(own, "synced")))
            yield _lock(name, setting, Path(own, "lock"))
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror}"
        yield Finding("disk", name, "problem", message, f"name another place: {setting}")


def of_room(name: str, setting: str, folder: Path, free: int, free_files: int) -> Finding:
    """Checks the free space.

    Args:
        name: What the folder is for.
        setting: What names another.
        folder: The folder.
        free: Bytes.
        free_files: How many files more there may be; 0 where the file system does not count them.
    """
    has_few_files = 0 < free_files < _FEW_FILES
    message = f"{memory_size(free)} free in {folder}"
    message += f", and room for {free_files} files more" if has_few_files else ""
    fix = f"free the disk (`du -xh {folder} | sort -h | tail`), or name another: {setting}"
    return judged("disk", name, message, fix, problem=free < _TOO_LITTLE, warning=free < _LITTLE or has_few_files)


def of_kind(name: str, setting: str, kind: str) -> Finding:
    """Checks the kind of file system: whether files survive a reboot."""
    is_in_memory = kind in _IN_MEMORY
    message = f"{kind}: in memory, gone when the machine restarts" if is_in_memory else kind
    return judged("disk", f"{name}: kind", message, f"name a folder on a disk: {setting}", warning=is_in_memory)


def of_syncs(name: str, setting: str, sync_s: float, bytes_per_s: float) -> Finding:
    """Checks the speed of synced writes.

    Args:
        name: What the folder is for.
        setting: What names another.
        sync_s: Seconds to write and sync a small file.
        bytes_per_s: Speed of writing a large file, sync included.
    """
    message = f"a small file is safe after {sync_s * 1000:.1f} ms; {bytes_per_s / 2**20:.0f} MB/s"
    fix = f"name a folder on a local disk: {setting}"
    return judged("disk", f"{name}: sync", message, fix, warning=sync_s > _SLOW_SYNC_S)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a path is on, such as "ext4".

    Args:
        path: Any that exists.
        mounts: The system's list of mounts.
    """
    if not mounts.exists():
        return "unknown"
    mounted = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    kinds = {Path(where.replace("\\040", " ")): kind for where, kind in mounted}
    return next((kinds[parent] for parent in (path.resolve(), *path.resolve().parents) if parent in kinds), "unknown")


def _sync_times(path: Path) -> tuple[float, float]:
    """The seconds to write and sync a small file, and the bytes per second for a large one."""
    times = [_write(path, bytes(4096)) for _ in range(_NUM_SYNCS)]
    return statistics.median(times), _LARGE_BYTES / _write(path, os.urandom(_LARGE_BYTES))


def _write(path: Path, content: bytes) -> float:
    start = time.perf_counter()
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return time.perf_counter() - start


def _lock(name: str, setting: str, path: Path) -> Finding:
    """Checks that a file lock excludes a second process."""
    lock = FolderLock(path)
    try:
        FolderLock(path).close()
    except RunFolderBusyError:
        return Finding("disk", f"{name}: locks", "ok", "a folder that is in use cannot be used twice")
    finally:
        lock.close()
    message = "the file system has no locks: nothing keeps two runs out of one folder"
    return Finding("disk", f"{name}: locks", "warning", message, f"name a folder on a local disk: {setting}")
