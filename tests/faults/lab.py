"""Where faults are injected: runs as processes of their own, and the run that none of them may differ from."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

from tests.faults.environment import BEGINS, in_environment

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("run.yaml")
LONGEST_S = 180.0
_MEASURED = ("samples_per_s", "data_wait", "time")
T = TypeVar("T")


@dataclass
class Tally:
    """What became of some faults.

    Args:
        injected: How many there were.
        survived: After how many the run ended as if nothing had happened.
        lost: What was lost, in words.
    """

    injected: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)

    def add(self, reason: str | None, number: int = 1) -> None:
        """Counts faults that were survived, or lost for a reason."""
        self.injected += number
        if reason is None:
            self.survived += number
        else:
            self.lost.append(reason)

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.injected + other.injected, self.survived + other.survived, self.lost + other.lost)


class Start:
    """A start of the command, with what it says on stderr and when.

    Args:
        folder: The run folder.
        faults: What goes wrong in it.
        arguments: Of the command, besides.
        before: Is called in the process before the command.
    """

    def __init__(
        self,
        folder: Path,
        faults: dict[str, Any] | None = None,
        arguments: Sequence[str] = (),
        before: Callable[[], object] | None = None,
    ) -> None:
        self.folder = folder
        self.began = time.monotonic()
        words = ["fit", str(CONFIG), "--run-dir", str(folder), *arguments]
        self._process = self._launched(words, in_environment(faults or {}), before)
        self._lines: list[tuple[float, str]] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _launched(self, words: list[str], environment: dict[str, str], before: Callable[[], object] | None) -> Any:
        return subprocess.Popen(
            [sys.executable, "-m", "seqtrain", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # what it calls needs no lock that another thread could hold
        )

    @property
    def err(self) -> str:
        """All that it has said."""
        return "".join(line for _, line in self._lines)

    def said_at(self, text: str, timeout_s: float = LONGEST_S) -> float | None:
        """When it said something, waiting for it; None where it ended without."""
        end = time.monotonic() + timeout_s
        with self._said:
            while True:
                for at, line in self._lines:
                    if text in line:
                        return at
                if not self._reader.is_alive() or not self._said.wait(max(0.0, end - time.monotonic())):
                    return None

    def signal(self, number: int) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def lift_file_size_limit(self) -> None:
        """Makes room on its disk, so to speak."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def wait(self, timeout_s: float = LONGEST_S) -> int:
        """Its exit code; a start that does not end is killed, and -9."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join(10)
        return self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            for line in stderr:
                with self._said:
                    self._lines.append((time.monotonic(), line))
                    self._said.notify_all()
        with self._said:
            self._said.notify_all()


@dataclass(frozen=True)
class Reference:
    """The run that was never interrupted.

    Args:
        outcome: All that it came to.
        start_s: How long it took until training began.
        training_s: And from there to its end.
    """

    outcome: dict[str, Any]
    start_s: float
    training_s: float


class Lab:
    """Makes run folders, and compares what became of them.

    Args:
        path: Where they lie.
        seed: Of all that is random.
        kills: How many times runs are killed at a random instant.
        at_a_time: How many runs go on at a time.
        start: How the reference is started.
    """

    def __init__(
        self, path: Path, seed: int = 0, kills: int = 100, at_a_time: int = 1, start: type[Start] = Start
    ) -> None:
        self.path = path
        self._start = start
        self.kills = kills
        self._seed = seed
        self._at_a_time = at_a_time
        path.mkdir(parents=True, exist_ok=True)

    @functools.cached_property
    def reference(self) -> Reference:
        """What every run must end as."""
        start = self._start(self.path / "reference")
        code, ended = start.wait(), time.monotonic()
        begun = start.said_at(BEGINS)
        if code != 0 or begun is None:
            raise RuntimeError(f"the run without any fault ended with {code}:\n{start.err}")
        return Reference(outcome(start.folder), begun - start.began, ended - begun)

    def generator(self, name: str) -> random.Random:
        """Random numbers for one purpose."""
        return random.Random(f"{self._seed} {name}")

    def map(self, function: Callable[[T], Tally], items: Iterable[T]) -> Tally:
        """The sum of what a function finds, several items at a time."""
        with ThreadPoolExecutor(self._at_a_time) as pool:
            return sum(pool.map(function, items), Tally())

    def finish(self, folder: Path) -> str | None:
        """Lets a run go on to its end, and says how it differs from the reference."""
        start = Start(folder)
        code = start.wait()
        if code != 0:
            return f"{folder}: the start that should finish it ended with {code}: {start.err[-1000:]}"
        return self.difference(folder)

    def difference(self, folder: Path, expected: dict[str, Any] | None = None) -> str | None:
        """How a finished run differs from the reference, or None."""
        expected = expected or self.reference.outcome
        received = outcome(folder)
        differ = [name for name in expected if received[name] != expected[name]]
        told = "; ".join(f"{name}: {str(received[name])[:200]}, not {str(expected[name])[:200]}" for name in differ)
        return f"{folder}: {told}" if differ else None


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run came to, without what was measured in seconds."""
    result = json.loads((folder / "result.json").read_text())
    with (folder / "history.csv").open(newline="") as file:
        history = [_without_measured(row) for row in csv.DictReader(file)]
    metrics = [_without_measured(json.loads(line)) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = {name: result[name] for name in ("status", "epochs", "best", "weights_sha256")}
    return {**kept, "history.csv": history, "metrics.jsonl": metrics, "best.weights.h5": _hash(folder)}


def newest_step(folder: Path) -> int:
    """How far the newest checkpoint of a run is; -1 where there is none."""
    return max((int(path.name.split("-")[1]) for path in folder.glob("checkpoints/step-*")), default=-1)


def ignore_sighup() -> None:
    """What nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _without_measured(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _MEASURED}


def _hash(folder: Path) -> str | None:
    """Of the arrays that ModelCheckpoint has written."""
    path = folder / "best.weights.h5"
    if not path.exists():
        return None
    digest = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digest.update(name.encode() + np.ascontiguousarray(item[()]).tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return digest.hexdigest()
