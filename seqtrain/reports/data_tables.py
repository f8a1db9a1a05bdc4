"""What all samples of a run are like, in tables: classes, files, masks, ranges. For a person, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from seqtrain.reports.data_findings import class_statistics, classes_of_target, file_table
from seqtrain.reports.data_survey import Survey
from seqtrain.structure import FieldSpec, named_leaves
from seqtrain.text import aligned, listed

_MOST_CLASSES = 20
_MOST_SIZES = 6
_MOST_CHANNELS = 12


def survey_json(survey: Survey) -> dict[str, Any]:
    """One side, with all classes, sizes and channels."""
    document: dict[str, Any] = {
        survey.sequence.unit: survey.sequence.num_samples,
        "read": survey.num_read,
        "unreadable": len(survey.bad_items) + len(survey.bad_batches),
        "constant": len(survey.constant),
        "fields": {name: ranges.to_json() for name, ranges in survey.ranges.items()},
        "classes": {},
        "files": {},
        "masks": {},
    }
    for name in _targets(survey):
        statistics = class_statistics(survey, name)
        if statistics is not None:
            counted = statistics.to_json()
            document["classes"][name] = {"counts": counted["classes"], "imbalance": counted["imbalance"]}
    for name in survey.names("files"):
        kinds, sizes = file_table(survey, name)
        document["files"][name.removeprefix("files.")] = {"kinds": dict(kinds), "sizes": dict(sizes)}
    for name in survey.pixels:
        document["masks"][name] = {"shares": _mask_shares(survey, name), "empty": survey.empty_masks[name]}
    return document


def surveys_text(surveys: Mapping[str, Survey]) -> str:
    """Both sides, beside each other where they are compared."""
    rows = [f"{side:5}  {survey.num_read} {survey.sequence.unit} read" for side, survey in surveys.items()]
    first = surveys["train"]
    if first.sequence.unit == "batches":
        rows = [f"{side:5}  {survey.sequence.num_samples} batches read" for side, survey in surveys.items()]
    for name in _targets(first):
        rows += _class_lines(surveys, name)
    for name in first.pixels:
        rows += _mask_lines(surveys, name)
    for name in first.names("files"):
        tables = [file_table(survey, name) for survey in surveys.values()]
        kinds, sizes = (sum((table[part] for table in tables), Counter()) for part in (0, 1))
        rows += ["", f"files of {name.removeprefix('files.')}", f"  kinds  {_counts(kinds)}"]
        rows += [f"  sizes  {_counts(sizes)}"] if sizes else []
    return "\n".join(rows + _range_lines(first))


def _targets(survey: Survey) -> list[str]:
    return [name.removeprefix("labels.") for name in survey.names("labels")]


def _class_lines(surveys: Mapping[str, Survey], name: str) -> list[str]:
    counted = {side: class_statistics(survey, name) for side, survey in surveys.items()}
    known = {side: statistics for side, statistics in counted.items() if statistics is not None}
    if not known:
        return []
    names = next(iter(known.values())).to_json()["classes"].keys()
    shares = {side: _share(statistics.counts) for side, statistics in known.items()}
    rows = [("", *known)]
    for index, label in enumerate(list(names)[:_MOST_CLASSES]):
        rows.append((label, *(f"{known[side].counts[index]}  {shares[side][index]:5.1%}" for side in known)))
    rows.append(("largest / smallest", *(f"{statistics.imbalance:.2f}" for statistics in known.values())))
    more = [f"  and {len(names) - _MOST_CLASSES} more, see --json"] if len(names) > _MOST_CLASSES else []
    return ["", f"classes of {name}", *_aligned(rows), *more]


def _mask_lines(surveys: Mapping[str, Survey], name: str) -> list[str]:
    shares = {side: _mask_shares(survey, name) for side, survey in surveys.items()}
    rows = [("", *surveys)]
    for label in list(shares["train"])[:_MOST_CLASSES]:
        rows.append((label, *(f"{share[label]:.2%}" for share in shares.values())))
    rows.append(("empty masks", *(f"{survey.empty_masks.get(name, 0)}" for survey in surveys.values())))
    return ["", f"pixels of {name}", *_aligned(rows)]


def _mask_shares(survey: Survey, name: str) -> dict[str, float]:
    counts = survey.pixels[name][:-1].tolist()
    _, names = classes_of_target(survey, name)
    labels = names or tuple(map(str, range(len(counts))))
    return {label: round(share, 6) for label, share in zip(labels, _share(counts), strict=True)}


def _range_lines(survey: Survey) -> list[str]:
    """The channels of all fields but of classes; and what mean and deviation of the inputs are, to be copied."""
    rows: list[tuple[str, ...]] = [("", "min", "max", "mean", "std")]
    notes: list[str] = []
    spec = dict(named_leaves(survey.sequence.inner.spec or ()))
    for name, ranges in survey.ranges.items():
        if name in _targets(survey) or (name in spec and spec[name].vocabulary_size is not None):
            continue
        columns = ranges.to_json()
        values = list(zip(*columns.values(), strict=True))
        for channel, of_channel in enumerate(values[:_MOST_CHANNELS]):
            label = _channel_name(name, channel, len(values), spec.get(name))
            rows.append((label, *("-" if value is None else f"{value:.4g}" for value in of_channel)))
        if len(values) > _MOST_CHANNELS:
            notes.append(f"  {name} has {len(values) - _MOST_CHANNELS} channels more, see --json")
        elif name.split(".")[0] == "x" and _is_unscaled(spec.get(name)):
            told = (f"{key}: [{', '.join(map(_plain, columns[key]))}]" for key in ("mean", "std"))
            notes.append(f"  {name}, for the model: {', '.join(told)}")
        elif name in spec and spec[name].columns:
            notes.append(f"  {name} is scaled, as the model sees it: in the training part to mean 0 and std 1")
    return ["", "values of the training part, before augmentation", *_aligned(rows), *notes] if rows[1:] else []


def _channel_name(field: str, channel: int, num_channels: int, spec: FieldSpec | None) -> str:
    """A column by its name, where it has one."""
    if spec is not None and len(spec.columns) == num_channels:
        return f"{field} {spec.columns[channel]}"
    return f"{field}[{channel}]" if num_channels > 1 else field


def _is_unscaled(spec: FieldSpec | None) -> bool:
    """Whether a mean is of use: rows of tables and series have been scaled, and ids have none."""
    return spec is None or spec.kind == "pixels" or (spec.kind is None and len(spec.shape) > 1)


def _plain(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _share(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _counts(counter: Counter[str]) -> str:
    counts = [f"{name}: {count}" for name, count in counter.most_common()]
    return listed(counts, _MOST_SIZES, rest=", and {more} more")


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first column to the left, the others to the right."""
    return [f"  {line}" for line in aligned(rows, right=range(1, len(rows[0])))]
