"""How well values are predicted: predicted against true values, and the residuals.

Errors are summed over all samples; the plots show a uniform subsample.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.style import FAINT, TRAINING, saved_figure
from seqtrain.reports.subsample import Subsample
from seqtrain.sequences.fitted import Scale

_MAX_DRAWN = 50_000
_OUTLIER_FACTOR = 2  # an outlier is at least this many times as large as nearly all residuals
_MAX_POINTS = 2000  # more are drawn as a density

Values = npt.NDArray[np.floating[Any]]


class RegressionResults:
    """How predicted values compare with true ones, added batch by batch.

    Args:
        name: The name of the predicted value.
        scale: The mean and std by which the values were scaled; they are converted back.
        unit: The unit of the values, if it is not that of the data.

    Attributes:
        kept: True and predicted values; if there are many, a uniform subsample.
    """

    kind = "regression"
    table = None

    def __init__(self, name: str = "", scale: Scale = Scale(0.0, 1.0), unit: str = "") -> None:  # noqa: B008 - a constant
        self.name = name
        self.scale = scale
        self.unit = unit
        self.kept = Subsample(_MAX_DRAWN)
        self._num_samples = 0
        self._count = 0
        self._shift = 0.0  # subtracted from true values: near their mean, sums of squares are precise
        self._sums = np.zeros(5)  # of true values, their squares, errors, squared errors, absolute errors

    def add(self, truth: Values, predicted: Values) -> None:
        """Adds values: two arrays of the same shape, a row for each sample; NaN and infinite values are left out."""
        finite = np.isfinite(truth) & np.isfinite(predicted)
        self._num_samples += int(np.count_nonzero(finite.any(axis=tuple(range(1, finite.ndim)))))
        truth, predicted, finite = (values.ravel() for values in (*np.asarray([truth, predicted], np.float64), finite))
        truth, error = truth[finite], (predicted - truth)[finite]
        mean, std = self.scale
        truth, error = truth * std + mean, error * std
        if not self._count and truth.size:
            self._shift = float(truth.mean())
        self._count += truth.size
        shifted = truth - self._shift
        self._sums += [each.sum() for each in (shifted, shifted**2, error, error**2, np.abs(error))]
        self.kept.add(truth, truth + error)

    def numbers(self) -> dict[str, float | int]:
        """The key figures."""
        count = max(1, self._count)
        truth, squares, error, squared_errors, sizes = self._sums.tolist()
        variation = squares - truth**2 / count
        return {
            "samples": self._num_samples,
            **({"values": self._count} if self._count != self._num_samples else {}),
            **{"mae": sizes / count, "rmse": math.sqrt(squared_errors / count), "mean_error": error / count},
            **({"r2": 1 - squared_errors / variation} if variation > 0 else {}),
        }

    def draw(self, folder: Path, suffix: str = "") -> list[Path]:
        """Draws predicted against true values, and the residuals.

        Args:
            folder: The output folder.
            suffix: Appended to the file names if a model has several outputs.
        """
        paths = [folder / f"{name}{suffix}.png" for name in ("predicted_and_true", "residuals")]
        truth, predicted = self.kept.columns()
        self._draw_scatter(truth, predicted, paths[0])
        self._draw_residuals(predicted - truth, paths[1])
        return paths

    def _draw_scatter(self, truth: Values, predicted: Values, path: Path) -> None:
        numbers = self.numbers()
        with saved_figure(path, height=5.4) as figure:
            axes = figure.add_subplot()
            low, high = min(truth.min(), predicted.min()), max(truth.max(), predicted.max())
            margin = 0.04 * ((high - low) or 1.0)
            limits = (low - margin, high + margin)
            axes.plot(limits, limits, color=FAINT, linestyle="--", linewidth=1.4)
            if len(truth) <= _MAX_POINTS:
                axes.plot(truth, predicted, "o", color=TRAINING, markersize=4.5, alpha=0.45, markeredgewidth=0)
            else:
                axes.hexbin(truth, predicted, gridsize=60, bins="log", cmap="Blues", mincnt=1, extent=limits * 2)
            axes.set(xlabel=self._label("true", self.name), ylabel=self._label("predicted", self.name))
            axes.set(xlim=limits, ylim=limits)
            r2 = f"R² {numbers['r2']:.3f}, " if "r2" in numbers else ""
            axes.set_title(f"predicted and true: {r2}MAE {_short(numbers['mae'])}")

    def _draw_residuals(self, residuals: Values, path: Path) -> None:
        numbers = self.numbers()
        with saved_figure(path) as figure:
            axes = figure.add_subplot()
            sizes = np.abs(residuals)
            most, nearly = float(sizes.max()), float(np.percentile(sizes, 99.6))
            reach = (most if most < _OUTLIER_FACTOR * nearly else nearly) or most or 1.0
            num_bins = min(60, max(10, round(math.sqrt(len(residuals)))))
            axes.hist(residuals, bins=num_bins, range=(-reach, reach), color=TRAINING, alpha=0.85)
            if beyond := int(np.count_nonzero(sizes > reach)):
                note = f"{beyond} more beyond, the farthest {_short(residuals[sizes.argmax()])}"
                axes.text(0.99, 0.97, note, transform=axes.transAxes, ha="right", va="top", color=FAINT, fontsize=10.5)
            axes.axvline(0, color=FAINT, linestyle="--", linewidth=1.4)
            axes.grid(visible=False, axis="x")
            axes.set(xlabel=self._label("predicted less true"))
            unit = "samples" if self._count == self._num_samples else "values"
            axes.set(ylabel=unit if len(residuals) == self._count else f"{len(residuals):,} of the {unit}")
            axes.set_title(f"residuals: mean {_short(numbers['mean_error'])}, RMSE {_short(numbers['rmse'])}")
            axes.locator_params(axis="x", nbins=5)

    def _label(self, *parts: str) -> str:
        return " ".join(filter(None, [*parts, self.unit and f"[{self.unit}]"]))


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
