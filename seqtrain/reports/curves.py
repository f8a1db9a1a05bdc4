"""Plots the training curves: one image per metric, with training and validation in the same axes.

They are drawn from `history.csv`, which has the columns `epoch` (from 0), `<metric>` and `val_<metric>`. The best epoch
and the start of fine-tuning are marked.

`python -m seqtrain.reports.curves RUN` draws them at the lowest priority, so that training is not slowed down.
"""

from __future__ import annotations

import csv
import math
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError
from seqtrain.metric_names import larger_is_better
from seqtrain.reports.style import FAINT, TRAINING, VALIDATION, saved_figure

_MAX_MARKERS = 20
_RATES = ("lr", "learning_rate", "samples_per_s", "data_wait")  # metrics without a best epoch
_TITLES = {"lr": "learning rate", "samples_per_s": "samples per second", "data_wait": "share of time waiting for data"}
_LOG_SCALE_RATIO = 20  # the ratio of learning rates above which the axis is logarithmic
_FINE_TUNING = re.compile(r"fine-tuning from epoch (\d+) on$", re.MULTILINE)


def draw(history_csv: Path, folder: Path, fine_tuned_from: int | None = None) -> list[Path]:
    """Draws every metric of a history into `<metric>.png`.

    Args:
        history_csv: The run's history, one row per epoch.
        folder: The output folder; created if it does not exist.
        fine_tuned_from: The first epoch of the second phase, from 0.

    Returns:
        The paths of the PNG files; empty for a history without epochs.

    Raises:
        DataError: when the history cannot be read.
    """
    epochs, columns = read_history(history_csv)
    if not epochs:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric in _metrics(columns):
        path = folder / (re.sub(r"[^\w.-]", "_", metric) + ".png")
        _draw_metric(metric, epochs, columns, path, fine_tuned_from)
        paths.append(path)
    return paths


def draw_run(run_dir: Path, folder: Path | None = None) -> list[Path]:
    """Draws the curves of a run folder into `folder`, by default its `plots/`."""
    return draw(run_dir / "history.csv", folder or run_dir / "plots", fine_tuned_from(run_dir / "train.log"))


def fine_tuned_from(log: Path) -> int | None:
    """The first epoch of the second phase, from 0, read from the run's log, since early stopping may start it early.

    None for a run without a second phase or without a log.
    """
    try:
        found = _FINE_TUNING.findall(log.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return int(found[-1]) - 1 if found else None


def read_history(history_csv: Path) -> tuple[list[int], dict[str, list[float]]]:
    """The epochs, from 1, and each column that has a number; NaN for missing values.

    Raises:
        DataError: when the history cannot be read.
    """
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
    """The number, or NaN if it is missing: for an epoch without validation, or a row that was cut off."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _metrics(columns: dict[str, list[float]]) -> list[str]:
    """The names without `val_`, each once, in the order of the columns."""
    return list(dict.fromkeys(name.removeprefix("val_") for name in columns))


def _draw_metric(
    metric: str, epochs: Sequence[int], columns: dict[str, list[float]], path: Path, fine_tuned_from: int | None
) -> None:
    from matplotlib.ticker import MaxNLocator

    sides = [("training", TRAINING, metric), ("validation", VALIDATION, f"val_{metric}")]
    curves = [(label, color, _points(epochs, columns[name])) for label, color, name in sides if name in columns]
    with saved_figure(path) as figure:
        axes = figure.add_subplot()
        for label, color, points in curves:
            # If values are missing (validation every fifth epoch), markers show which epochs have one.
            marker = "o" if len(points) <= _MAX_MARKERS or len(points) < len(epochs) else ""
            axes.plot(
                *zip(*points, strict=True),
                color=color,
                label=None if metric in _RATES else label,
                marker=marker,
                markersize=4,
            )
        axes.set(xlabel="epoch", xlim=(min(epochs) - 0.5, max(epochs) + 0.5))
        axes.set_title(_TITLES.get(metric, metric.replace("_", " ")))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if metric in _RATES:
            _scale_rate(axes, metric, curves[0][2])
        else:
            _mark_best(axes, metric, *curves[-1][1:])
        if fine_tuned_from is not None and fine_tuned_from + 1 <= max(epochs):
            axes.axvline(fine_tuned_from + 0.5, color=FAINT, linestyle="--", linewidth=1.4, label="fine-tuning begins")
        if axes.get_legend_handles_labels()[1]:
            axes.legend()


def _scale_rate(axes: Any, metric: str, points: Sequence[tuple[int, float]]) -> None:
    """Starts the axis at zero; a rate that changes a lot gets a logarithmic axis."""
    values = [value for _, value in points]
    if min(values) > 0 and max(values) / min(values) > _LOG_SCALE_RATIO and metric != "data_wait":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, position: "")
    else:
        axes.set_ylim(0, max(1.15 * max(values), 0.05 if metric == "data_wait" else 0))
    if metric == "data_wait":
        axes.yaxis.set_major_formatter(lambda share, position: f"{100 * share:.0f} %")


def _points(epochs: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    return [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if math.isfinite(value)]


def _mark_best(axes: Any, metric: str, color: str, points: Sequence[tuple[int, float]]) -> None:
    epoch, value = best_point(metric, points)
    axes.plot(
        epoch,
        value,
        marker="o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor=color,
        markeredgewidth=2,
        linestyle="none",
        clip_on=False,
        label=f"best {value:.4g}, epoch {epoch}",
    )


def best_point(metric: str, points: Sequence[tuple[int, float]]) -> tuple[int, float]:
    """The best point; of equal ones the first."""
    choose = max if larger_is_better(metric) else min
    return choose(points, key=lambda point: point[1])


if __name__ == "__main__":
    os.nice(19)
    draw_run(Path(sys.argv[1]))
