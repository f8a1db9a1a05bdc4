"""Runs that are told to stop: by SIGINT, SIGTERM, SIGHUP or --max-time, wherever they are, and gone on with."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.lab import Lab, Start, Tally, ignore_sighup

_LONGEST_EXIT_S = 10.0
_IN_TRAINING = {"at": "train_batch_end", "epoch": 1, "batch": 4}
_IN_VALIDATION = {"at": "test_batch_end", "epoch": 1, "batch": 1}
_SLOW = {"epoch": 1, "batch": 6}


def signals(lab: Lab) -> Tally:
    """SIGINT, SIGTERM and SIGHUP in training, in a validation, and while it waits for data."""
    cases: list[tuple[str, Callable[[Path], str | None]]] = [
        ("SIGTERM in training", lambda path: _at_moment(path, "SIGTERM", _IN_TRAINING)),
        ("SIGINT in training", lambda path: _at_moment(path, "SIGINT", _IN_TRAINING)),
        ("SIGHUP in training", lambda path: _at_moment(path, "SIGHUP", _IN_TRAINING)),
        ("SIGINT in validation", lambda path: _at_moment(path, "SIGINT", _IN_VALIDATION)),
        ("SIGTERM in validation", lambda path: _at_moment(path, "SIGTERM", _IN_VALIDATION)),
        ("SIGINT waiting for data", lambda path: _waiting_for_data(path, signal.SIGINT)),
        ("SIGTERM waiting for data", lambda path: _waiting_for_data(path, signal.SIGTERM)),
        ("SIGTERM while it starts", _while_it_starts),
        ("a second SIGINT", _second),
        ("--max-time", _max_time),
    ]
    return lab.map(lambda case: _stop(lab, *case), cases)


def nohup(lab: Lab) -> Tally:
    """SIGHUP under nohup."""
    folder, tally = lab.path / "nohup", Tally()
    start = Start(folder, {"moment": {**_IN_TRAINING, "do": "SIGHUP"}}, before=ignore_sighup)
    code = start.wait()
    tally.add(f"{folder}: ended with {code}: {start.err[-500:]}" if code else lab.difference(folder))
    return tally


def _stop(lab: Lab, name: str, stop: Callable[[Path], str | None]) -> Tally:
    tally, folder = Tally(), lab.path / name.replace(" ", "-").replace("--", "")
    reason = stop(folder)
    tally.add(f"{folder}: {reason}" if reason else lab.finish(folder))
    return tally


def _at_moment(folder: Path, name: str, moment: dict[str, Any]) -> str | None:
    start = Start(folder, {"moment": {**moment, "do": name}})
    return _ended(start, start.wait(), 128 + getattr(signal, name), "interrupted")


def _waiting_for_data(folder: Path, number: int) -> str | None:
    """The batch takes 30 s, so that a run which waits for it is found out."""
    marker = folder.with_suffix(".slow")
    start = Start(folder, {"slow_batch": {**_SLOW, "marker": str(marker)}})
    if not _appears(marker, start):
        return f"it never came to the slow batch: {start.err[-500:]}"
    time.sleep(3)  # the batch is made ahead; until it waits for nothing else
    return _after(start, number, "interrupted")


def _while_it_starts(folder: Path) -> str | None:
    """Before anything is trained there may be nothing to keep, but it ends, and nothing is in the way."""
    start = Start(folder)
    start.said_at("run folder:")
    time.sleep(0.5)
    start.signal(signal.SIGTERM)
    code = start.wait()
    return None if code in (143, -signal.SIGTERM) else f"ended with {code}: {start.err[-500:]}"


def _second(folder: Path) -> str | None:
    """While a callback holds it up, the first cannot end it; the second does."""
    marker = folder.with_suffix(".waits")
    wait = {"do": "wait", "until": str(folder.with_suffix(".never")), "marker": str(marker)}
    start = Start(folder, {"moment": {**_IN_TRAINING, **wait}})
    if not _appears(marker, start):
        return f"it never came to the moment: {start.err[-500:]}"
    start.signal(signal.SIGINT)
    time.sleep(1)
    if not start.is_running():
        return "the first SIGINT ended it in the middle of a batch"
    began = time.monotonic()
    start.signal(signal.SIGINT)
    code, seconds = start.wait(), time.monotonic() - began
    return None if code == 130 and seconds < 2 else f"ended with {code} after {seconds:.1f} s"


def _max_time(folder: Path) -> str | None:
    start = Start(folder, arguments=["--max-time", "1s"])
    return _ended(start, start.wait(), 124, "max_time")


def _after(start: Start, number: int, status: str) -> str | None:
    began = time.monotonic()
    start.signal(number)
    code, seconds = start.wait(), time.monotonic() - began
    if seconds > _LONGEST_EXIT_S:
        return f"took {seconds:.1f} s to end"
    return _ended(start, code, 128 + number, status)


def _ended(start: Start, code: int, expected: int, status: str) -> str | None:
    if code != expected:
        return f"ended with {code}, not {expected}: {start.err[-500:]}"
    received = json.loads((start.folder / "result.json").read_text())["status"]
    if received != status:
        return f"its status is {received}, not {status}"
    return None if "--run-dir" in start.err else "it does not say how to go on"


def _appears(path: Path, start: Start) -> bool:
    while not path.exists():
        if not start.is_running() or time.monotonic() - start.began > 120:
            return False
        time.sleep(0.05)
    return True
