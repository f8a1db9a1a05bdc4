"""The curves of a training: one picture a metric, training and validation in one pair of axes.

Drawn from `history.csv`, which has a column `epoch` counted from 0, one for each metric and one with `val_` before its
name. The object API of matplotlib is used alone, so that no window, display or global state is involved.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError
from seqtrain.metric_names import larger_is_better

_TRAINING, _VALIDATION = "#1f77b4", "#d95f02"
_MOST_MARKERS = 20
_RATES = ("lr", "learning_rate", "samples_per_s", "data_wait")  # no epoch is their best


def draw(history_csv: Path, folder: Path) -> list[Path]:
    """Draws every metric of a history; the files are called `<metric>.png`.

    Args:
        history_csv: What the run has logged, an epoch a row.
        folder: Where the pictures go; it is made where it is missing.

    Returns:
        The pictures' paths. None for a history without an epoch.

    Raises:
        DataError: when the history cannot be read.
    """
    epochs, columns = _read(history_csv)
    if not epochs:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric in _metrics(columns):
        path = folder / (re.sub(r"[^\w.-]", "_", metric) + ".png")
        _draw_metric(metric, epochs, columns, path)
        paths.append(path)
    return paths


def _read(history_csv: Path) -> tuple[list[int], dict[str, list[float]]]:
    try:
        with history_csv.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        epochs = [int(float(row["epoch"])) + 1 for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise DataError(
            "the history cannot be read",
            where=history_csv,
            expected="a CSV file with a column `epoch` and one for each metric",
            received=f"{type(error).__name__}: {error}",
            fix="take the history.csv of a run folder",
        ) from error
    names = [name for name in (rows[0] if rows else {}) if name not in ("epoch", None)]
    columns = {name: [_number(row[name]) for row in rows] for name in names}
    return epochs, {name: values for name, values in columns.items() if any(map(math.isfinite, values))}


def _number(text: str | None) -> float:
    """NaN for a gap: an epoch without validation, or one cut short."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _metrics(columns: dict[str, list[float]]) -> list[str]:
    """The names without `val_`, each once, in the order of the columns."""
    return list(dict.fromkeys(name.removeprefix("val_") for name in columns))


def _draw_metric(metric: str, epochs: Sequence[int], columns: dict[str, list[float]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    sides = [("training", _TRAINING, metric), ("validation", _VALIDATION, f"val_{metric}")]
    curves = [(label, color, _points(epochs, columns[name])) for label, color, name in sides if name in columns]
    for label, color, points in curves:
        # Where there are gaps (validation every fifth epoch), markers show which epochs count.
        marker = "o" if len(points) <= _MOST_MARKERS or len(points) < len(epochs) else ""
        axes.plot(*zip(*points, strict=True), color=color, label=label, linewidth=1.8, marker=marker, markersize=4)
    if metric not in _RATES:
        _mark_best(axes, metric, *curves[-1][1:])
        axes.legend(frameon=False)
    axes.set(xlabel="epoch", ylabel=metric, title=metric, xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure).print_png(path)


def _points(epochs: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    return [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if math.isfinite(value)]


def _mark_best(axes: Any, metric: str, color: str, points: Sequence[tuple[int, float]]) -> None:
    epoch, value = _best(metric, points)
    axes.plot(
        epoch,
        value,
        marker="o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=color,
        markeredgewidth=1.8,
        linestyle="none",
        label=f"best: {value:.4g} in epoch {epoch}",
    )


def _best(metric: str, points: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """The first of the best points."""
    choose = max if larger_is_better(metric) else min
    return choose(points, key=lambda point: point[1])
