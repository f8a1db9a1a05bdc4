"""Finds one sample in the batches of several epochs, to show its augmentations exactly as in `fit`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, one_of
from seqtrain.loading.bad_samples import replaced
from seqtrain.loading.order import Schedule
from seqtrain.loading.stream import LoadedBatch
from seqtrain.sources.base import Source
from seqtrain.splits import Split
from seqtrain.structure import map_structure

_MAX_NAMED = 8


@dataclass(frozen=True)
class Place:
    """The position of a sample in one epoch.

    Args:
        epoch: The epoch of `fit`.
        step: The step in this epoch.
        at: The sequence's epoch, and the index of the batch in it.
        rows: The rows of the batch; several if a sample gives several patches.
    """

    epoch: int
    step: int
    at: tuple[int, int]
    rows: npt.NDArray[np.integer]


def epoch_numbers(text: str) -> list[int]:
    """Parses epochs such as "0-7" or "0,3,10".

    Raises:
        ValueError: when the text names no epochs.
    """
    epochs: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        epochs += range(int(first), (int(last) if dash else int(first)) + 1)
    if not epochs:
        raise ValueError(text)
    return epochs


def sample_named(source: Source, name: str) -> int:
    """The sample with an index, or whose file or row ends with a text.

    Raises:
        ConfigError: when there is no such sample, or more than one.
    """
    if name.isdigit() and int(name) < len(source):
        return int(name)
    found = [index for index in range(len(source)) if source.describe(index).endswith(name)]
    if len(found) == 1:
        return found[0]
    examples = [source.describe(index) for index in found[:_MAX_NAMED] or range(min(3, len(source)))]
    raise ConfigError(
        f"--sample {name}: {len(found) or 'no'} samples end so",
        expected=f"an index from 0 to {len(source) - 1}, or the end of a path",
        received=f"{one_of(examples)}{' ...' if len(found) > _MAX_NAMED else ''}" if found else None,
        fix="write more of the path" if found else f"such as {examples[0]}" if examples else "add samples",
    )


def require_side(split: Split, sample: int, side: str) -> None:
    """Raises a ConfigError if a sample is not on a side of the split."""
    here, there = (split.train, split.val) if side == "train" else (split.val, split.train)
    if sample not in here:
        other = "val" if side == "train" else "train"
        is_there = sample in there
        raise ConfigError(
            f"sample {sample} is not on the side of {side}",
            received=f"a sample of {other}" if is_there else "a sample of neither side",
            fix=f"add --split {other}" if is_there else "choose another sample",
        )


def find_places(
    sequence: Any, sample: int, schedule: Schedule, steps: int, epochs: Iterable[int], is_training: bool
) -> Iterator[Place]:
    """Finds a sample in some epochs.

    Args:
        sequence: The sequence of its side of the split.
        sample: The index of the sample in the source.
        schedule: The schedule of `fit`.
        steps: The number of steps in an epoch of `fit`.
        epochs: The epochs of `fit`.
        is_training: Whether positions continue from epoch to epoch; in validation, they start from 0 each time.
    """
    for epoch in epochs:
        for step in range(steps):
            at = schedule(epoch * steps + step if is_training else step)
            rows = np.flatnonzero(sequence.source_indices(sequence.sample_indices(*at)) == sample)
            if len(rows):
                yield Place(epoch, step, at, rows)


def select_rows(loaded: Sequence[LoadedBatch], places: Sequence[Place]) -> LoadedBatch:
    """The sample's rows of several batches as one batch."""
    chosen = [
        map_structure(lambda array, rows=place.rows: np.asarray(array)[rows], each.batch)
        for each, place in zip(loaded, places, strict=True)
    ]
    batch = map_structure(lambda *parts: np.concatenate(parts), *chosen)
    bad = tuple(dict.fromkeys(bad for each in loaded for bad in each.bad))
    return LoadedBatch(loaded[0].epoch, loaded[0].index, batch, sum(each.seconds for each in loaded), bad)


def items_of(sequence: Any, loaded: Sequence[LoadedBatch], places: Sequence[Place]) -> npt.NDArray[np.integer]:
    """The sequence's index of each of these rows."""
    items = [
        replaced(sequence.sample_indices(*place.at), each.bad)[place.rows]
        for each, place in zip(loaded, places, strict=True)
    ]
    return np.concatenate(items)
