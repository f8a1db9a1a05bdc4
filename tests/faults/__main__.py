"""Injects every fault, and prints what was survived and what was lost.

    python -m tests.faults
    python -m tests.faults --only "killed at random instants" --kills 20 --seed 3

Exits with 1 where anything was lost; the folders of all runs are kept then. All of it takes about half an hour on two
cores, as each of some 250 starts imports TensorFlow.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults import disks, divergence, kills, signals, together
from tests.faults.lab import Lab, Tally

FAULTS: dict[str, Callable[[Lab], Tally]] = {
    "killed at random instants": kills.at_random_instants,
    "killed at each step of a save": kills.in_saves,
    "killed at moments of an epoch": kills.at_moments,
    "signals and --max-time": signals.signals,
    "SIGHUP under nohup": signals.nohup,
    "corrupt checkpoints": disks.corrupt_checkpoints,
    "a full disk": disks.full_disk,
    "simultaneous starts": together.simultaneous_starts,
    "a lock whose holder was killed": together.stale_lock,
    "NaN in the data": divergence.nan_in_data,
    "NaN that repeats": divergence.nan_that_repeats,
    "NaN that a lower rate mends": divergence.nan_that_a_lower_rate_mends,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Injects faults; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="at random instants (default: 100)")
    parser.add_argument("--workers-at-a-time", type=int, default=1, metavar="N", help="runs that go on at a time")
    parser.add_argument("--only", action="append", choices=list(FAULTS), metavar="NAME", help="one fault of the table")
    parser.add_argument("--seed", type=int, default=0, help="of the random instants")
    parser.add_argument("--out", type=Path, help="an empty folder for the runs (default: a temporary one)")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGHUP):  # which a shell's background and nohup have ignored, also by the runs
        signal.signal(number, signal.SIG_DFL)
    path = options.out or Path(tempfile.mkdtemp(prefix="seqtrain-faults-"))
    lab = Lab(path, options.seed, options.kills, options.workers_at_a_time)
    print(f"{'fault':34}{'injected':>9}{'survived':>9}{'lost':>6}{'s':>7}", flush=True)
    total = Tally()
    for name in options.only or FAULTS:
        total += _injected(name, lab)
    print(_row("all", total))
    if total.lost:
        print(f"the runs are kept in {path}")
        return 1
    if options.out is None:
        shutil.rmtree(path)
    return 0


def _injected(name: str, lab: Lab) -> Tally:
    began = time.monotonic()
    tally = FAULTS[name](lab)
    print(f"{_row(name, tally)}{time.monotonic() - began:7.0f}", flush=True)
    for reason in tally.lost:
        print(f"  lost: {reason}", flush=True)
    return tally


def _row(name: str, tally: Tally) -> str:
    return f"{name:34}{tally.injected:9}{tally.survived:9}{tally.injected - tally.survived:6}"


if __name__ == "__main__":
    sys.exit(main())
