"""What `inspect-batches` shows: the batches of an epoch exactly as `fit` will take them, through the same loader."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError
from seqtrain.loading.bad_samples import BadSample, replaced
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.loading.stream import BatchStream, Made
from seqtrain.reports.contact_sheet import contact_sheet, table
from seqtrain.reports.data_check import overlap_warnings
from seqtrain.reports.fields import Field, fields_of
from seqtrain.reports.statistics import BatchStatistics, SplitStatistics, batch_statistics, split_statistics
from seqtrain.sources.base import classes_of, labels_of

_MOST_SHEETS = 16
_MOST_CLASSES = 30  # on a line

Side = Literal["train", "val"]


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
    """

    title: str
    index: int
    sample_ids: list[int] | None
    statistics: BatchStatistics
    milliseconds: float
    batch: tuple[Any, ...]
    fields: tuple[Field, ...] = ()
    bad: tuple[BadSample, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `inspect-batches --json` prints it."""
        return {
            "index": self.index,
            "sample_ids": self.sample_ids,
            **self.statistics.to_json(),
            "ms": round(self.milliseconds, 3),
        }

    def text(self) -> str:
        """For a person."""
        fields = self.statistics.fields
        rows = [
            (name, str(f.shape), f.dtype, f"{_number(f.minimum)} to {_number(f.maximum)}", f"mean {_number(f.mean)}")
            for name, f in fields.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [f"\n{self.title}  ({self.milliseconds:.1f} ms to make)"]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(("  " + "  ".join(cells)).rstrip())
        for field in self.fields:
            counts = self.statistics.label_counts.get(field.name, {})
            if counts:
                words = _listed([f"{_class_name(field, label)}: {count}" for label, count in counts.items()])
                unit = "pixels" if field.kind == "mask" else "labels"
                lines.append(f"  {unit}{'' if field.name == 'y' else f' of {field.name}'}  {words}")
        lines += [f"  warning: {warning}" for warning in self.statistics.warnings]
        lines += [f"  sample {b.replaced_by} in place of {b.index}: {b.where}: {b.error}" for b in self.bad]
        if all(field.kind is None for field in self.fields):
            lines += ["", *("  " + line for line in table(self.batch, self.sample_ids).splitlines())]
        return "\n".join(lines)


class Inspection:
    """A look at an epoch.

    Args:
        loaded: The config.
        side: "train" or "val".
        epoch: Counted from 0.
        out: The folder for pictures.

    Raises:
        ConfigError: when the run has no validation and `side` is "val".
    """

    def __init__(self, loaded: LoadedConfig, side: Side, epoch: int, out: Path) -> None:
        self.data: Data = open_data(loaded)
        if side == "val" and self.data.val is None:
            raise ConfigError("this run has no validation", where=loaded.place("split"), fix="set split.val above 0")
        self.side = side
        self.epoch = epoch
        self.out = out
        self.sequence = self.data.train if side == "train" else self.data.val
        self._sheets: list[Path] = []

    def batches(self, number: int | None) -> Iterator[InspectedBatch]:
        """The first `number` batches of the epoch, or all; writes the contact sheets of the first of them."""
        with self._stream() as stream:
            for index in range(min(number or self._num_batches, self._num_batches)):
                inspected = self._inspected(index, stream.take())
                if len(self._sheets) < _MOST_SHEETS:
                    self._write_sheet(inspected)
                yield inspected

    def finish(self) -> list[Path]:
        """The pictures that were written."""
        return self._sheets

    def to_json(self) -> dict[str, Any]:
        """Samples, batches and classes of both sides."""
        return {side: self._side_json(side) for side in ("train", "val")}

    def overview(self) -> str:
        """The same for a person."""
        lines = []
        for side in ("train", "val"):
            document = self._side_json(side)
            lines.append(f"{side:5}  {document['samples']} samples in {document['batches']} batches")
            statistics = self._class_statistics(side)
            if statistics is not None:
                classes = statistics.to_json()["classes"]
                lines.append("       classes  " + _listed([f"{name}: {count}" for name, count in classes.items()]))
                lines.append(f"       largest class / smallest: {statistics.imbalance:.2f}")
                if self.data.config.split.by != "group":  # a group may well be a class
                    lines += [f"       warning: {warning}" for warning in statistics.warnings]
        return "\n".join(lines)

    @property
    def _num_batches(self) -> int:
        return self.data.steps_per_epoch if self.side == "train" else self.data.validation_steps

    def _stream(self) -> BatchStream:
        if self.side == "val":
            return self.data.validation_stream()
        steps = self.data.steps_per_epoch
        return self.data.training_stream(self.epoch * steps, (self.epoch + 1) * steps)

    def _inspected(self, index: int, made: Made) -> InspectedBatch:
        items = self.sequence.sample_indices(made.epoch, made.index)
        ids = None
        if items is not None:
            ids = self.sequence.source_indices(replaced(items, made.bad)).tolist()
        overlaps = getattr(self.data.source, "overlaps", None)
        overlapping = [index for index in dict.fromkeys(ids or ()) if overlaps is not None and overlaps(index)]
        spec, num_classes, names = self.sequence.spec, self.sequence.num_classes, self.sequence.class_names
        statistics = batch_statistics(made.batch, spec=spec, num_classes=num_classes, sample_ids=ids)
        return InspectedBatch(
            title=f"{self.side}, epoch {self.epoch}, batch {index} of {self._num_batches}",
            index=index,
            sample_ids=ids,
            statistics=dataclasses.replace(
                statistics, warnings=(*statistics.warnings, *overlap_warnings(self.data.source, overlapping))
            ),
            milliseconds=made.seconds * 1000,
            batch=made.batch,
            fields=tuple(fields_of(made.batch, spec, num_classes, names)),
            bad=made.bad,
        )

    def _write_sheet(self, inspected: InspectedBatch) -> None:
        sheet = contact_sheet(
            inspected.batch,
            title=inspected.title,
            spec=self.sequence.spec,
            class_names=self.sequence.class_names,
            num_classes=self.sequence.num_classes,
            sample_ids=inspected.sample_ids,
            data_format=self.sequence.data_format,
        )
        if sheet is None:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        path = self.out / f"{self.side}-epoch{self.epoch}-batch{inspected.index}.png"
        sheet.save(path)
        self._sheets.append(path)

    def _side_json(self, side: str) -> dict[str, Any]:
        sequence = self.data.train if side == "train" else self.data.val
        indices = self.data.split.train if side == "train" else self.data.split.val
        document = {"samples": len(indices), "batches": 0 if sequence is None else len(sequence)}
        statistics = self._class_statistics(side)
        return document if statistics is None else {**document, **statistics.to_json()}

    @property
    def _label_names(self) -> tuple[str, ...] | None:
        """What the source's labels mean; a sequence may have targets of its own, such as pairs that are alike."""
        return getattr(self.data.source, "label_classes", None) or classes_of(self.data.source)

    def _class_statistics(self, side: str) -> SplitStatistics | None:
        labels = labels_of(self.data.source)
        indices = self.data.split.train if side == "train" else self.data.split.val
        names = self.data.train.class_names
        if labels is None or not len(indices) or self.data.train.num_classes is None or names != self._label_names:
            return None
        return split_statistics(labels[indices], num_classes=self.data.train.num_classes, names=names)


def _listed(words: Sequence[str]) -> str:
    rest = f" and {len(words) - _MOST_CLASSES} more" if len(words) > _MOST_CLASSES else ""
    return ", ".join(words[:_MOST_CLASSES]) + rest


def _class_name(field: Field, label: int) -> str:
    return field.class_names[label] if field.class_names and 0 <= label < len(field.class_names) else str(label)


def _number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
