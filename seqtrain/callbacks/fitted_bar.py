"""A bar of tqdm whose text fits the terminal: the least important parts are left out first, and no line ever wraps.

The terminal's width is read at each redraw, so the terminal may be resized. The width of the bar itself depends only on
the terminal's width; if the bar filled the space that the text leaves, it would jump with each digit. A line that has
not changed is not drawn again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm
from tqdm.utils import disp_len

_TIGHT = "  "
_WIDEST_BAR = 30


@dataclass(frozen=True)
class Segment:
    """A piece of a line.

    Args:
        text: The text.
        rank: Its importance; 0 is left out last.
    """

    text: str
    rank: float


def fitted(parts: Sequence[Segment], room: float, separator: str) -> str:
    """The most important parts that fit into `room` columns, in their given order."""
    texts = [part.text for part in parts]
    if disp_len(separator.join(texts)) <= room:
        return separator.join(texts)
    kept: list[Segment] = []
    for part in sorted(parts, key=lambda part: part.rank):
        room -= disp_len(part.text) + (len(_TIGHT) if kept else 0)
        if room < 0:
            break
        kept.append(part)
    return _TIGHT.join(part.text for part in parts if part in kept)


class FittedBar(tqdm):  # type: ignore[type-arg]  # generic in its stubs alone
    """A tqdm bar with a heading and a text, shortened to fit the terminal.

    Args:
        heading: The name of the task, such as the epoch; `{heading}` in the format.
        field: Where the format shows the text: `prefix`, which tqdm shows as `{desc}`, or `postfix`.
        separator: Separates the parts of the text.
        options: Passed on to tqdm.
    """

    def __init__(self, heading: str, field: str, separator: str, **options: Any) -> None:
        self.heading = heading
        self.parts: Callable[[], Sequence[Segment]] = tuple
        self._field = field
        self._separator = separator
        self._drawn: tuple[str, int] | None = None
        self._drawn_width = 0
        desc = heading if field == "postfix" else ""
        # With `miniters=0`, a fraction of an epoch is progress too.
        super().__init__(desc=desc, dynamic_ncols=True, miniters=0, **options)

    def __str__(self) -> str:
        shown = {**self.format_dict, "heading": self.heading}
        width = shown["ncols"] or 0
        count, total = shown["n"], shown["total"]
        shown["n_fmt"] = (f"{count:.3g}" if isinstance(count, float) else str(count)).rjust(len(str(total or "?")))
        if not total or count <= shown["initial"]:
            shown["remaining"] = "--:--"
        bar_format = shown["bar_format"]
        bare = {**shown, self._field: "", "ncols": None, "bar_format": bar_format.replace("{bar}", "")}
        room = width - disp_len(self.format_meter(**bare)) if width else 10_000
        bar_width = max(1, min(room, width // 6, _WIDEST_BAR)) if width else 10
        shown["bar_format"] = bar_format.replace("{bar}", f"{{bar:{bar_width}}}")
        room -= (bar_width if "{bar}" in bar_format else 0) + (len(", ") if self._field == "postfix" else 0)
        return str(self.format_meter(**{**shown, self._field: fitted(self.parts(), room, self._separator)})).rstrip()

    def count_from_now(self) -> None:
        """Estimates the remaining time from the progress made after this call."""
        self.initial = self.last_print_n = self.n
        self.start_t = self.last_print_t = time.time()

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:  # type: ignore[override]  # its stubs return None
        """Draws the bar, unless nothing has changed or its delay has not passed."""
        if self.delay and time.time() < getattr(self, "start_t", math.inf) + self.delay:
            return True
        self._redraw_if_resized()
        text, place = str(self) if msg is None else msg, abs(self.pos) if pos is None else pos
        if (text, place) == self._drawn:
            return True
        self._drawn, self._drawn_width = (text, place), self.width
        return super().display(text, place)

    def clear(self, nolock: bool = False) -> None:
        """Leaves the line empty."""
        self._redraw_if_resized()
        self._drawn = None
        super().clear(nolock)

    @property
    def width(self) -> int:
        """The number of columns of the terminal; 0 without a terminal."""
        return self.format_dict["ncols"] or 0

    def _redraw_if_resized(self) -> None:
        """Redraws all bars after the terminal was resized: the blanks that tqdm writes over an old line would wrap."""
        if self._drawn is None or self.width == self._drawn_width:
            return
        bars = [bar for bar in tqdm._instances if isinstance(bar, FittedBar)]  # type: ignore[attr-defined]  # missing in its stubs
        self.fp.write("\r\x1b[J")
        for bar in bars:
            bar.sp = bar.status_printer(bar.fp)
            bar._drawn = None
        for bar in bars:
            bar.display()
