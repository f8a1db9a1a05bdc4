"""Shows the facts about all samples of a run (classes, files, masks, ranges) as tables and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seqtrain.reports.data_survey import Survey
from seqtrain.reports.terminal import columns, indented
from seqtrain.structure import FieldSpec, named_leaves
from seqtrain.text import listed, number

if TYPE_CHECKING:
    from rich.console import RenderableType

_MAX_CLASSES = 20
_MAX_SIZES = 6
_MAX_CHANNELS = 12


def survey_json(survey: Survey) -> dict[str, Any]:
    """The facts about one side as a JSON document, with all classes, sizes and channels."""
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
    for name in survey.targets:
        statistics = survey.class_statistics(name)
        if statistics is not None:
            counted = statistics.to_json()
            document["classes"][name] = {"counts": counted["classes"], "imbalance": counted["imbalance"]}
    for name in survey.names("files"):
        kinds, sizes = survey.file_table(name)
        document["files"][name.removeprefix("files.")] = {"kinds": dict(kinds), "sizes": dict(sizes)}
    for name in survey.pixels:
        document["masks"][name] = {"shares": _mask_shares(survey, name), "empty": survey.empty_masks[name]}
    return document


def survey_parts(surveys: Mapping[str, Survey]) -> list[RenderableType]:
    """The facts about both sides as tables for the terminal, with one column per side where they are compared."""
    first = surveys["train"]
    parts: list[RenderableType] = []
    for side, survey in surveys.items():
        count = survey.sequence.num_samples if first.sequence.unit == "batches" else survey.num_read
        parts.append(f"{side:5}  {count} {survey.sequence.unit} read")
    for name in first.targets:
        parts += _class_parts(surveys, name)
    for name in first.pixels:
        parts += _mask_parts(surveys, name)
    for name in first.names("files"):
        tables = [survey.file_table(name) for survey in surveys.values()]
        kinds, sizes = (sum((table[part] for table in tables), Counter()) for part in (0, 1))
        parts += ["", f"files of {name.removeprefix('files.')}", f"  kinds  {_counts(kinds)}"]
        parts += [f"  sizes  {_counts(sizes)}"] if sizes else []
    return parts + _range_parts(first)


def _class_parts(surveys: Mapping[str, Survey], name: str) -> list[RenderableType]:
    counted = {side: survey.class_statistics(name) for side, survey in surveys.items()}
    known = {side: statistics for side, statistics in counted.items() if statistics is not None}
    if not known:
        return []
    names = list(next(iter(known.values())).to_json()["classes"])
    shares = {side: _share(statistics.counts) for side, statistics in known.items()}
    rows = [
        [label, *(f"{known[side].counts[index]}  {shares[side][index]:5.1%}" for side in known)]
        for index, label in enumerate(names[:_MAX_CLASSES])
    ]
    rows.append(["largest / smallest", *(f"{statistics.imbalance:.2f}" for statistics in known.values())])
    more = [f"  and {len(names) - _MAX_CLASSES} more, see --json"] if len(names) > _MAX_CLASSES else []
    return ["", f"classes of {name}", _table(rows, known), *more]


def _mask_parts(surveys: Mapping[str, Survey], name: str) -> list[RenderableType]:
    shares = {side: _mask_shares(survey, name) for side, survey in surveys.items()}
    labels = list(shares["train"])[:_MAX_CLASSES]
    rows = [[label, *(f"{share[label]:.2%}" for share in shares.values())] for label in labels]
    rows.append(["empty masks", *(f"{survey.empty_masks.get(name, 0)}" for survey in surveys.values())])
    return ["", f"pixels of {name}", _table(rows, surveys)]


def _mask_shares(survey: Survey, name: str) -> dict[str, float]:
    counts = survey.pixels[name][:-1].tolist()
    _, names = survey.classes_of(name)
    labels = names or tuple(map(str, range(len(counts))))
    return {label: round(share, 6) for label, share in zip(labels, _share(counts), strict=True)}


def _range_parts(survey: Survey) -> list[RenderableType]:
    """The ranges of all channels, except of classes; and mean and std of the inputs in YAML, to be copied."""
    rows: list[list[str]] = []
    notes: list[str] = []
    spec = dict(named_leaves(survey.sequence.inner.spec or ()))
    for name, ranges in survey.ranges.items():
        if name in survey.targets or (name in spec and spec[name].vocabulary_size is not None):
            continue
        ranges_json = ranges.to_json()
        values = list(zip(*ranges_json.values(), strict=True))
        for channel, of_channel in enumerate(values[:_MAX_CHANNELS]):
            label = _channel_name(name, channel, len(values), spec.get(name))
            rows.append([label, *map(number, of_channel)])
        if len(values) > _MAX_CHANNELS:
            notes.append(f"  {name} has {len(values) - _MAX_CHANNELS} channels more, see --json")
        elif name.split(".")[0] == "x" and _is_unscaled(spec.get(name)):
            arguments = (f"{key}: [{', '.join(map(_plain, ranges_json[key]))}]" for key in ("mean", "std"))
            notes.append(f"  {name}, for the model: {', '.join(arguments)}")
        elif name in spec and spec[name].columns:
            notes.append(f"  {name} is scaled, as the model sees it: in the training part to mean 0 and std 1")
    if not rows:
        return []
    table = _table(rows, ("min", "max", "mean", "std"))
    return ["", "values of the training part, before augmentation", table, *notes]


def _channel_name(field: str, channel: int, num_channels: int, spec: FieldSpec | None) -> str:
    """The name of a column, or the field's name with the channel's number."""
    if spec is not None and len(spec.columns) == num_channels:
        return f"{field} {spec.columns[channel]}"
    return f"{field}[{channel}]" if num_channels > 1 else field


def _is_unscaled(spec: FieldSpec | None) -> bool:
    """Whether the mean is useful for the model: tables and series are already scaled, and ids have no mean."""
    return spec is None or spec.kind == "pixels" or (spec.kind is None and len(spec.shape) > 1)


def _plain(value: float | None) -> str:
    return "null" if value is None else f"{value:.6g}"


def _share(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _counts(counter: Counter[str]) -> str:
    counts = [f"{name}: {count}" for name, count in counter.most_common()]
    return listed(counts, _MAX_SIZES, rest=", and {more} more")


def _table(rows: Sequence[Sequence[str]], header: Collection[str]) -> RenderableType:
    """A table whose first column has no heading and is aligned to the left, and the others to the right."""
    return indented(columns(rows, ["", *header], right=[*header]))
