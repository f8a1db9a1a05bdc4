"""Ours against the others: everybody checked first, then measured in turn, round after round.

A machine is never quiet, and its clock changes with its temperature. So nothing is compared across runs: a ratio is
taken within a round, every round begins with another contestant, and what is told is the median with its extremes.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.stage import Contestant, ContestantError, Stage

Check = Callable[[np.ndarray], str | None]


@dataclass
class Row:
    """Ours against one other.

    Args:
        workload: What was done.
        peer: Who else did it.
        ratios: Our speed by the other's, of each round.
        speeds: The other's own, in units a second.
        at_least: What the median of the ratios has to reach.
        note: Why there are no ratios.
    """

    workload: str
    peer: str
    ratios: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    at_least: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """The median."""
        return statistics.median(self.ratios)

    @property
    def best_ratio(self) -> float:
        """Our best round by the peer's best: what is left where others use the machine now and then."""
        return max(ratio * speed for ratio, speed in zip(self.ratios, self.speeds, strict=True)) / max(self.speeds)

    @property
    def is_reached(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing was measured."""
        return self.ratio >= self.at_least if self.ratios and self.at_least is not None else None


def race(
    stage: Stage, workload: str, ours: Contestant, peers: Sequence[Contestant], rounds: int, check: Check | None = None
) -> list[Row]:
    """Measures.

    Args:
        stage: Where they run.
        workload: What the rows call it.
        ours: This project's loader.
        peers: All others.
        rounds: How often each is measured.
        check: What is wrong with the first thing that a contestant delivers, or None. Who fails is not measured.

    Raises:
        ContestantError: when ours fails.
    """
    _tell(f"{workload}: {ours.name}")
    if complaint := _complaint(stage, ours, check):
        raise ContestantError(f"{workload}: {ours.name}: {complaint}")
    own = Row(workload, ours.name)
    rows = {peer: Row(workload, peer.name, at_least=peer.at_least, note=_note(stage, peer, check)) for peer in peers}
    entrants = [ours, *(peer for peer, row in rows.items() if not row.note)]
    for number in range(rounds):
        first = number % len(entrants)
        speeds = {entrant: stage.ask(entrant, "speed") for entrant in entrants[first:] + entrants[:first]}
        own.speeds.append(speeds[ours])
        for peer in entrants[1:]:
            rows[peer].speeds.append(speeds[peer])
            rows[peer].ratios.append(speeds[ours] / speeds[peer])
        _tell(f"{workload}: round {number + 1} of {rounds}")
    return [own, *rows.values()]


def _note(stage: Stage, peer: Contestant, check: Check | None) -> str:
    _tell(f"  against {peer.name}")
    return peer.missing or _complaint(stage, peer, check)


def _complaint(stage: Stage, contestant: Contestant, check: Check | None) -> str:
    try:
        if check is None or (wrong := check(stage.ask(contestant, "sample"))) is None:
            stage.ask(contestant, "speed")  # the first time compiles, imports and warms caches
            return ""
    except ContestantError as error:
        return f"failed: {error}"
    return f"delivers something else: {wrong}"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
