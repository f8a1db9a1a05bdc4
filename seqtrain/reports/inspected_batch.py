"""One batch that `inspect-batches` looks at, described in words and as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqtrain.loading.bad_samples import BadSample
from seqtrain.reports.batch_predictions import BatchPredictions
from seqtrain.reports.batch_table import table
from seqtrain.reports.fields import Field
from seqtrain.reports.statistics import BatchStatistics, batch_statistics
from seqtrain.structure import map_structure
from seqtrain.text import aligned, listed, number

MOST_CLASSES = 30  # on a line


@dataclass(frozen=True)
class InspectedBatch:
    """One batch, described.

    Args:
        title: "train, epoch 0, batch 3 of 13".
        index: Its number in the epoch.
        sample_ids: The source's indices of its rows; None where a class written for Keras does not tell.
        statistics: In numbers.
        milliseconds: What the loader took to make it.
        batch: The batch.
        fields: Its arrays, and what they hold.
        bad: The samples that could not be read, and what stands in their place.
        before: The same samples before augmentation, where both are looked at.
        predictions: What a model makes of it.
        remarks: Lines under each sample, by row.
    """

    title: str
    index: int
    sample_ids: list[int] | None
    statistics: BatchStatistics
    milliseconds: float
    batch: tuple[Any, ...]
    fields: tuple[Field, ...] = ()
    bad: tuple[BadSample, ...] = ()
    before: tuple[Any, ...] | None = None
    predictions: BatchPredictions | None = None
    remarks: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `inspect-batches --json` prints it."""
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
        """Whether it is looked at before augmentation too, and is the same there."""
        return self.before is not None and _are_equal(self.before, self.batch)

    @property
    def lines(self) -> list[str]:
        """What there is to say of it besides its numbers."""
        lines = [f"sample {b.replaced_by} in place of {b.index}: {b.where}: {b.error}" for b in self.bad]
        if self.is_unchanged:
            lines.append("nothing is augmented: before and after are the same")
        return lines + ([] if self.predictions is None else self.predictions.lines())

    @property
    def rows(self) -> str:
        """Its first rows as a table; with predictions, what is to be looked at first."""
        if self.predictions is None:
            return table(self.fields, self.sample_ids)
        return table(self.fields, self.sample_ids, order=self.predictions.order, beside=self.predictions.columns())

    def text(self) -> str:
        """For a person."""
        fields = self.statistics.fields
        rows = [
            (name, str(f.shape), f.dtype, f"{number(f.minimum)} to {number(f.maximum)}", f"mean {number(f.mean)}")
            for name, f in fields.items()
        ]
        lines = [f"\n{self.title}  ({self.milliseconds:.1f} ms to make)", *(f"  {line}" for line in aligned(rows))]
        for field in self.fields:
            counts = self.statistics.label_counts.get(field.name, {})
            if counts:
                words = listed([f"{field.class_name(label)}: {count}" for label, count in counts.items()], MOST_CLASSES)
                unit = "pixels" if field.kind == "mask" else "labels"
                lines.append(f"  {unit}{'' if field.name == 'y' else f' of {field.name}'}  {words}")
        lines += [f"  warning: {warning}" for warning in self.statistics.warnings]
        lines += [f"  {line}" for line in self.lines]
        if all(field.kind is None for field in self.fields):
            lines += ["", *("  " + line for line in self.rows.splitlines())]
        return "\n".join(lines)


def _are_equal(before: tuple[Any, ...], after: tuple[Any, ...]) -> bool:
    same: list[bool] = []
    map_structure(lambda one, other: same.append(np.array_equal(one, other)), before, after)
    return all(same)
