"""Prints the output of commands with rich; in a pipe, it is plain text that is never wrapped, cut or coloured.

Rich is only imported when something is printed, since that takes 0.05 s.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from seqtrain.text import GAP

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

UNLIMITED = 1 << 20
"""The width that is used if the output is not a terminal."""


def terminal_width() -> int:
    """The width of the terminal in columns; `UNLIMITED` if stdout is not a terminal."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else UNLIMITED


def show(*parts: RenderableType) -> None:
    """Prints parts to stdout, one below the other."""
    import typer

    is_colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    typer.echo(drawn(*parts, width=terminal_width(), is_colored=is_colored))


def drawn(*parts: RenderableType, width: int = UNLIMITED, is_colored: bool = False) -> str:
    """Parts as text, one below the other.

    Args:
        parts: Strings or objects of rich.
        width: The width at which rich wraps its objects; strings are not wrapped.
        is_colored: Whether the text has escape codes for its styles.
    """
    from rich.console import Console

    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=is_colored,
        color_system="standard" if is_colored else None,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str) or getattr(part, "no_wrap", False))
    return "\n".join(line.rstrip() for line in file.getvalue().removesuffix("\n").split("\n"))


def styled(text: str, style: str, *, wraps: bool = False) -> Text:
    """A text in a style such as "dim" or "green"; a line that is not wrapped, or a paragraph."""
    from rich.text import Text

    whole = Text() if wraps else Text(no_wrap=True, overflow="ignore")
    return whole.append(text, style)  # the padding of a cell gets no style


def columns(
    rows: Iterable[Sequence[str | Text]],
    header: Sequence[str],
    right: Collection[str] = (),
    min_widths: Sequence[int] = (),
) -> Table:
    """A table without lines; if it is wider than the terminal, cells are wrapped, except in the first column.

    Args:
        rows: The rows, each as long as the header.
        header: The names of the columns; if all are "", the table has no header.
        right: The names of the columns that are aligned to the right.
        min_widths: The smallest widths of the columns, to align several tables.
    """
    from rich.table import Table

    table = Table(
        box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="dim", show_header=any(header), expand=False
    )
    for place, name in enumerate(header):
        min_width = min_widths[place] if min_widths else None
        table.add_column(
            name,
            justify="right" if name in right else "left",
            min_width=min_width,
            no_wrap=place == 0,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def indented(part: RenderableType, spaces: int = 2) -> RenderableType:
    """A part whose lines are indented by spaces."""
    from rich.padding import Padding

    return Padding.indent(part, spaces)
