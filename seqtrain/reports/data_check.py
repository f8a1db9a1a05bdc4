"""Reads every sample once, with the run's sequences and loader, and reports errors and anomalies."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from tqdm import tqdm

from seqtrain import console
from seqtrain.config.load import LoadedConfig
from seqtrain.errors import DataError, Mistake, SeqtrainError
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.loading.tuning import num_cores
from seqtrain.reports.data_findings import MOST_NAMED, Findings, check_files, check_values, find_copies
from seqtrain.reports.data_survey import Survey
from seqtrain.reports.data_tables import survey_json
from seqtrain.reports.sample_facts import FactSequence
from seqtrain.sources.base import Source
from seqtrain.text import counted, listed


@dataclass(kw_only=True)
class DataCheck(Findings):
    """The result of `check --data`.

    Attributes:
        samples: The number of samples of both sides.
        batches: The number of batches in an epoch of each side.
        surveys: The facts about the samples of each side.
        bad_files_list: The file that lists the bad files; None if there are none.
    """

    samples: int
    batches: dict[str, int]
    surveys: dict[str, Survey]
    bad_files_list: Path | None = None

    @property
    def error(self) -> DataError | None:
        """All mistakes that would break training; None if there are none."""
        return DataError(self.mistakes) if self.mistakes else None

    @property
    def num_read(self) -> int:
        """The number of samples that could be read."""
        if all(survey.sequence.splits_rows for survey in self.surveys.values()):
            return self.samples - sum(len(survey.bad_items) for survey in self.surveys.values())
        return sum(survey.num_read for survey in self.surveys.values())

    def verdict(self) -> dict[str, Any]:
        """The first keys of the JSON document, as for every command: the status, and the mistakes."""
        if self.error is None:
            return {"status": "ok"}
        mistakes = [asdict(mistake) for mistake in self.mistakes]
        return {"status": "failed", "exit_code": self.error.exit_code, "mistakes": mistakes}

    def to_json(self) -> dict[str, Any]:
        """The document that `check --data --json` prints."""
        return {
            "samples": self.samples,
            "batches": self.batches,
            "warnings": self.warnings,
            **{side: survey_json(survey) for side, survey in self.surveys.items()},
            **self.document,
            "bad_samples": self.bad_files,
            "bad_files": None if self.bad_files_list is None else str(self.bad_files_list),
        }


def check_data(loaded: LoadedConfig, out: Path | None = None, allow_leakage: bool = False) -> DataCheck:
    """Reads both sides of the split with the run's workers, and looks for errors and anomalies.

    Args:
        loaded: The config.
        out: The folder of `bad_files.txt`; without one, nothing is written.
        allow_leakage: Whether copies of training samples may be in the validation part.

    Raises:
        SeqtrainError: when the data cannot be listed or divided, or the loader fails.
    """
    try:
        data = open_data(loaded)
    except DataError as error:
        if out is not None:
            _write_list([mistake.where for mistake in error.mistakes if _is_in_a_file(mistake.where)], out)
        raise
    sides = {"train": data.split.train, "val": data.split.val}
    surveys = {side: Survey(FactSequence(_surveyed(data, side))) for side, indices in sides.items() if len(indices)}
    _read(surveys, data)
    check = DataCheck(
        samples=sum(map(len, sides.values())),
        batches={"train": len(data.train), "val": len(data.val) if data.val is not None else 0},
        surveys=surveys,
    )
    for side, survey in surveys.items():
        _check_unreadable(side, survey, loaded, len(sides[side]), check)
        _check_count(side, survey, len(sides[side]), check)
        check_values(side, survey, check)
        check_files(side, survey, check)
    find_copies(surveys, allow_leakage, check)
    check.warnings += overlap_warnings(data.source, _with_overlaps(data.source))
    check.mistakes = list(dict.fromkeys(check.mistakes))  # all slices of a damaged volume have the same mistake
    check.warnings = list(dict.fromkeys(check.warnings))
    check.bad_files = list(dict.fromkeys(check.bad_files))
    check.bad_files_list = None if out is None else _write_list(check.bad_files, out)
    return check


def overlap_warnings(source: Any, overlapping: Sequence[int]) -> list[str]:
    """A warning about samples whose mask has objects that overlap; empty without such samples."""
    if not overlapping:
        return []
    count = counted(len(overlapping), "sample")
    return [f"objects overlap in {count}, such as {source.describe(overlapping[0])}: a pixel has the class of one"]


def _surveyed(data: Data, side: str) -> Any:
    """The sequence of a side whose samples are read.

    A class written for Keras may draw its samples, and has the random numbers of its side only in the form that is
    trained on; one that takes `training` is told to neither shuffle nor augment.
    """
    if data.train.indices is None and not data.knows_training:
        return data.unweighted if side == "train" else data.val
    return data.sequence(data.split.train if side == "train" else data.split.val)


def _check_count(side: str, survey: Survey, given: int, found: Findings) -> None:
    """Compares the samples in all batches of a class written for Keras with those that it was given."""
    inner = survey.sequence.inner
    if inner.indices is None and inner.has_end and not survey.bad_batches and survey.num_read != given:
        words = f"the batches of {inner.owner_name} hold {survey.num_read} samples, where {given} were given"
        found.warnings.append(f"{side}: {words} to it")


def _read(surveys: dict[str, Survey], data: Data) -> None:
    units = {survey.sequence.unit for survey in surveys.values()}
    total = sum(survey.sequence.num_samples for survey in surveys.values())
    task, shown = "reading every sample", console.display()
    with (
        console.status(task, "none" if shown == "bar" else shown),
        tqdm(
            total=total,
            desc=task,
            unit=f" {units.pop()}",
            dynamic_ncols=True,
            leave=False,
            file=sys.stderr,
            disable=shown != "bar",
        ) as bar,
    ):
        for survey in surveys.values():
            survey.read(data.workers, bar.update)


def _check_unreadable(side: str, survey: Survey, loaded: LoadedConfig, num_samples: int, found: Findings) -> None:
    """Adds a mistake for each sample or batch that could not be read, or one warning if the config skips that many."""
    inner = survey.sequence.inner
    with ThreadPoolExecutor(num_cores()) as pool:
        mistakes_by_item = list(pool.map(lambda item: _mistakes_of_sample(inner, item), survey.bad_items))
    found.bad_files += [
        _file_of(each[0], inner.describe(item)) for each, item in zip(mistakes_by_item, survey.bad_items, strict=True)
    ]
    mistakes = [mistake for each in mistakes_by_item for mistake in each]
    skips = loaded.config.on_bad_sample
    most = skips.most(num_samples) if skips.action == "skip" else 0
    if survey.bad_items and len(survey.bad_items) <= most:
        lines = [str(mistake).splitlines()[0] for mistake in mistakes]
        text = listed(lines, MOST_NAMED, rest="; and {more} more", separator="; ")
        found.warnings.append(f"{side}: {len(survey.bad_items)} of at most {most} bad samples will be skipped: {text}")
    else:
        found.mistakes += mistakes
    for position in survey.bad_batches:
        found.mistakes += _mistakes_of_batch(inner, position)


def _file_of(mistake: Mistake, described: str) -> str:
    return mistake.where if _is_file(mistake.where) else described


def _is_in_a_file(where: str | None) -> TypeGuard[str]:
    """Whether a place is a file, or a line or a row of one."""
    return where is not None and _is_file(re.sub(r":[0-9]+$|\[[0-9]+\]$", "", where))


def _is_file(where: str | None) -> TypeGuard[str]:
    return where is not None and Path(where).is_file()


def _mistakes_of_sample(sequence: Any, index: int) -> tuple[Mistake, ...]:
    try:
        sequence.write(np.array([index]), 0, sequence.allocate(1))
    except SeqtrainError as error:
        return error.mistakes
    except Exception as error:
        return (Mistake(f"{sequence.describe(index)} cannot be read: {type(error).__name__}: {error}"),)
    return (Mistake("can be read at times only", where=sequence.describe(index), fix="check the disk or the network"),)


def _mistakes_of_batch(sequence: Any, position: int) -> tuple[Mistake, ...]:
    try:
        sequence.batch(0, position)
    except SeqtrainError as error:
        return error.mistakes
    except Exception as error:
        return (Mistake(f"batch {position}: {type(error).__name__}: {error}"),)
    return (Mistake(f"batch {position} can be made at times only", fix="check the disk or the network"),)


def _with_overlaps(source: Source) -> list[int]:
    """The samples whose mask has objects that overlap."""
    if not source.has_objects:
        return []

    def overlaps(index: int) -> bool:
        try:
            return bool(source.overlaps(index))
        except SeqtrainError:  # reported with the samples that cannot be read
            return False

    with ThreadPoolExecutor(num_cores()) as pool:
        return [index for index, found in enumerate(pool.map(overlaps, range(len(source)))) if found]


def _write_list(names: Sequence[str], out: Path) -> Path | None:
    """Writes one name per line; without names, empties an existing file and creates none."""
    path = out / "bad_files.txt"
    if not names and not path.exists():
        return None
    out.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8", errors="surrogateescape")
    return path
