"""`inspect-batches`: shows the batches of an epoch exactly as `fit` gets them, through the same loader.

    <side>-epoch<E>-batch<B>.png    the samples of a batch
    <side>-sample<ID>.png           one sample in several epochs
    index.html                      a page with all of them

To show samples before augmentation, the same loader makes the same batches a second time, without augmentation.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError
from seqtrain.loading.bad_samples import replaced
from seqtrain.loading.order import Schedule
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.loading.stream import BatchStream, LoadedBatch
from seqtrain.reports.batch_predictions import BatchPredictions
from seqtrain.reports.data_check import overlap_warnings
from seqtrain.reports.fields import Field, fields_of_sequence
from seqtrain.reports.inspected_batch import MOST_CLASSES, InspectedBatch
from seqtrain.reports.page import Block, Figures, Heading, Section, Table, Text, page
from seqtrain.reports.sample_epochs import find_places, items_of, require_side, sample_named, select_rows
from seqtrain.reports.statistics import batch_statistics, side_statistics
from seqtrain.sources.base import file_name
from seqtrain.text import listed

_MOST_SHEETS = 16
_MOST_IN_A_TABLE = 60  # classes
_MOST_WORST = 20  # predictions in the list "To look at first"

Side = Literal["train", "val"]
Stage = Literal["raw", "augmented", "both"]


class Inspection:
    """The inspection of the batches of an epoch.

    Args:
        loaded: The config.
        side: "train" or "val".
        epoch: The epoch, from 0.
        out: The output folder.
        stage: "augmented", as `fit` sees the samples; "raw", before augmentation; or "both".
        data: The config's data, if it is already open.

    Attributes:
        predictor: If set, it is called with a batch's fields and inputs, and its predictions are shown.
        about: Additional text for the line under the page's title.
        worst: The worst predictions of all batches: rank, sample, batch, target and prediction of each.

    Raises:
        ConfigError: when the run has no validation and `side` is "val", or its sequence cannot leave out augmentation.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        side: Side,
        epoch: int,
        out: Path,
        stage: Stage = "augmented",
        data: Data | None = None,
    ) -> None:
        self.data: Data = open_data(loaded) if data is None else data
        if side == "val" and self.data.val is None:
            raise ConfigError("this run has no validation", where=loaded.place("split"), fix="set split.val above 0")
        self.loaded = loaded
        self.side = side
        self.epoch = epoch
        self.out = out
        self.stage = stage
        self.sequence = self.data.train if side == "train" else self.data.val
        if stage != "augmented" and not self.sequence.augments:
            raise ConfigError(
                f"--stage {stage}: a class written for Keras does not tell what a sample is before augmentation",
                where=loaded.place("sequence"),
                fix="leave --stage out, or derive the class from seqtrain.sequences.base.SampleSequence",
            )
        self.predictor: Callable[[Sequence[Field], Any], BatchPredictions] | None = None
        self.about: list[str] = []
        self._sheets: list[Path] = []
        self._sections: list[Section] = []
        self.worst: list[tuple[float, str, str, str, str]] = []
        self._other_warnings: list[str] = []  # warnings about batches without a section of their own

    def batches(self, number: int | None) -> Iterator[InspectedBatch]:
        """The first `number` batches of the epoch, or all; saves the contact sheets of the first 16."""
        schedule, start = self.data.schedule(self.side), self._start
        count = min(number or self._num_batches, self._num_batches)
        for index, batch, before in self._load_batches(schedule, start, count):
            title = f"{self.side}, epoch {self.epoch}, batch {index} of {self._num_batches}"
            items = self.sequence.sample_indices(batch.epoch, batch.index)
            inspected = self._inspected(title, index, items, batch, before)
            self._show(inspected, f"{self.side}-epoch{self.epoch}-batch{index}")
            yield inspected

    def samples(self, names: Sequence[str], epochs: Sequence[int]) -> Iterator[InspectedBatch]:
        """Each sample in some epochs, which are shown like the rows of one batch.

        Args:
            names: Indices of the source, or the ends of paths.
            epochs: The epochs, from 0.

        Raises:
            ConfigError: when there is no such sample on this side, or a class written for Keras does not tell.
        """
        if self.sequence.sample_indices(0, 0) is None:
            raise ConfigError(
                "--sample: a class written for Keras does not tell which samples are in a batch",
                where=self.loaded.place("sequence"),
                fix="leave --sample out, or derive the class from seqtrain.sequences.base.SampleSequence",
            )
        for name in names:
            sample = sample_named(self.data.source, name)
            require_side(self.data.split, sample, self.side)
            yield self._sample_in_epochs(sample, epochs)

    def finish(self) -> list[Path]:
        """Writes the page; returns the contact sheets that were saved."""
        self.out.mkdir(parents=True, exist_ok=True)
        epochs = f"{'training' if self.side == 'train' else 'validation'}, epoch {self.epoch}"
        stage = {"raw": "before augmentation", "augmented": "as fit sees it", "both": "before and after augmentation"}
        sections = [self._overview_section()]
        if self.worst:
            worst = Table([row[1:] for row in self.worst], ["sample", "batch", "target", "prediction"])
            sections.append(Section("To look at first", [worst]))
        sections += self._sections
        if self._other_warnings:
            sections.append(Section("Other batches", [Text(line) for line in self._other_warnings]))
        path = self.loaded.path.resolve()
        text = page(
            f"Batches of {path.stem if path.name != 'config.yaml' else path.parent.name}",
            ", ".join([epochs, stage[self.stage], *self.about]),
            sections,
        )
        self.page.write_text(text, encoding="utf-8")
        return self._sheets

    @property
    def page(self) -> Path:
        """The path of the page."""
        return self.out / "index.html"

    def to_json(self) -> dict[str, Any]:
        """As JSON: the samples, batches and classes of both sides, the stage, and the path of the page."""
        return {**self._sides(), "stage": self.stage, "page": str(self.page)}

    def overview(self) -> str:
        """The samples, batches and classes of both sides as text."""
        lines = []
        for side, document in self._sides().items():
            lines.append(f"{side:5}  {document['samples']} samples in {document['batches']} batches")
            if "classes" in document:
                counts = [f"{name}: {count}" for name, count in document["classes"].items()]
                lines.append(f"       classes  {listed(counts, MOST_CLASSES)}")
                lines.append(f"       largest class / smallest: {document['imbalance']:.2f}")
                if self.data.config.split.by != "group":  # if the classes are the groups, each is on one side only
                    lines += [f"       warning: {warning}" for warning in document["warnings"]]
        return "\n".join(lines)

    def _sides(self) -> dict[str, Any]:
        return {side: self._side_json(side) for side in ("train", "val")}

    def _overview_section(self) -> Section:
        sides = self._sides()
        figures: dict[str, str] = {}
        for side, title in (("train", "training"), ("val", "validation")):
            figures |= {f"{title} {unit}": str(sides[side][unit]) for unit in ("samples", "batches")}
        blocks: list[Block] = [Figures(figures)]
        counts = {side: document.get("classes") or {} for side, document in sides.items()}
        names = list(dict.fromkeys(name for each in counts.values() for name in each))
        if names:
            rows = [[name, *(each.get(name) for each in counts.values())] for name in names[:_MOST_IN_A_TABLE]]
            blocks += [Heading("Classes"), Table(rows, ["class", *counts])]
        if len(names) > _MOST_IN_A_TABLE:
            blocks.append(Text(f"and {len(names) - _MOST_IN_A_TABLE} more classes", is_faint=True))
        warnings = [f"{side}: {warning}" for side in sides for warning in sides[side].get("warnings", ())]
        return Section("Split", [*blocks, *(Text(f"Warning: {warning}") for warning in warnings)])

    @property
    def _num_batches(self) -> int:
        return self.data.steps_per_epoch if self.side == "train" else self.data.validation_steps

    def _sample_in_epochs(self, sample: int, epochs: Sequence[int]) -> InspectedBatch:
        steps = self._num_batches
        where = (self.sequence, sample, self.data.schedule(self.side), steps, epochs, self.side == "train")
        places = list(find_places(*where))
        if not places:
            raise ConfigError(
                f"sample {sample} is in none of these epochs",
                received=f"epochs {', '.join(map(str, epochs))} of {steps} batches",
                fix="look at more epochs; with drop_remainder or steps_per_epoch, one does not hold all samples",
            )
        loaded, before = [], []

        def schedule(position: int) -> tuple[int, int]:
            return places[min(position, len(places) - 1)].at

        for _, batch, raw in self._load_batches(schedule, 0, len(places)):
            loaded.append(batch)
            before += [] if raw is None else [raw]
        remarks = [f"epoch {place.epoch}, batch {place.step}" for place in places for _ in place.rows]
        where_from = "/".join(Path(self.data.source.describe(sample)).parts[-2:])
        inspected = self._inspected(
            f"{self.side}, sample {sample}" + ("" if where_from == f"sample {sample}" else f": {where_from}"),
            sample,
            items_of(self.sequence, loaded, places),
            select_rows(loaded, places),
            select_rows(before, places) if before else None,
            remarks,
        )
        self._show(inspected, f"{self.side}-sample{sample}")
        return inspected

    @property
    def _start(self) -> int:
        """The position of the epoch's first batch."""
        moves = self.side == "train" or self.sequence.changes_between_epochs
        return self.epoch * self._num_batches if moves else 0

    def _load_batches(
        self, schedule: Schedule, start: int, count: int
    ) -> Iterator[tuple[int, LoadedBatch, LoadedBatch | None]]:
        """Loads batches; yields the index, the batch and, with `--stage both`, the batch before augmentation."""
        sequences = [self.sequence] if self.stage != "raw" else []
        sequences += [self.sequence.without_augmentation()] if self.stage != "augmented" else []
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(self._stream(each, schedule, start, count)) for each in sequences]
            for index in range(count):
                loaded = [stream.take() for stream in streams]
                yield index, loaded[0], loaded[1] if len(loaded) > 1 else None

    def _stream(self, sequence: Any, schedule: Schedule, start: int, count: int) -> BatchStream:
        if sequence.changes_between_epochs:  # it cannot go back; `Data` handles that
            of_side = self.data.training_stream if self.side == "train" else self.data.validation_stream
            return of_side(start, start + count)
        return BatchStream(sequence, schedule, self.data.workers, start, start + count)

    def _inspected(
        self,
        title: str,
        index: int,
        items: Any,
        loaded: LoadedBatch,
        before: LoadedBatch | None,
        remarks: Sequence[str] = (),
    ) -> InspectedBatch:
        """Describes one batch, or some rows of several batches.

        Args:
            title: The title.
            index: The number of the batch.
            items: The sequence's index of each row, before bad ones are replaced; None if unknown.
            loaded: The batch from the loader.
            before: The same batch before augmentation.
            remarks: A line under each sample.
        """
        sequence, source = self.sequence, self.data.source
        ids = None if items is None else sequence.source_indices(replaced(items, loaded.bad)).tolist()
        overlapping = [index for index in dict.fromkeys(ids or ()) if source.overlaps(index)]
        fields = fields_of_sequence(sequence, loaded.batch)
        statistics = batch_statistics(fields, ids)
        warnings = (*statistics.warnings, *overlap_warnings(source, overlapping))
        predictions = None if self.predictor is None else self.predictor(fields, loaded.batch[0])
        return InspectedBatch(
            title=title,
            index=index,
            sample_ids=ids,
            statistics=dataclasses.replace(statistics, warnings=warnings),
            milliseconds=loaded.seconds * 1000,
            fields=fields,
            name_of=partial(file_name, source),
            data_format=sequence.data_format,
            bad=loaded.bad,
            before=None if before is None else fields_of_sequence(sequence, before.batch),
            predictions=predictions,
            remarks=tuple(remarks),
        )

    def _show(self, inspected: InspectedBatch, name: str) -> None:
        """Draws a batch and adds it to the page; of batches after the first 16, only the warnings.

        Args:
            inspected: The batch.
            name: The name of its PNG, without the extension.
        """
        self._rank(inspected)
        if len(self._sections) >= _MOST_SHEETS:
            self._other_warnings += [f"{inspected.title}: {warning}" for warning in inspected.statistics.warnings]
            return
        sheet, path = inspected.sheet(), None
        if sheet is not None:
            self.out.mkdir(parents=True, exist_ok=True)
            path = self.out / f"{name}.png"
            sheet.save(path)
            self._sheets.append(path)
        self._sections.append(inspected.section(path))

    def _rank(self, inspected: InspectedBatch) -> None:
        """Keeps the worst predictions of all batches."""
        if inspected.predictions is None:
            return
        for rank, row, target, prediction in inspected.predictions.worst()[:_MOST_WORST]:
            batch = str(inspected.remarks[row] if inspected.remarks else inspected.index)
            self.worst.append((rank, inspected.sample_name(row), batch, target, prediction))
        self.worst = sorted(self.worst, key=lambda each: each[0])[:_MOST_WORST]

    def _side_json(self, side: str) -> dict[str, Any]:
        sequence = self.data.train if side == "train" else self.data.val
        indices = self.data.split.train if side == "train" else self.data.split.val
        document = {"samples": len(indices), "batches": 0 if sequence is None else len(sequence)}
        statistics = side_statistics(self.data, indices)
        return document if statistics is None else {**document, **statistics.to_json()}
