"""Replaces samples that cannot be read by others, and keeps a list of all bad samples of a run.

With `on_bad_sample: skip`, a sample that raises a `DataError` is replaced by another one of its split, so that the
batch keeps its size. The replacement is a pure function of (seed, epoch, sample): it is drawn with a generator of its
own, and drawn again if it is bad too. So the batches do not depend on the number of workers or on where a run was
resumed.

Rows are first written all at once; only if that fails are they written one by one, to find the bad ones.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, Mistake
from seqtrain.files import write_text
from seqtrain.randomness import replacement_generator
from seqtrain.structure import map_structure
from seqtrain.text import listed

Side = Literal["train", "val"]

_MOST_DRAWS = 32  # with 90% bad samples, one in thirty finds no replacement
_MOST_NAMED = 5
_SIDES = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class BadSample:
    """A sample that cannot be read, and its replacement.

    Args:
        index: Of the sample in the source.
        where: Its file or row.
        error: The error, in one line.
        replaced_by: The sample that replaced it.
    """

    index: int
    where: str
    error: str
    replaced_by: int


def write_rows(
    sequence: Any, indices: npt.NDArray[np.integer], epoch: int, rows: tuple[Any, ...]
) -> tuple[BadSample, ...]:
    """Writes samples into rows; if the sequence skips bad samples, they are replaced by others.

    Returns:
        The samples that were replaced, in the order of the rows.

    Raises:
        DataError: when a bad sample must not be skipped, or no readable replacement was found.
    """
    try:
        sequence.write(indices, epoch, rows)
    except DataError:
        if not sequence.skips_bad_samples:
            raise
    else:
        return ()
    bad: list[BadSample] = []
    for row in range(len(indices)):
        one = map_structure(lambda array, row=row: array[row : row + 1], rows)
        try:
            sequence.write(indices[row : row + 1], epoch, one)
        except DataError as error:
            bad.append(_replace(sequence, int(indices[row]), epoch, one, error))
    return tuple(bad)


def _replace(sequence: Any, index: int, epoch: int, row: tuple[Any, ...], error: DataError) -> BadSample:
    generator = replacement_generator(sequence.seed, epoch if sequence.training else 0, index)
    tried = {index}
    for position in generator.integers(len(sequence.indices), size=_MOST_DRAWS).tolist():
        candidate = int(sequence.indices[position])
        if candidate in tried:
            continue
        tried.add(candidate)
        try:
            sequence.write(np.array([candidate]), epoch, row)
        except DataError:
            continue
        mistake = error.mistakes[0]
        return BadSample(index, mistake.where or sequence.describe(index), mistake.message.splitlines()[0], candidate)
    others = f"nor can {len(tried) - 1} other samples that were drawn in its place"
    raise DataError([*error.mistakes, Mistake(others, fix="run `seqtrain check --data`, which lists all that is bad")])


def replaced(indices: npt.NDArray[np.integer], bad: Sequence[BadSample]) -> npt.NDArray[np.integer]:
    """The samples of a batch after replacement.

    Args:
        indices: The samples before replacement.
        bad: The samples that were replaced.
    """
    others = {sample.index: sample.replaced_by for sample in bad}
    return np.array([others.get(index, index) for index in indices.tolist()], dtype=np.int64) if bad else indices


class BadSamples:
    """All bad samples of a run, each listed once, with a limit on their number.

    Args:
        limits: For each side, how many different samples may be replaced.

    Example:
        bad_samples = BadSamples({"train": 50, "val": 10})
        bad_samples.on_new = lambda side, new: bad_samples.write_csv(folder / "bad_samples.csv")
    """

    def __init__(self, limits: Mapping[Side, int]) -> None:
        self._limits = dict(limits)
        self._found: dict[Side, dict[int, BadSample]] = {side: {} for side in self._limits}
        self._lock = threading.RLock()  # training and validation batches are taken in different threads
        self.on_new: Callable[[Side, tuple[BadSample, ...]], None] = lambda side, new: None

    def __len__(self) -> int:
        return sum(len(found) for found in self._found.values())

    def add(self, side: Side, found: Sequence[BadSample]) -> None:
        """Adds the bad samples of a batch; calls `on_new` with those that are new.

        Raises:
            DataError: when the side's limit is exceeded.
        """
        if not found:
            return
        with self._lock:
            known = self._found[side]
            new = {sample.index: sample for sample in found if sample.index not in known}
            known |= new
            if new:
                self.on_new(side, tuple(new.values()))
            if len(known) > self._limits[side]:
                raise self._too_many(side)

    def rows(self) -> Iterator[tuple[str, int, str, str]]:
        """Side, sample, file and error of each bad sample: training first, each side in the order of discovery."""
        for side, found in self._found.items():
            yield from ((side, sample.index, sample.where, sample.error) for sample in found.values())

    def write_csv(self, path: Path) -> None:
        """Writes `rows` as a CSV, atomically."""
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        with self._lock:
            table.writerow(("side", "sample", "file", "error"))
            table.writerows(self.rows())
            write_text(path, text.getvalue())

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """The state for a checkpoint, as plain JSON data."""
        with self._lock:
            return {side: [asdict(sample) for sample in found.values()] for side, found in self._found.items()}

    def restore(self, state: Mapping[str, Sequence[Mapping[str, Any]]] | None) -> None:
        """Restores the result of `state`; None, from a run without bad samples, clears the list."""
        with self._lock:
            for side in self._found:
                samples = [BadSample(**sample) for sample in (state or {}).get(side, ())]
                self._found[side] = {sample.index: sample for sample in samples}

    def _too_many(self, side: Side) -> DataError:
        found, limit = self._found[side], self._limits[side]
        named = [f"{sample.where}: {sample.error}" for sample in found.values()]
        return DataError(
            f"{len(found)} {_SIDES[side]} samples cannot be read",
            expected=f"at most {limit}, which on_bad_sample.max allows",
            received=listed(named, _MOST_NAMED, rest="\n    and {more} more", separator="\n    "),
            fix="mend or remove these files; or raise on_bad_sample.max",
        )
