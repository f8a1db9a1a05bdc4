"""Checks how much memory a run may use (of the machine, the container, shared) and how many files it may open.

Source: Linux manual page proc(5); kernel documentation, cgroup-v1/memory and cgroup-v2.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from seqtrain.doctor.finding import Finding, finding_of
from seqtrain.errors import ResourceError
from seqtrain.loading.memory import SharedFile
from seqtrain.text import memory_size

_GIB = 2**30
_TOO_LITTLE = _GIB // 2  # Keras and TensorFlow use this much before a batch is read
_LITTLE = 2 * _GIB
_FEW_FILES = 1024
_NO_LIMIT = 2**60  # cgroup v1 writes a huge number if there is no limit
_SHARED_BYTES = 2**20


def memory() -> Iterator[Finding]:
    """Checks memory, shared memory and open files."""
    yield check_ram(_mem_available(), container_limit())
    yield _check_shared_memory()
    yield check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE))


def check_ram(available: int | None, limit: tuple[int, int] | None) -> Finding:
    """Checks the available memory.

    Args:
        available: Bytes of free memory; None if unknown.
        limit: The container's limit and the bytes in use; None without a limit.
    """
    rooms = [room for room in (available, limit and limit[0] - limit[1]) if room is not None]
    if not rooms:
        return Finding("memory", "RAM", "ok", "the system does not say")
    message = f"{memory_size(min(rooms))} can be used"
    if limit is not None:
        message += f"; the container's limit is {memory_size(limit[0])}"
    is_problem = min(rooms) < _TOO_LITTLE
    fix = "use fewer workers and smaller batches: -s fit.workers=1"
    if is_problem:
        fix = "end what else runs (`ps aux --sort=-rss | head`), or give the container more: docker run --memory=8g"
    return finding_of("memory", "RAM", message, fix, problem=is_problem, warning=min(rooms) < _LITTLE)


def check_open_files(limits: tuple[int, int]) -> Finding:
    """Checks the limit of open files per process.

    Args:
        limits: The soft and the hard limit.
    """
    soft, hard = limits
    unlimited = soft == resource.RLIM_INFINITY
    wanted = _FEW_FILES * 4
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    fix = f"ulimit -n {most}"
    if most <= soft:
        fix = f"docker run --ulimit nofile={wanted}, or a line `* hard nofile {wanted}` in /etc/security/limits.conf"
    message = f"{'any number' if unlimited else soft} at a time"
    return finding_of("memory", "open files", message, fix, warning=not unlimited and soft < _FEW_FILES)


def container_limit(root: Path = Path("/")) -> tuple[int, int] | None:
    """The lowest memory limit among this process's cgroup and its parents, and the bytes in use; None without a limit.

    Args:
        root: The folder that contains /proc and /sys.
    """
    found = []
    for folder, limit_name, used_name in _cgroup_folders(root):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and limit < _NO_LIMIT:
            found.append((limit, used or 0))
    return min(found, key=lambda pair: pair[0] - pair[1], default=None)


def _cgroup_folders(root: Path) -> Iterator[tuple[Path, str, str]]:
    """The folders of this process's memory cgroup and its parents, with the names of the limit and usage files."""
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = root / "sys/fs/cgroup/memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        inner = base / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder.is_relative_to(base):
                yield folder, *names


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or it holds "max"
        return None


def _mem_available() -> int | None:
    path = Path("/proc/meminfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _check_shared_memory() -> Finding:
    """Checks that memory can be shared with worker processes."""
    try:
        file = SharedFile(_SHARED_BYTES)
        with file.map() as mapped:
            mapped[-1] = 1
        file.close()
    except (ResourceError, OSError) as error:
        return Finding("memory", "shared memory", "problem", str(error), "-s fit.use_multiprocessing=false")
    kind = "anonymous files, bound by no mount" if hasattr(os, "memfd_create") else "temporary files"
    return Finding("memory", "shared memory", "ok", kind)
