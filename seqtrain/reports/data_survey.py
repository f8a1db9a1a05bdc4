"""Collects the facts about all samples of one side of the split, batch by batch, from the loader's workers.

A few numbers of each sample are kept (digest, thumbnail, labels, kind and size of its files: about 150 bytes for a
photograph); the ranges of values are kept for all samples together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.loading.order import validation_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.reports.file_facts import kind_names, size_names
from seqtrain.reports.sample_facts import BAD_BATCH, FactSequence
from seqtrain.reports.statistics import SplitStatistics, split_statistics
from seqtrain.reports.value_ranges import Ranges
from seqtrain.structure import FieldSpec, named_leaves

Array = npt.NDArray[Any]

_MAX_ROWS = 1 << 32  # in a batch; a sample without an index gets a negative one, from its batch and its row
_KEPT = ("item", "digest", "thumbnail", "labels", "files")


class Survey:
    """The facts about the samples of one side.

    Args:
        sequence: The `FactSequence` of this side.

    Attributes:
        ranges: The ranges of values, by field.
        pixels: The number of pixels of each class, by mask; the last number is that of ids that are no class.
        empty_masks: The number of samples that have only background, by mask.
        bad_items: The samples that could not be read.
        bad_batches: The batches that a class written for Keras could not make.
        constant: The samples whose image has the same value everywhere.
        not_finite: The samples with NaN or Inf, by field.
        no_class: The samples with ids that are no class, by mask.
    """

    def __init__(self, sequence: FactSequence) -> None:
        self.sequence = sequence
        self.ranges: dict[str, Ranges] = {}
        self.pixels: dict[str, Array] = {}
        self.empty_masks: dict[str, int] = {}
        self.bad_items: list[int] = []
        self.bad_batches: list[int] = []
        self.constant: list[int] = []
        self.not_finite: dict[str, list[int]] = {}
        self.no_class: dict[str, list[int]] = {}
        self.num_read = 0
        self._kept: dict[str, list[Array]] = {}

    def read(self, workers: WorkerOptions, done: Callable[[int], object]) -> None:
        """Reads all samples.

        Args:
            workers: The options of the workers.
            done: Called with the number of samples (or batches, see `sequence.unit`) read since the last call.
        """
        schedule = validation_schedule(len(self.sequence))
        with BatchStream(self.sequence, schedule, workers, end=len(self.sequence)) as stream:
            for position in range(len(self.sequence)):
                facts = stream.take(position).batch[0]
                self._add(facts, position)
                done(len(facts["item"]) if self.sequence.splits_rows else 1)

    def fact(self, name: str) -> Array:
        """One fact of all readable samples, such as `digest` or `labels.y`."""
        return np.concatenate(self._kept[name]) if name in self._kept else np.zeros(0, np.int64)

    def names(self, kind: str) -> list[str]:
        """The names of the known facts of a kind: for `files`, these may be `files.path` and `files.mask`."""
        return [name for name in self._kept if name == kind or name.startswith(f"{kind}.")]

    @property
    def targets(self) -> list[str]:
        """The names of the targets that are classes or whole numbers."""
        return [name.removeprefix("labels.") for name in self.names("labels")]

    def classes_of(self, target: str) -> tuple[int | None, tuple[str, ...] | None]:
        """The number of classes of a target, and their names; None if it has none."""
        inner = self.sequence.inner
        spec: FieldSpec | None = dict(named_leaves(inner.spec)).get(target) if inner.spec else None
        if spec is not None and spec.classes:
            return len(spec.classes), spec.classes
        return (inner.num_classes, inner.class_names) if target == "y" else (None, None)

    def class_statistics(self, target: str) -> SplitStatistics | None:
        """The counts of the classes of a target; None if it has none."""
        num_classes, names = self.classes_of(target)
        labels = self.fact(f"labels.{target}")
        inside = labels[(labels >= 0) & (labels < num_classes)] if num_classes else labels[:0]
        return split_statistics(inside, num_classes=num_classes, names=names)

    def file_table(self, name: str) -> tuple[Counter[str], Counter[str]]:
        """The number of files of each kind ("JPEG RGB"), and of each size ("500 x 375", width x height)."""
        codes = self.fact(name)
        codes = codes[codes[:, 0] > 0]
        return Counter(kind_names(codes)), Counter(filter(None, size_names(codes)))

    def describe(self, item: int) -> str:
        """The file or row of a sample."""
        if item >= 0:
            return str(self.sequence.describe(item))
        return "batch {}, row {}".format(*divmod(-1 - item, _MAX_ROWS))

    def _add(self, facts: dict[str, Any], position: int) -> None:
        if BAD_BATCH in facts:
            self.bad_batches += facts[BAD_BATCH].tolist()
            return
        if not self.sequence.splits_rows:  # the samples of a class that makes whole batches have no index
            facts = {**facts, "item": -1 - (position * _MAX_ROWS + np.arange(len(facts["item"])))}
        is_good = facts["is_bad"] == 0
        self.bad_items += facts["item"][~is_good].tolist()
        items = facts["item"][is_good]
        self.num_read += len(items)
        self.constant += items[facts["is_constant"][is_good] > 0].tolist()
        for name, measured in facts["ranges"].items():
            good = {key: values[is_good] for key, values in measured.items()}
            self.ranges.setdefault(name, Ranges()).add(good)
            _extend(self.not_finite, name, items[good["nan"] + good["infinite"] > 0])
        for name, counts in facts["pixels"].items():
            self._add_masks(name, counts[is_good], items)
        for name, values in named_leaves(({key: facts[key] for key in _KEPT if key in facts},)):
            self._kept.setdefault(name.removeprefix("x."), []).append(values[is_good].copy())

    def _add_masks(self, name: str, counts: Array, items: Array) -> None:
        self.pixels[name] = self.pixels.get(name, 0) + counts.sum(axis=0)
        is_empty = (counts[:, 1:] == 0).all(axis=1)
        self.empty_masks[name] = self.empty_masks.get(name, 0) + int(np.count_nonzero(is_empty))
        _extend(self.no_class, name, items[counts[:, -1] > 0])


def _extend(lists: dict[str, list[int]], name: str, items: Array) -> None:
    if len(items):
        lists.setdefault(name, []).extend(items.tolist())
