"""Precision, recall, F1, IoU and support of each class, from counts of true and predicted classes.

A ratio with a denominator of 0 is NaN in the table. Means are over the classes that are present or predicted, and count
such a ratio as 0, as scikit-learn does: otherwise a model that predicts a single class would get that class's
precision.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ClassTable:
    """Counts and ratios by class.

    Args:
        counts: The counts by true class (row) and predicted class (column).
        names: The names by class index.
    """

    counts: npt.NDArray[np.int64]
    names: Sequence[str]

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """True positives / predicted positives, by class."""
        return _ratio(self._right, self.counts.sum(axis=0))

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """True positives / samples of the class, by class."""
        return _ratio(self._right, self.support)

    @property
    def f1(self) -> npt.NDArray[np.float64]:
        """The harmonic mean of precision and recall, by class; for pixels, this is the Dice coefficient."""
        return _ratio(2 * self._right, self.counts.sum(axis=0) + self.support)

    @property
    def iou(self) -> npt.NDArray[np.float64]:
        """Intersection over union of true and predicted samples or pixels, by class."""
        return _ratio(self._right, self.counts.sum(axis=0) + self.support - self._right)

    @property
    def support(self) -> npt.NDArray[np.int64]:
        """The number of samples or pixels of each class."""
        return np.asarray(self.counts.sum(axis=1))

    def numbers(self) -> dict[str, float]:
        """Accuracy, and the means over the classes that are present or predicted."""
        found = {
            "accuracy": float(self._right.sum() / max(1, self.counts.sum())),
            "macro_precision": self._mean(self.precision),
            "macro_recall": self._mean(self.recall),
            "macro_f1": self._mean(self.f1),
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def rows(self, *, with_iou: bool = False) -> tuple[list[str], list[list[Any]]]:
        """A header, and a row for each class; None for an undefined ratio."""
        columns = {"iou": self.iou} if with_iou else {}
        columns |= {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        header = ["class", *columns, "support"]
        rows = [
            [name, *(_or_none(column[index]) for column in columns.values()), int(self.support[index])]
            for index, name in enumerate(self.names)
        ]
        return header, rows

    def csv(self, *, with_iou: bool = False) -> str:
        """The content of `classes.csv`."""
        header, rows = self.rows(with_iou=with_iou)
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
        return text.getvalue()

    def _mean(self, ratios: npt.NDArray[np.float64]) -> float:
        seen = self.counts.sum(axis=0) + self.support > 0
        return float(np.nan_to_num(ratios[seen]).mean()) if seen.any() else math.nan

    @property
    def _right(self) -> npt.NDArray[np.int64]:
        return np.diagonal(self.counts)


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
