"""How every plot looks: few lines, large letters, colours that colour-blind people tell apart.

A plot is read on a phone too, where it is 360 points wide, so letters are large in proportion. The object API of
matplotlib is used alone: no window, no display. A picture appears whole or not at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtrain.files import written_whole
from seqtrain.reports.tiles import COLORS

TRAINING, VALIDATION = "#0072b2", "#d55e00"
FAINT = "#767676"
# Without the yellow, which is no line on white.
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
_QUICKLY = {"compress_level": 1}  # as large by a half, in a quarter of the time


@contextlib.contextmanager
def saved_figure(path: Path, width: float = 6.0, height: float = 4.0) -> Iterator[Any]:
    """A figure to draw on, saved as a PNG at the end of the block.

    Args:
        path: The PNG.
        width: In inches, 150 pixels each.
        height: Likewise.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
        yield figure
        with written_whole(path, durable=False) as file:
            FigureCanvasAgg(figure).print_png(file, pil_kwargs=_QUICKLY)
