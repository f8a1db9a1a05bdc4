"""The kinds of data, and how ours and those written by hand are set against each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks import kind as loaders
from tests.benchmarks.array_kinds import ARRAY_KINDS
from tests.benchmarks.contest import Row, race
from tests.benchmarks.kind import Delivery, Kind
from tests.benchmarks.mask_kinds import MASK_KINDS
from tests.benchmarks.picture_kinds import PICTURE_KINDS
from tests.benchmarks.same_work import Leaves
from tests.benchmarks.stage import Contestant, Stage
from tests.benchmarks.volume_kinds import VOLUME_KINDS

KINDS = {kind.name: kind for kind in (*MASK_KINDS, *PICTURE_KINDS, *VOLUME_KINDS, *ARRAY_KINDS)}


@dataclass(frozen=True)
class Options:
    """How kinds are measured.

    Args:
        stage: Where contestants run.
        data: Where the files are, between runs.
        rounds: How often each contestant is measured.
        workers: Threads of every loader.
        quick: Little data and few batches: to see that everything runs, not how fast.
    """

    stage: Stage
    data: Path
    rounds: int
    workers: int = 2
    quick: bool = False


def race_kind(kind: Kind, options: Options) -> list[Row]:
    """Measures one kind."""
    folder = kind.write(options.data, options.quick)
    how = (folder, options.workers, 2 if options.quick else kind.num_batches)
    own = Contestant("seqtrain, threads", "ours", partial(open_ours, kind.name, *how), kind.needs)
    peers = [
        Contestant(
            f"Keras, {name}",
            "keras",
            partial(open_by_hand, kind.name, name, *how),
            ("keras", *kind.needs),
            None if number else kind.at_least,
        )
        for number, name in enumerate(kind.by_hand)
    ]
    if own.missing:
        return [Row(kind.name, own.name, note=own.missing)]
    return race(options.stage, kind.name, own, peers, options.rounds, _SameWork(kind, folder))


def open_ours(kind: str, folder: Path, workers: int, num_batches: int) -> Delivery:
    """Ours, in its process."""
    return loaders.our_delivery(KINDS[kind], folder, workers, num_batches)


def open_by_hand(kind: str, name: str, folder: Path, workers: int, num_batches: int) -> Delivery:
    """One written by hand, in its process."""
    return loaders.hand_written_delivery(KINDS[kind], name, folder, workers, num_batches)


class _SameWork:
    """Holds what others deliver against what ours did, which is asked first.

    Args:
        kind: Of data.
        folder: Of the data.
    """

    def __init__(self, kind: Kind, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._ours: Leaves | None = None

    def __call__(self, leaves: Leaves) -> str | None:
        """What is wrong with a first batch, or None."""
        self._ours = leaves if self._ours is None else self._ours
        return self._kind.differs(self._folder, self._ours, leaves)
