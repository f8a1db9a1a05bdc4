"""The style of all plots: few lines, large letters, and colours that colour-blind people can distinguish.

Plots are also viewed on phones, where they are 360 points wide, so the letters are large. Only Matplotlib's object API
is used, which needs no display. Plots are written atomically.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtrain.files import atomic_write
from seqtrain.reports.tiles import COLORS

TRAINING, VALIDATION = "#0072b2", "#d55e00"
FAINT = "#767676"
# Without yellow, which is hard to see on white.
LINES = tuple(color for color in COLORS if color != "#f0e442")
_STYLE = {
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "lines.linewidth": 2.0,
    "text.parse_math": False,  # a class may be called `$5`
}
_PNG_OPTIONS = {"compress_level": 1}  # the files are half as large again, but written in a quarter of the time


@contextlib.contextmanager
def saved_figure(path: Path, width: float = 6.0, height: float = 4.0) -> Iterator[Any]:
    """A figure to draw on, saved as a PNG at the end of the block.

    Args:
        path: The PNG.
        width: The width in inches of 150 pixels.
        height: The height, likewise.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        yield figure
        with atomic_write(path, durable=False) as file:
            FigureCanvasAgg(figure).print_png(file, pil_kwargs=_PNG_OPTIONS)
