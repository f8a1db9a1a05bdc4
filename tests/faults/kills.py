"""Runs that are killed: at random instants, at each step of a save, at chosen moments of an epoch.

One run folder is killed many times, and must then end as the run that was never interrupted.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults.environment import BEGINS
from tests.faults.lab import Lab, Start, Tally, newest_step

_KILLS_A_FOLDER = 8
_SHARE_IN_START = 0.2
_SHARE_OF_TRAINING = 0.3  # of a run's length, after which it is killed at the latest: so it is killed all along
_MOST_CALLS = 40
_MOMENTS: tuple[dict[str, Any], ...] = (
    {"at": "train_batch_begin", "epoch": 0, "batch": 0},
    {"at": "train_batch_end", "epoch": 0, "batch": 4},
    {"at": "test_begin", "epoch": 0},
    {"at": "test_batch_end", "epoch": 0, "batch": 1},
    {"at": "test_end", "epoch": 0},
    {"at": "epoch_end", "epoch": 0},
    {"at": "epoch_begin", "epoch": 1},
    {"at": "train_batch_end", "epoch": 1, "batch": 9},
    {"at": "test_batch_end", "epoch": 1, "batch": 2},
    {"at": "epoch_end", "epoch": 2},
    {"at": "train_batch_begin", "epoch": 3, "batch": 5},
    {"at": "train_end"},
)


def at_random_instants(lab: Lab) -> Tally:
    """Killed while it starts, trains, validates or saves."""
    folders = [min(_KILLS_A_FOLDER, lab.kills - begun) for begun in range(0, lab.kills, _KILLS_A_FOLDER)]
    assert lab.reference.outcome["status"] == "early_stopped"
    return lab.map(lambda each: _kill_at_random(lab, each[0], each[1]), enumerate(folders))


def _kill_at_random(lab: Lab, number: int, kills: int) -> Tally:
    tally, generator, killed, attempt = Tally(), lab.generator(f"random {number}"), 0, 0
    while killed < kills:
        folder = lab.path / f"random-{number}-{attempt}"
        attempt += 1
        in_folder, lost = 0, None
        while killed + in_folder < kills and lost is None:
            before = newest_step(folder)
            start = Start(folder)
            _wait_for_instant(lab, start, generator)
            start.signal(signal.SIGKILL)
            if start.wait() != -signal.SIGKILL:
                break  # it was quicker; what is left of the kills goes to another folder
            in_folder += 1
            lost = _went_back(folder, before)
        tally.add(lost or lab.finish(folder), in_folder)
        killed += in_folder
    return tally


def _wait_for_instant(lab: Lab, start: Start, generator: random.Random) -> None:
    if generator.random() < _SHARE_IN_START:
        time.sleep(generator.uniform(0, lab.reference.start_s))
    elif start.said_at(BEGINS) is not None:
        time.sleep(generator.uniform(0, _SHARE_OF_TRAINING * lab.reference.training_s))


def in_saves(lab: Lab) -> Tally:
    """Killed at each call by which a save changes the disk: of the first save after a start, and of later ones."""
    first = lab.map(lambda call: _kill_in_saves(lab, 1, (call,)), (2, 6, 7, 8, 9, 10))
    return first + lab.map(lambda number: _kill_in_saves(lab, number, range(1, _MOST_CALLS)), (1, 2))


def _kill_in_saves(lab: Lab, number: int, calls: Iterable[int]) -> Tally:
    tally, killed, lost = Tally(), 0, None
    folder: Path | None = None
    for call in calls:
        folder = folder or lab.path / f"save-{number}-from-call-{call}"
        before = newest_step(folder)
        code = Start(folder, {"save": {"number": number, "call": call, "do": "SIGKILL"}}).wait()
        if code != -signal.SIGKILL:
            break  # no save has so many calls, or the run is over
        killed += 1
        lost = lost or _went_back(folder, before)
    assert folder is not None
    tally.add(lost or lab.finish(folder), killed)
    if not killed:
        tally.add(f"{folder}: no save was killed", 1)
    return tally


def at_moments(lab: Lab) -> Tally:
    """Killed in the middle of an epoch, in a validation, and where an epoch begins or ends."""
    folder, tally, killed, lost = lab.path / "moments", Tally(), 0, None
    for moment in _MOMENTS:
        before = newest_step(folder)
        code = Start(folder, {"moment": {**moment, "do": "SIGKILL"}}).wait()
        if code != -signal.SIGKILL:
            tally.add(f"{folder}: at {moment} it was not killed but ended with {code}")
        else:
            killed += 1
            lost = lost or _went_back(folder, before)
    tally.add(lost or lab.finish(folder), killed)
    return tally


def _went_back(folder: Path, before: int) -> str | None:
    """What a kill did to the checkpoints that it must leave alone."""
    if newest_step(folder) < before:
        return f"{folder}: the newest checkpoint was step {before}, and is {newest_step(folder)} after a kill"
    corrupt = [path.name for path in folder.glob("checkpoints/corrupt-*")]
    return f"{folder}: {', '.join(corrupt)} after a kill" if corrupt else None
