"""Draws a confusion matrix: the shares of each true class as colours, and the counts if there is room for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.reports.style import saved_figure
from seqtrain.text import short_count, shortened

_MAX_COUNTED = 20
_DARK = 0.55
_MAX_LETTERS = 24  # of class names in one line under the matrix


def draw_matrix(counts: npt.NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Draws a confusion matrix.

    Args:
        counts: The counts by true class (row) and predicted class (column).
        names: The names of the classes.
        path: The PNG.
    """
    count = len(names)
    side = min(max(4.6, 2.6 + 0.42 * count), 11.0)
    with saved_figure(path, side + 0.8, side) as figure:
        axes = figure.add_subplot()
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        _name_ticks(axes, names)
        if count <= _MAX_COUNTED:
            _write_counts(axes, counts, shares)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="predicted", ylabel="true")
        axes.set_title("confusion matrix")
        bar = figure.colorbar(
            image, ax=axes, shrink=0.7, ticks=[0, 0.5, 1], format="{x:.0%}", label="of the true class"
        )
        bar.outline.set_visible(False)


def _name_ticks(axes: Any, names: Sequence[str]) -> None:
    """Writes the names of the classes; if there are many, those of every n-th class."""
    every = max(1, -(-len(names) // 30))
    places = range(0, len(names), every)
    shown = [shortened(names[place], 14) for place in places]
    is_wide = max(map(len, shown)) * len(names) > _MAX_LETTERS
    axes.set_xticks(places, shown, rotation=90 if is_wide else 0)
    axes.set_yticks(places, shown)
    axes.tick_params(length=0)


def _write_counts(axes: Any, counts: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]) -> None:
    size = (12 if len(counts) <= 10 else 10) - (3 if counts.max() >= 1_000_000 else 0)
    for (row, column), value in np.ndenumerate(counts):
        if value:
            color = "white" if shares[row, column] > _DARK else "#1a1a1a"
            axes.text(column, row, short_count(int(value)), ha="center", va="center", color=color, fontsize=size)
