"""Draws the curves of several runs into one image; each curve has its name at its end, so no legend is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

from seqtrain.errors import ConfigError, did_you_mean, one_of
from seqtrain.reports.run_folder import RunFolder
from seqtrain.reports.style import FAINT, LINES, saved_figure
from seqtrain.text import shortened_middle

_WIDTH, _PANEL_HEIGHT, _HEIGHT_OF_LABEL = 9.0, 3.6, 0.24  # inches
_DASHES = ("-", "--", ":", "-.")  # used one after the other, each with all colours
_LABEL_CHARACTERS = 24
_MAX_MARKERS = 20
_TEXT = "#222222"
_LEADER = {"arrowstyle": "-", "linestyle": ":", "linewidth": 1.1, "shrinkA": 2, "shrinkB": 3, "relpos": (0, 0.5)}
_OUTLIER_FACTOR = 10  # a curve that needs this many times the range of the others is cut off, as after divergence


def draw_runs(runs: Sequence[RunFolder], names: Sequence[str], path: Path, metric: str | None = None) -> list[str]:
    """Draws a metric of several runs by epoch, the best epoch of each marked.

    Args:
        runs: The runs.
        names: The name of each run.
        path: The PNG.
        metric: The metric. Default: the one that most runs watched, and the validation loss below it.

    Returns:
        The metrics that were drawn, from top to bottom.

    Raises:
        ConfigError: when no run has logged the metric.
    """
    metrics = [metric] if metric else _watched(runs)
    known = list(dict.fromkeys(name for run in runs for name in run.metrics if run.points(name)))
    for name in metrics or ["val_loss"]:
        if name not in known:
            raise ConfigError(
                f"no run has logged '{name}'",
                expected=one_of(known) if known else "runs that have finished an epoch",
                fix=did_you_mean(name, known),
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    height = max(_PANEL_HEIGHT, _HEIGHT_OF_LABEL * len(runs) + 1)
    with saved_figure(path, _WIDTH, height * len(metrics)) as figure:
        for axes, name in zip(figure.subplots(len(metrics), squeeze=False)[:, 0], metrics, strict=True):
            _draw(axes, runs, names, name, height)
    return metrics


def _watched(runs: Sequence[RunFolder]) -> list[str]:
    """The metric by which most runs choose their best epoch, and the validation loss."""
    watched = [best.monitor for run in runs if (best := run.best)]
    frequent = sorted(dict.fromkeys(watched), key=watched.count, reverse=True)[:1]
    loss = ["val_loss"] if any(run.points("val_loss") for run in runs) else []
    return list(dict.fromkeys([*frequent, *loss]))


def _draw(axes: Any, runs: Sequence[RunFolder], names: Sequence[str], metric: str, height: float) -> None:
    from matplotlib.ticker import MaxNLocator

    ends: list[tuple[float, float, str, str]] = []
    for index, (run, name) in enumerate(zip(runs, names, strict=True)):
        points = [(epoch + 1, value) for epoch, value in run.points(metric)]
        best = run.best_by(metric)
        if not points or best is None:
            continue
        color, dashes = LINES[index % len(LINES)], _DASHES[index // len(LINES) % len(_DASHES)]
        marker = "o" if len(points) <= _MAX_MARKERS else ""
        axes.plot(*zip(*points, strict=True), color=color, linestyle=dashes, marker=marker, markersize=3.5)
        axes.plot(best.epoch + 1, best.value, "o", markersize=11, markerfacecolor="none", markeredgecolor=color)
        ends.append((*points[-1], f"{shortened_middle(name, _LABEL_CHARACTERS)}  {best.value:.4g}", color))
    axes.set_title(f"{metric}, the best epoch of each run in a ring")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(y=0.08)
    _cut_off(axes, [run.points(metric) for run in runs])
    _label(axes, ends, _HEIGHT_OF_LABEL / (height - 1))


def _cut_off(axes: Any, curves: Sequence[Sequence[tuple[int, float]]]) -> None:
    """Cuts off curves far above the others, which would flatten the others.

    The lowest and the first values of all curves stay visible, except those of a run that starts far above the others.
    """
    firsts = [points[0][1] for points in curves if points]
    values = [value for points in curves for _, value in points]
    if not values:
        return
    low = min(values)
    usual = _OUTLIER_FACTOR * (median_low(firsts) - low)
    lowest = [min(value for _, value in points) for points in curves if points]
    span = max((value - low for value in [*firsts, *lowest] if value - low <= usual), default=0.0)
    if max(values) - low > _OUTLIER_FACTOR * span > 0:
        axes.set_ylim(low - 0.1 * span, low + 1.5 * span)


def _label(axes: Any, ends: Sequence[tuple[float, float, str, str]], gap: float) -> None:
    """Writes the names beside the axes, near the ends of their curves and without overlap."""
    low, high = axes.get_ylim()
    seen = ((epoch, min(value, high), text, color) for epoch, value, text, color in ends)
    wanted = sorted(((value - low) / (high - low), epoch, value, text, color) for epoch, value, text, color in seen)
    places = spread([share for share, *_ in wanted], gap)
    for place, (_, epoch, value, text, color) in zip(places, wanted, strict=True):
        axes.annotate(
            text,
            xy=(epoch, value),
            xytext=(1.05, place),
            textcoords="axes fraction",
            fontsize=10.5,
            color=_TEXT,
            verticalalignment="center",
            arrowprops=_LEADER | {"color": color},
            annotation_clip=False,
        )
    if not ends:
        axes.text(0.5, 0.5, "no run has logged it", color=FAINT, ha="center", transform=axes.transAxes)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Ascending positions near the wanted ones, at least `gap` apart; within 0 to 1 if all fit."""
    places: list[float] = []
    for place in wanted:
        places.append(max(place, places[-1] + gap) if places else place)
    ceiling = 1.0
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], ceiling)
        ceiling = places[index] - gap
    return places
