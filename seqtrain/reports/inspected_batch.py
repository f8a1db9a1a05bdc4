"""One batch of `inspect-batches`: as text, as JSON, as an image and as a section of the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seqtrain.loading.bad_samples import BadSample
from seqtrain.reports.batch_predictions import BatchPredictions
from seqtrain.reports.batch_table import table
from seqtrain.reports.contact_sheet import MOST_IMAGES, Panel, Remark, contact_sheet
from seqtrain.reports.fields import Field
from seqtrain.reports.page import Block, Code, Heading, PageImage, Section, Table, Text
from seqtrain.reports.statistics import BatchStatistics, batch_statistics
from seqtrain.text import aligned, listed, number
from seqtrain.types import DataFormat

MOST_CLASSES = 30  # in a line
_MAX_IN_A_TABLE = 60


@dataclass(frozen=True)
class InspectedBatch:
    """One batch, with its statistics and, if requested, its predictions.

    Args:
        title: Its title, such as "train, epoch 0, batch 3 of 13".
        index: Its number in the epoch.
        sample_ids: The index in the source of each row; None if a class written for Keras does not tell.
        statistics: Its statistics.
        milliseconds: The time that the loader took to make it.
        fields: Its arrays with their kinds.
        name_of: Returns the file name of a sample of the source; "" if it is no file.
        data_format: The position of the channels of its images.
        bad: The samples that could not be read, with their replacements.
        before: The same samples before augmentation, if both are shown.
        predictions: A model's predictions for it.
        remarks: Lines under each sample, by row.
    """

    title: str
    index: int
    sample_ids: list[int] | None
    statistics: BatchStatistics
    milliseconds: float
    fields: Sequence[Field]
    name_of: Callable[[int], str]
    data_format: DataFormat
    bad: tuple[BadSample, ...] = ()
    before: Sequence[Field] | None = None
    predictions: BatchPredictions | None = None
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document that `inspect-batches --json` prints."""
        document = {
            "index": self.index,
            "sample_ids": self.sample_ids,
            **self.statistics.to_json(),
            "ms": round(self.milliseconds, 3),
        }
        if self.remarks:
            document["remarks"] = list(self.remarks)
        if self.before is not None:
            document["raw"] = batch_statistics(self.before).to_json()["fields"]
        if self.predictions is not None:
            document["predictions"] = self.predictions.to_json()
        return document

    @property
    def is_unchanged(self) -> bool:
        """Whether the batch before augmentation is shown too, and is the same."""
        pairs = zip(self.fields, self.before or (), strict=False)
        return self.before is not None and all(np.array_equal(after.array, before.array) for after, before in pairs)

    @property
    def lines(self) -> list[str]:
        """Remarks about the batch, in addition to the statistics."""
        lines = [f"sample {b.replaced_by} in place of {b.index}: {b.where}: {b.error}" for b in self.bad]
        if self.is_unchanged:
            lines.append("nothing is augmented: before and after are the same")
        return lines + ([] if self.predictions is None else self.predictions.lines())

    @property
    def rows(self) -> str:
        """The first rows as a table; with predictions, the worst ones."""
        if self.predictions is None:
            return table(self.fields, self.sample_ids)
        return table(self.fields, self.sample_ids, order=self.predictions.order, beside=self.predictions.columns())

    def sample_name(self, row: int) -> str:
        """The name of the sample of a row: its index and its file."""
        ids = self.sample_ids
        return f"row {row}" if ids is None else f"#{ids[row]} {self.name_of(ids[row])}".rstrip()

    def text(self) -> str:
        """The text for the terminal."""
        rows = [
            (name, str(f.shape), f.dtype, f"{number(f.min)} to {number(f.max)}", f"mean {number(f.mean)}")
            for name, f in self.statistics.fields.items()
        ]
        lines = [f"\n{self.title}  ({self.milliseconds:.1f} ms to make)", *(f"  {line}" for line in aligned(rows))]
        for field, counts in self._label_counts():
            text = listed([f"{field.class_name(label)}: {count}" for label, count in counts.items()], MOST_CLASSES)
            unit = "pixels" if field.kind == "mask" else "labels"
            lines.append(f"  {unit}{'' if field.name == 'y' else f' of {field.name}'}  {text}")
        lines += [f"  warning: {warning}" for warning in self.statistics.warnings]
        lines += [f"  {line}" for line in self.lines]
        if all(field.kind is None for field in self.fields):
            lines += ["", *("  " + line for line in self.rows.splitlines())]
        return "\n".join(lines)

    def section(self, sheet: Path | None) -> Section:
        """The section of the page: the contact sheet or the first rows, statistics, labels and warnings.

        Args:
            sheet: The PNG of its contact sheet, if there is one.
        """
        blocks: list[Block] = [Text(f"Warning: {warning}") for warning in self.statistics.warnings]
        blocks += [Text(line) for line in self.lines]
        blocks.append(Code(self.rows) if sheet is None else PageImage(sheet, f"{self.title}: {sheet.name}"))
        blocks.append(statistics_table(self.statistics))
        for field, counts in self._label_counts():
            of_classes = [[field.class_name(label), count] for label, count in list(counts.items())[:_MAX_IN_A_TABLE]]
            unit = "pixels" if field.kind == "mask" else "samples"
            blocks.append(Heading(f"Labels{'' if field.name == 'y' else f' of {field.name}'}"))
            blocks.append(Table(of_classes, ["", unit]))
        return Section(self.title, blocks)

    def sheet(self) -> Image.Image | None:
        """The contact sheet; with predictions, the worst ones come first. None if nothing can be drawn."""
        predictions, ids = self.predictions, self.sample_ids
        order = (predictions.order if predictions else None) or list(range(len(self.fields[0].array)))
        panels, over = (predictions.panels, predictions.over) if predictions else ([], [])
        if self.before is not None and not self.is_unchanged:  # predictions are for the augmented samples
            panels = [Panel("before", self.before), Panel("after", self.fields, over), *panels]
        else:
            shows_targets = any(field.kind == "mask" for panel in panels for field in panel.fields)
            panels = [Panel("target" if shows_targets else "", self.fields, over), *panels]
        remarks = [
            [*(predictions.remarks(row) if predictions else ()), *map(Remark, self.remarks[row : row + 1])]
            for row in order
        ]
        return contact_sheet(
            [Panel(each.name, _in_order(each.fields, order), _in_order(each.over, order)) for each in panels],
            title=self.title,
            sample_ids=None if ids is None else [ids[row] for row in order],
            sample_names=() if ids is None else [self.name_of(ids[row]) for row in order[:MOST_IMAGES]],
            data_format=self.data_format,
            remarks=remarks,
        )

    def _label_counts(self) -> list[tuple[Field, dict[int, int]]]:
        counts = self.statistics.label_counts
        return [(field, counts[field.name]) for field in self.fields if counts.get(field.name)]


def statistics_table(statistics: BatchStatistics) -> Table:
    """The statistics of the arrays of a batch as a table for a page."""
    rows = [[name, str(f.shape), f.dtype, f.min, f.max, f.mean] for name, f in statistics.fields.items()]
    return Table(rows, ["field", "shape", "dtype", "min", "max", "mean"])


def _in_order(fields: Sequence[Field], rows: Sequence[int]) -> list[Field]:
    return [dataclasses.replace(field, array=field.array[rows]) for field in fields]
