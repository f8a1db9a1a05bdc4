"""Runs whose loss becomes NaN: they end, or go back as often as the config allows, and lose nothing by it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.lab import Lab, Start, Tally, outcome

_DIVERGED = 7
_NAN = {"nan": {"epoch": 2, "batch": 3}}
_NAMED = "batch 3 of epoch 2"
_LOSS_SHOWS_IT = ["-s", "model.activation=tanh"]  # TensorFlow's relu makes 0 of NaN: then only the weights show it
_ROLLBACK = [*_LOSS_SHOWS_IT, "-s", "on_nan.action=rollback", "-s", "on_nan.max=3"]
_MENDED = [
    *("-s", "on_nan.action=rollback", "-s", "on_nan.learning_rate_scale=1e-20"),
    *("-s", "compile.optimizer.name=sgd", "-s", "compile.optimizer.learning_rate=1e18"),
]
_KILLED = ({"epoch": 0, "batch": 5}, {"epoch": 1, "batch": 7}, {"epoch": 3, "batch": 1})


def nan_in_data(lab: Lab) -> Tally:
    """The run ends and a checkpoint is kept; once the data is right, it goes on as if it had never been NaN."""
    folder, tally = lab.path / "nan-in-weights", Tally()
    code = Start(folder, _NAN).wait()
    tally.add(lab.finish(folder) if code == _DIVERGED else f"{folder}: ended with {code}")
    return tally + _nan_in_loss(lab)


def nan_that_repeats(lab: Lab) -> Tally:
    """Going back does not help: after three times the run ends."""
    folder, tally = lab.path / "nan-rollback", Tally()
    start = Start(folder, _NAN, _ROLLBACK)
    code = start.wait()
    told = all(f"rollback {number} of 3" in start.err for number in (1, 2, 3)) and _NAMED in start.err
    tally.add(None if code == _DIVERGED and told else f"{folder}: ended with {code}: {start.err[-1500:]}")
    return tally


def nan_that_a_lower_rate_mends(lab: Lab) -> Tally:
    """Goes back, goes on with a lower learning rate, and ends; the same where it is killed on the way."""
    folder, tally = lab.path / "nan-mended", Tally()
    start = Start(folder, arguments=_MENDED)
    code = start.wait()
    if code != 0 or "rollback 1 of 3" not in start.err:
        tally.add(f"{folder}: ended with {code}: {start.err[-1500:]}")
        return tally
    tally.add(None)
    killed = lab.path / "nan-mended-killed"
    for moment in _KILLED:
        start = Start(killed, {"moment": {"at": "train_batch_end", **moment, "do": "SIGKILL"}}, _MENDED)
        code = start.wait()
        if code != -signal.SIGKILL:
            tally.add(f"{killed}: at {moment} it was not killed but ended with {code}: {start.err[-500:]}")
            return tally
    tally.add(_finish(lab, killed, _MENDED, outcome(folder)), len(_KILLED))
    return tally


def _nan_in_loss(lab: Lab) -> Tally:
    """The batch is named where the loss shows it."""
    never, folder, tally = lab.path / "never-nan", lab.path / "nan-in-loss", Tally()
    start = Start(folder, _NAN, _LOSS_SHOWS_IT)
    code = start.wait()
    if code != _DIVERGED or _NAMED not in start.err or Start(never, arguments=_LOSS_SHOWS_IT).wait() != 0:
        tally.add(f"{folder}: ended with {code}: {start.err[-500:]}")
    else:
        tally.add(_finish(lab, folder, _LOSS_SHOWS_IT, outcome(never)))
    return tally


def _finish(lab: Lab, folder: Path, arguments: Sequence[str], expected: dict[str, Any]) -> str | None:
    code = Start(folder, arguments=arguments).wait()
    return f"{folder}: ended with {code}" if code else lab.difference(folder, expected)
