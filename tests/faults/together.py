"""Several starts in one run folder at once."""

from __future__ import annotations

import signal
import time

from tests.faults.environment import BEGINS
from tests.faults.lab import LONGEST_S, Lab, Start, Tally

_BUSY = 75


def simultaneous_starts(lab: Lab) -> Tally:
    """Exactly one trains; it does not end before the others had their turn."""
    return lab.map(lambda number: _start_together(lab, number), [2, 8])


def stale_lock(lab: Lab) -> Tally:
    """A lock whose holder was killed is taken over at once."""
    folder, tally = lab.path / "stale-lock", Tally()
    holder = Start(folder)
    holder.said_at(BEGINS)
    second = Start(folder)
    code = second.wait()
    holder.signal(signal.SIGKILL)
    holder.wait()
    if code != _BUSY or "process" not in second.err:
        tally.add(f"{folder}: a second start ended with {code}, not {_BUSY}: {second.err[-500:]}")
    else:
        tally.add(lab.finish(folder))
    return tally


def _start_together(lab: Lab, number: int) -> Tally:
    folder, tally = lab.path / f"together-{number}", Tally()
    until, marker = folder.with_suffix(".until"), folder.with_suffix(".marker")
    moment = {"at": "epoch_begin", "epoch": 1, "do": "wait", "until": str(until), "marker": str(marker)}
    starts = [Start(folder, {"moment": moment}) for _ in range(number)]
    end = time.monotonic() + LONGEST_S
    while sum(start.is_running() for start in starts) > 1 and time.monotonic() < end:
        time.sleep(0.05)
    until.touch()
    codes = sorted(start.wait() for start in starts)
    expected = [0] + [_BUSY] * (number - 1)
    tally.add(f"{folder}: ended with {codes}" if codes != expected else lab.difference(folder), number)
    return tally
