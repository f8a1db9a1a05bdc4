"""What a process and its workers hold, read from /proc; and a callback that notes it after each epoch.

A run is sampled by itself, at the same point of every epoch, so that two samples differ by what was left behind and
not by what was going on. This file is imported by the run's config.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seqtrain.registry import callbacks

_READINGS = 5  # loading threads open an image now and then; a descriptor that was left open is in every reading
_PAUSE_S = 0.003


@dataclass(frozen=True)
class Footprint:
    """What a process holds at an instant.

    Args:
        memory_mb: Resident, of the process itself.
        workers_mb: Resident, of all its children together; what they share counts for each.
        descriptors: Open files, pipes and sockets, of the children too.
        threads: Of the children too.
        children: Processes below it, at any depth.
    """

    memory_mb: float
    workers_mb: float
    descriptors: int
    threads: int
    children: int


def footprint(pid: int) -> Footprint:
    """What a process holds now."""
    children = _below(pid)
    processes = [pid, *children]
    return Footprint(
        _resident_mb(pid),
        sum(map(_resident_mb, children)),
        min(_count("fd", processes) for _ in range(_READINGS)),
        _count("task", processes),
        len(children),
    )


@callbacks.register("footprint")
def footprint_callback(path: Path) -> Any:
    """Adds a line of JSON after each epoch.

    Args:
        path: The file.
    """
    import keras  # worker processes import this file too, and need no Keras

    def note(epoch: int, logs: Any) -> None:
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(footprint(os.getpid()))) + "\n")

    return keras.callbacks.LambdaCallback(on_epoch_end=note)


def read(path: Path) -> list[Footprint]:
    """What the callback has noted."""
    return [Footprint(**json.loads(line)) for line in path.read_text().splitlines()]


def _resident_mb(pid: int) -> float:
    """`smaps_rollup` counts pages; `status` is behind by what each thread has not yet reported."""
    found = re.search(r"^Rss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _count(folder: str, pids: list[int]) -> int:
    time.sleep(_PAUSE_S)
    return sum(1 for pid in pids for _ in Path(f"/proc/{pid}/{folder}").iterdir())


def _below(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    found = [pid]
    for parent in found:  # grows as it goes
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]
