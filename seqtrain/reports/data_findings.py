"""Finds mistakes in the data of a run that would break training, and anomalies that deserve a warning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, Mistake
from seqtrain.reports.data_survey import Survey
from seqtrain.reports.duplicates import exact_groups, near_pairs
from seqtrain.reports.file_facts import DIGEST_BYTES, FORMATS, kind_names, size_names
from seqtrain.reports.sample_facts import NO_LABEL
from seqtrain.text import counted, listed

MOST_NAMED = 5

_COMMON, _RARE = 0.9, 0.01
_STRANGE_AREA, _STRANGE_SHAPE = 16.0, 4.0
_MASK_OF_ONE_CLASS = 0.5
_SIDES = {"train": "training", "val": "validation"}


@dataclass
class Findings:
    """The findings, as sentences for users and as data for scripts.

    Attributes:
        mistakes: Mistakes that would break training.
        warnings: Anomalies.
        bad_files: The files or rows of samples that would break training, or that a run would skip.
        document: Counts and lists for the JSON document.
    """

    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    bad_files: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def add_mistake(self, survey: Survey, items: Sequence[int], message: str, fix: str) -> None:
        """Adds a mistake that names the affected samples; does nothing without samples."""
        if items:
            names = [survey.describe(item) for item in items]
            self.bad_files += names if survey.sequence.splits_rows else []
            self.mistakes.append(Mistake(message, received=listed(names, MOST_NAMED), fix=fix))

    def add_warning(self, survey: Survey, items: Sequence[int], message: str) -> None:
        """Adds a warning that names the affected samples; does nothing without samples."""
        if items:
            self.warnings.append(f"{message} {listed([survey.describe(item) for item in items], MOST_NAMED)}")


def check_values(side: str, survey: Survey, found: Findings) -> None:
    """Looks for NaN, Inf, labels and ids that are no class, constant images, empty masks and missing classes."""
    for name, items in survey.not_finite.items():
        found.add_mistake(survey, items, f"{name} has NaN or Inf in {_samples(side, items)}", "mend or remove them")
    for name, items in survey.no_class.items():
        found.add_mistake(survey, items, f"{name} has ids of no class in {_samples(side, items)}", "mend the masks")
    for name in survey.targets:
        num_classes, _ = survey.classes_of(name)
        labels = survey.fact(f"labels.{name}")
        if num_classes:
            outside = ((labels < 0) | (labels >= num_classes)) & (labels != NO_LABEL)
            values = ", ".join(map(str, np.unique(labels[outside])[:MOST_NAMED]))
            text = f"{name} has labels of no class ({values}; classes are 0 to {num_classes - 1})"
            items = survey.fact("item")[outside].tolist()
            found.add_mistake(survey, items, f"{text} in {_samples(side, items)}", "correct the labels")
        statistics = survey.class_statistics(name)
        if statistics is not None:
            found.warnings += [f"{side}: {name}: {warning}" for warning in statistics.warnings]
    found.add_warning(survey, survey.constant, f"{side}: the picture has one value everywhere in")
    for name, count in survey.empty_masks.items():
        if count > _MASK_OF_ONE_CLASS * survey.num_read:
            found.warnings.append(f"{side}: {name}: {count} of {survey.num_read} masks hold the background alone")


def check_files(side: str, survey: Survey, found: Findings) -> None:
    """Looks for file names that do not match the content, and for unusual formats and sizes."""
    items = survey.fact("item")
    misnamed: list[str] = found.document.setdefault("misnamed", [])
    for name in survey.names("files"):
        codes = survey.fact(name)
        wrong = np.flatnonzero(codes[:, 4])
        paths = [_path(survey, int(items[row]), name) for row in wrong]
        misnamed += paths
        if paths:
            kinds = ", ".join(sorted({FORMATS[codes[row, 0]] for row in wrong}))
            found.warnings.append(
                f"{side}: {listed(paths, MOST_NAMED)}: by the first bytes {kinds}, by the name something else"
            )
        kinds_of, sizes = kind_names(codes), size_names(codes)
        odd_sizes = np.union1d(_outliers(sizes), _strange_sizes(codes))
        for what, values, rows in (("kind", kinds_of, _outliers(kinds_of)), ("size", sizes, odd_sizes)):
            if len(rows):
                names = [f"{_path(survey, int(items[row]), name)} ({values[row]})" for row in rows.tolist()]
                found.warnings.append(f"{side}: {listed(names, MOST_NAMED)}: of another {what} than the others")


def find_copies(surveys: Mapping[str, Survey], allow_leakage: bool, found: Findings) -> None:
    """Looks for exact and near copies; an exact copy on the other side of the split is a mistake."""
    joined = _AllSamples(surveys)
    groups = exact_groups(joined.digests)
    across = [group for group in groups if len(set(joined.sides[group].tolist())) > 1]
    within = [group for group in groups if len(set(joined.sides[group].tolist())) == 1]
    pairs = near_pairs(joined.thumbnails) if len(joined.thumbnails) else np.zeros((0, 2), np.int64)
    pairs = pairs[(joined.digests[pairs[:, 0]] != joined.digests[pairs[:, 1]]).any(axis=1)]
    is_apart = joined.sides[pairs[:, 0]] != joined.sides[pairs[:, 1]]
    pairs, apart = pairs[np.argsort(~is_apart, kind="stable")], int(np.count_nonzero(is_apart))
    counts = {"groups": len(groups), "samples": sum(map(len, groups)), "groups_across_splits": len(across)}
    found.document["duplicates"] = {**counts, **joined.examples([*across, *within], len(across))}
    counts = {"pairs": len(pairs), "pairs_across_splits": apart}
    found.document["near_duplicates"] = {**counts, **joined.examples(pairs, apart)}
    if across:
        _add_leakage(joined, across, allow_leakage, found)
    if within:
        count, example = sum(len(group) - 1 for group in within), " = ".join(joined.names(within[0])[:2])
        found.warnings.append(f"{_copies(count)} on the same side of the split, such as {example}")
    has_labels = len(joined.labels) > 0  # not if there are several targets
    conflicts = [group for group in groups if has_labels and len(set(joined.labels[group].tolist())) > 1]
    if conflicts and joined.is_strict:
        example = " = ".join(joined.names(conflicts[0])[:2])
        found.warnings.append(f"{_copies(len(conflicts))} with another label than the original, such as {example}")
    if len(pairs):
        example = " ~ ".join(joined.names(pairs[0]))
        found_pairs = "1 pair of pictures is" if len(pairs) == 1 else f"{len(pairs)} pairs of pictures are"
        across_too = f"; {apart} across the split, this one too" if apart else ""
        found.warnings.append(f"{found_pairs} nearly alike, such as {example}{across_too}")


def _add_leakage(joined: _AllSamples, across: list[Any], allow: bool, found: Findings) -> None:
    leaked = sum(int(np.count_nonzero(joined.sides[group])) for group in across)
    examples = [" = ".join(joined.names(group)[:3]) for group in across[:MOST_NAMED]]
    message = f"{leaked} validation sample{'s are' if leaked > 1 else ' is'} in training too, byte for byte"
    if allow or not joined.is_strict:
        found.warnings.append(f"{message}, such as {examples[0]}")
        return
    copies_to_remove: list[str] = []
    is_named_twice = False
    for group in across:
        trained = joined.names(group[joined.sides[group] == 0])
        copies = joined.names(group[joined.sides[group] > 0])
        copies_to_remove += [name for name in copies if name not in trained and joined.are_named]
        is_named_twice = is_named_twice or not set(trained).isdisjoint(copies)
    found.bad_files += copies_to_remove
    where = " (bad_files.txt lists them)" if copies_to_remove else ""
    where += ", and a row where two name one file" if is_named_twice else ""
    rest = f"\n    and {len(across) - MOST_NAMED} more" if len(across) > MOST_NAMED else ""
    found.mistakes.append(
        Mistake(
            message,
            expected="none, as validation looks better than it is",
            received="\n    ".join(examples) + rest,
            fix=f"remove the copies{where}, or split by group; --allow-leakage lets them pass",
        )
    )


class _AllSamples:
    """The samples of both sides; constant images that are not files get no digest, since black slices are no copies.

    Attributes:
        are_named: Whether samples have names; those of a class that makes whole batches have none.
        is_strict: Whether equal samples must be copies: files and images, but not rows of a few values.
    """

    def __init__(self, surveys: Mapping[str, Survey]) -> None:
        self._surveys = list(surveys.values())
        self._names = list(surveys)
        self.are_named = all(survey.sequence.splits_rows for survey in self._surveys)
        self.is_strict = any(s.sequence.file_fields or "thumbnail" in s.names("thumbnail") for s in self._surveys)
        self.sides = np.repeat(np.arange(len(self._surveys)), [len(s.fact("item")) for s in self._surveys])
        self.items = np.concatenate([s.fact("item") for s in self._surveys])
        self.digests: npt.NDArray[np.uint8] = np.concatenate([_digests(s) for s in self._surveys])
        self.labels = self._joined("labels.y")
        self.thumbnails = self._joined("thumbnail")

    def _joined(self, name: str) -> npt.NDArray[Any]:
        """One fact of both sides; empty if a side does not have it."""
        has_it = all(survey.names(name) for survey in self._surveys)
        return np.concatenate([survey.fact(name) for survey in self._surveys]) if has_it else self.items[:0]

    def names(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The files or rows of some samples."""
        places = ((int(self.sides[row]), int(self.items[row])) for row in rows)
        names = [(self._names[side], self._surveys[side].describe(item)) for side, item in places]
        return [name if self.are_named else f"{side}, {name}" for side, name in names]

    def examples(self, groups: Sequence[npt.NDArray[np.int64]], num_across: int) -> dict[str, list[list[str]]]:
        """The names of copies for JSON: of the first `num_across` groups, which are across the split, and examples."""
        across = groups[: min(num_across, MOST_LISTED)]
        return {
            "across_splits": [self.names(group) for group in across],
            "examples": [self.names(group) for group in groups[:MOST_NAMED]],
        }


