"""The page of `inspect-batches`: what was looked at, in one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seqtrain.reports.fields import Field
from seqtrain.reports.page import Block, Code, Figures, Heading, Picture, Section, Table, Text
from seqtrain.reports.statistics import BatchStatistics

_MOST_CLASSES = 60  # in a table


def overview_section(sides: Mapping[str, Mapping[str, Any]]) -> Section:
    """Samples, batches and classes of both sides.

    Args:
        sides: For "train" and "val" what `inspect-batches --json` prints of them.
    """
    figures = {}
    for side, title in (("train", "training"), ("val", "validation")):
        figures[f"{title} samples"] = str(sides[side]["samples"])
        figures[f"{title} batches"] = str(sides[side]["batches"])
    blocks: list[Block] = [Figures(figures)]
    counts = {side: sides[side].get("classes") or {} for side in sides}
    names = list(dict.fromkeys(name for each in counts.values() for name in each))
    if names:
        rows = [[name, *(each.get(name) for each in counts.values())] for name in names[:_MOST_CLASSES]]
        blocks += [Heading("Classes"), Table(rows, ["class", *counts])]
    if len(names) > _MOST_CLASSES:
        blocks.append(Text(f"and {len(names) - _MOST_CLASSES} more classes", is_faint=True))
    warnings = [f"{side}: {warning}" for side in sides for warning in sides[side].get("warnings", ())]
    return Section("Split", [*blocks, *_warned(warnings)])


def batch_section(
    title: str,
    statistics: BatchStatistics,
    fields: Sequence[Field],
    rows: str,
    sheet: Path | None,
    lines: Sequence[str] = (),
) -> Section:
    """One batch: its picture or its first rows, its numbers and labels, and what is likely wrong.

    Args:
        title: Of the batch.
        statistics: In numbers.
        fields: Its arrays, and what they hold.
        rows: Its first rows, which stand for a picture where there is none.
        sheet: The PNG that was drawn of it.
        lines: What else there is to say.
    """
    blocks: list[Block] = [*_warned(statistics.warnings), *(Text(line) for line in lines)]
    if sheet is not None:
        blocks.append(Picture(sheet, f"{title}: {sheet.name}"))
    else:
        blocks.append(Code(rows))
    measured = [
        [name, str(tuple(f.shape)), f.dtype, f.minimum, f.maximum, f.mean] for name, f in statistics.fields.items()
    ]
    blocks.append(Table(measured, ["field", "shape", "dtype", "min", "max", "mean"]))
    for field in fields:
        counts = statistics.label_counts.get(field.name)
        if counts:
            unit = "pixels" if field.kind == "mask" else "samples"
            of_classes = [[field.class_name(label), count] for label, count in list(counts.items())[:_MOST_CLASSES]]
            blocks += [
                Heading(f"Labels{'' if field.name == 'y' else f' of {field.name}'}"),
                Table(of_classes, ["", unit]),
            ]
    return Section(title, blocks)


def worst_section(worst: Sequence[tuple[float, str, str, str, str]]) -> Section:
    """What to look at first, over all batches.

    Args:
        worst: In order; of each its rank, sample, batch, target and prediction.
    """
    return Section("To look at first", [Table([row[1:] for row in worst], ["sample", "batch", "target", "prediction"])])


def _warned(warnings: Sequence[str]) -> list[Block]:
    return [Text(f"Warning: {warning}") for warning in warnings]
