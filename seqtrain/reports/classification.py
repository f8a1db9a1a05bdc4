"""How well classes are predicted: a confusion matrix, ROC and precision-recall curves, and a table of the classes.

The counts are exact for any number of samples; the scores, from which the curves are drawn, are kept for a uniform
subsample. Everything is computed with NumPy: precision, recall and F1 from the matrix, the curves from the sorted
scores, the area under the ROC curve by the trapezoidal rule, and average precision as a sum of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.class_table import ClassTable
from seqtrain.reports.matrix_plot import draw_matrix
from seqtrain.reports.ranking import average_precision, precision_recall, roc, roc_area
from seqtrain.reports.style import LINES, saved_figure
from seqtrain.reports.subsample import Subsample
from seqtrain.text import shortened

_MAX_CURVES = 10
_MAX_SCORES = 4_000_000
_MIN_ROWS = 1000
_MAX_POINTS = 1000

Floats = npt.NDArray[np.floating[Any]]


class ClassificationResults:
    """The results of a classifier, collected batch by batch.

    Args:
        num_classes: The number of classes.
        class_names: The names by class index. Default: the indices.
        from_logits: Whether the scores are logits; scores outside 0 to 1 are recognised as logits in any case.

    Attributes:
        kept: True classes and scores; if there are many, those of a uniform subsample.
    """

    kind = "classification"

    def __init__(self, num_classes: int, class_names: Sequence[str] | None = None, from_logits: bool = False) -> None:
        self.num_classes = num_classes
        self.class_names = tuple(class_names or map(str, range(num_classes)))
        # The threshold of a single score is 0.5 for probabilities and 0 for logits, which may be recognised late.
        self._counts_at_half = np.zeros((num_classes, num_classes), np.int64)
        self._counts_at_zero = np.zeros((num_classes, num_classes), np.int64)
        self._are_logits = from_logits
        self.kept = Subsample(max(_MIN_ROWS, _MAX_SCORES // num_classes))

    def add(self, truth: npt.NDArray[np.integer[Any]], scores: Floats) -> None:
        """Adds samples.

        Args:
            truth: Class indices, (samples,); indices outside the classes are not counted.
            scores: Probabilities or logits, (samples, classes); for two classes also (samples,) or (samples, 1).
        """
        known = (truth >= 0) & (truth < self.num_classes)
        truth, scores = truth[known].astype(np.int64), np.asarray(scores[known], np.float32).reshape(known.sum(), -1)
        self._are_logits = self._are_logits or bool(((scores < 0) | (scores > 1)).any())
        if scores.shape[1] == 1:
            self._count(self._counts_at_half, truth, scores[:, 0] > 0.5)
            self._count(self._counts_at_zero, truth, scores[:, 0] > 0)
        else:
            self._count(self._counts_at_half, truth, scores.argmax(axis=1))
        self.kept.add(truth, scores)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Samples by true class (row) and predicted class (column)."""
        return self._counts_at_zero if self._are_logits and self._counts_at_zero.any() else self._counts_at_half

    @property
    def table(self) -> ClassTable:
        """Precision, recall, F1 and support of each class."""
        return ClassTable(self.counts, self.class_names)

    def numbers(self) -> dict[str, float | int]:
        """The key figures."""
        truth, scores = self._scores()
        areas = [roc_area(*roc(truth == each, scores[:, each])) for each in self._classes_with_curves(truth)]
        area = {"roc_auc": float(np.mean(areas))} if areas else {}
        return {"samples": int(self.counts.sum()), **self.table.numbers(), **area}

    def draw(self, folder: Path, suffix: str = "") -> list[Path]:
        """Draws the matrix and, if at least two classes occur, the curves.

        Args:
            folder: The output folder.
            suffix: Appended to the file names if a model has several outputs.
        """
        paths = [folder / f"{name}{suffix}.png" for name in ("confusion_matrix", "roc", "precision_recall")]
        draw_matrix(self.counts, self.class_names, paths[0])
        truth, scores = self._scores()
        if not self._classes_with_curves(truth):
            return paths[:1]
        self._draw_roc(truth, scores, paths[1])
        self._draw_precision_recall(truth, scores, paths[2])
        return paths

    def _count(self, counts: npt.NDArray[np.int64], truth: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> None:
        flat = np.bincount(truth * self.num_classes + predicted, minlength=counts.size)
        counts += flat.reshape(counts.shape)

    def _scores(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """The kept samples with a score for each class; logits become probabilities, which are comparable."""
        truth, scores = self.kept.columns()
        if scores.shape[1] == 1:
            return truth, np.concatenate([-scores, scores], axis=1)
        if self._are_logits:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores = powers / powers.sum(axis=1, keepdims=True)
        return truth, scores

    def _classes_with_curves(self, truth: npt.NDArray[np.int64]) -> list[int]:
        """The classes that have curves: of two classes the second one, of more those that occur."""
        present = np.unique(truth)
        if len(present) < 2:
            return []
        return [1] if self.num_classes == 2 else [int(each) for each in present]

    def _draw_roc(self, truth: npt.NDArray[np.int64], scores: Floats, path: Path) -> None:
        ranked = self._classes_with_curves(truth)
        with saved_figure(path, height=5.2) as figure:
            axes = figure.add_subplot()
            axes.plot([0, 1], [0, 1], color="#b0b0b0", linestyle=":", linewidth=1.4)
            curves = {each: roc(truth == each, scores[:, each]) for each in ranked}
            if len(ranked) <= _MAX_CURVES:
                for color, (each, curve) in zip(_colors(), curves.items(), strict=False):
                    label = f"{shortened(self.class_names[each])}  {roc_area(*curve):.3f}"
                    axes.plot(*_thinned(*curve), color=color, label=label)
            else:
                grid = np.linspace(0, 1, _MAX_POINTS)
                mean = np.mean([np.interp(grid, *curve) for curve in curves.values()], axis=0)
                area = np.mean([roc_area(*curve) for curve in curves.values()])
                axes.plot(grid, mean, color=LINES[-2], label=f"mean of {len(ranked)} classes  {area:.3f}")
                micro = roc(*_pooled(truth, scores))
                axes.plot(*_thinned(*micro), color=LINES[0], label=f"all decisions pooled  {roc_area(*micro):.3f}")
            axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(-0.01, 1), ylim=(0, 1.01))
            axes.set_title("ROC, with the area under it")
            axes.legend(loc="best")

    def _draw_precision_recall(self, truth: npt.NDArray[np.int64], scores: Floats, path: Path) -> None:
        ranked = self._classes_with_curves(truth)
        with saved_figure(path, height=5.2) as figure:
            axes = figure.add_subplot()
            precisions = {each: average_precision(truth == each, scores[:, each]) for each in ranked}
            if len(ranked) <= _MAX_CURVES:
                for color, each in zip(_colors(), ranked, strict=False):
                    label = f"{shortened(self.class_names[each])}  {precisions[each]:.3f}"
                    recall, precision = precision_recall(truth == each, scores[:, each])
                    axes.step(*_thinned(*_until_full_recall(recall, precision)), where="pre", color=color, label=label)
            else:
                pooled = _pooled(truth, scores)
                recall, precision = precision_recall(*pooled)
                label = f"all decisions pooled  {average_precision(*pooled):.3f}"
                axes.step(*_thinned(*_until_full_recall(recall, precision)), where="pre", color=LINES[0], label=label)
                mean = float(np.mean(list(precisions.values())))
                axes.plot([], [], " ", label=f"mean of {len(ranked)} classes  {mean:.3f}")
            axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
            axes.set_title("precision and recall, with average precision")
            axes.legend(loc="best")


def _colors() -> tuple[str, ...]:
    return (*LINES, "#000000", "#882255", "#44aa99")


def _pooled(truth: npt.NDArray[np.int64], scores: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Every class of every sample as a binary decision (micro average)."""
    return (truth[:, None] == np.arange(scores.shape[1])).ravel(), scores.ravel()


def _until_full_recall(recall: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """The curve up to recall 1, since lower thresholds only reduce precision."""
    end = int(np.argmax(recall >= 1)) + 1
    return recall[:end], precision[:end]


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A curve with at most as many points as a plot can show."""
    if len(x) <= _MAX_POINTS:
        return x, y
    chosen = np.unique(np.linspace(0, len(x) - 1, _MAX_POINTS).round().astype(int))
    return x[chosen], y[chosen]