def _digests(survey: Survey) -> Any:
    digests = survey.fact("digest")
    if not digests.size:
        return np.zeros((0, DIGEST_BYTES), np.uint8)
    if not survey.sequence.file_fields and survey.constant:
        digests = np.where(np.isin(survey.fact("item"), survey.constant)[:, None], 0, digests).astype(np.uint8)
    return digests


def _copies(count: int) -> str:
    return "1 sample is an exact copy" if count == 1 else f"{count} samples are exact copies"


def _samples(side: str, items: Sequence[int]) -> str:
    return counted(len(items), f"{_SIDES[side]} sample")


def _path(survey: Survey, item: int, name: str) -> str:
    inner = survey.sequence.inner
    index = int(inner.source_indices(np.array([item]))[0])
    return str(inner.source[index][name.removeprefix("files.")])


def _outliers(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The rows with a rare name, if nearly all rows have the same name."""
    counts = Counter(names)
    if not counts or counts.most_common(1)[0][1] < _COMMON * len(names):
        return np.zeros(0, np.int64)
    rare = {name for name, count in counts.items() if count <= max(1, _RARE * len(names))}
    return np.flatnonzero([bool(name) and name in rare for name in names]) if len(counts) > 1 else np.zeros(0, np.int64)


def _strange_sizes(codes: Any) -> npt.NDArray[np.int64]:
    sizes = codes[:, 2:4].astype(np.float64)
    known = (sizes > 0).all(axis=1)
    if not known.any():
        return np.zeros(0, np.int64)
    sizes = np.where(known[:, None], sizes, 1.0)
    area, shape = sizes.prod(axis=1), sizes[:, 0] / sizes[:, 1]
    of_area, of_shape = np.median(area[known]), np.median(shape[known])
    ratio = np.maximum(area / of_area, of_area / area)
    # Portrait and landscape format count as the same shape.
    turned = np.minimum(np.abs(np.log(shape / of_shape)), np.abs(np.log(shape * of_shape)))
    return np.flatnonzero(known & ((ratio >= _STRANGE_AREA) | (turned >= np.log(_STRANGE_SHAPE))))
