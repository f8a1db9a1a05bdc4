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

from seqtrain.doctor.finding import Finding, finding_of
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
        name: The purpose of the folder.
        path: The folder, which need not exist and is not created.
        setting: The option that chooses another folder, for the fixes: "--run-dir DIR".
    """
    folder = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=".seqtrain-doctor-", dir=folder) as own:
            yield check_free_space(name, setting, folder, shutil.disk_usage(own).free, os.statvfs(own).f_favail)
            yield check_file_system(name, setting, file_system(folder))
            yield check_sync_speed(name, setting, *_sync_times(Path(own, "synced")))
            yield _check_lock(name, setting, Path(own, "lock"))
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror}"
        yield Finding("disk", name, "problem", message, f"name another place: {setting}")


def check_free_space(name: str, setting: str, folder: Path, free: int, free_files: int) -> Finding:
    """Checks the free space.

    Args:
        name: The purpose of the folder.
        setting: The option that chooses another folder.
        folder: The folder.
        free: The number of free bytes.
        free_files: How many more files can be created; 0 if the file system does not count them.
    """
    has_few_files = 0 < free_files < _FEW_FILES
    message = f"{memory_size(free)} free in {folder}"
    message += f", and room for {free_files} files more" if has_few_files else ""
    fix = f"free the disk (`du -xh {folder} | sort -h | tail`), or name another: {setting}"
    return finding_of("disk", name, message, fix, problem=free < _TOO_LITTLE, warning=free < _LITTLE or has_few_files)


def check_file_system(name: str, setting: str, kind: str) -> Finding:
    """Checks the kind of file system: whether files survive a reboot."""
    is_in_memory = kind in _IN_MEMORY
    message = f"{kind}: in memory, gone when the machine restarts" if is_in_memory else kind
    return finding_of("disk", f"{name}: kind", message, f"name a folder on a disk: {setting}", warning=is_in_memory)


def check_sync_speed(name: str, setting: str, sync_s: float, bytes_per_s: float) -> Finding:
    """Checks the speed of synced writes.

    Args:
        name: The purpose of the folder.
        setting: The option that chooses another folder.
        sync_s: The seconds that it takes to write and sync a small file.
        bytes_per_s: The speed of writing and syncing a large file.
    """
    message = f"a small file is safe after {sync_s * 1000:.1f} ms; {bytes_per_s / 2**20:.0f} MB/s"
    fix = f"name a folder on a local disk: {setting}"
    return finding_of("disk", f"{name}: sync", message, fix, warning=sync_s > _SLOW_SYNC_S)


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a path is on, such as "ext4".

    Args:
        path: An existing path.
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


def _check_lock(name: str, setting: str, path: Path) -> Finding:
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
