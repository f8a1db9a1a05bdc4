"""The layout of a contact sheet: a title, a legend, and images in a grid with their captions.

The font is Matplotlib's, which has the letters of most alphabets.
"""

from __future__ import annotations

import functools
import importlib.util
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from seqtrain.reports.tiles import SMALLEST_TILE

INK, FAINT, ALARM = "#1a1a1a", "#767676", "#c00000"
_WIDTH = 1200
_MARGIN = 12
_TITLE_SIZE, _CAPTION_SIZE = 20, 13
_LINE = _CAPTION_SIZE + 5
_WIDEST_CAPTION = 200  # cells are widened for captions up to this width; longer captions are shortened
_END = 6  # the number of characters kept at the end of a shortened caption, for a percentage
_BACKGROUND, _FRAME = "white", "#d0d0d0"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Caption = tuple[str, str]
"""A line and its colour."""


def draw_sheet(
    tiles: Sequence[Image.Image],
    captions: Sequence[Sequence[Caption]],
    title: str,
    legend: Sequence[tuple[str, str]],
) -> Image.Image:
    """Draws images in a grid.

    Args:
        tiles: The images.
        captions: The lines under each of them.
        title: The line at the top.
        legend: Colours and their names, which are shown below the title.
    """
    title_font = font(_TITLE_SIZE)
    lengths = [math.ceil(_length(text)) for each in captions for text, color in each if color != FAINT]
    cell_width = max(SMALLEST_TILE, *(tile.width for tile in tiles), min(max(lengths, default=0), _WIDEST_CAPTION))
    cell_width += _MARGIN
    cell_height = max(tile.height for tile in tiles) + max(2, max(map(len, captions))) * _LINE + _MARGIN
    num_rows = math.ceil(len(tiles) / max(1, (_WIDTH - _MARGIN) // cell_width))
    num_columns = math.ceil(len(tiles) / num_rows)
    width = max(_MARGIN + num_columns * cell_width, math.ceil(title_font.getlength(title)) + 2 * _MARGIN)
    width = min(width, max(_WIDTH, cell_width + _MARGIN))
    legend_lines = _legend_lines(legend, width)
    top = _TITLE_SIZE + 2 * _MARGIN + len(legend_lines) * _LINE
    sheet = Image.new("RGB", (width, top + num_rows * cell_height), _BACKGROUND)
    title = fitted_text(title, title_font, sheet.width - 2 * _MARGIN)
    ImageDraw.Draw(sheet).text((_MARGIN, _MARGIN), title, INK, title_font)
    for number, line in enumerate(legend_lines):
        write_legend(sheet, line, top - (len(legend_lines) - number) * _LINE - 4)
    for position, tile in enumerate(tiles):
        row, column = divmod(position, num_columns)
        place = (_MARGIN + column * cell_width, top + row * cell_height)
        _paste_tile(sheet, tile, place, captions[position], cell_width - _MARGIN)
    return sheet


def _legend_lines(legend: Sequence[tuple[str, str]], width: int) -> list[list[tuple[str, str]]]:
    """The legend, divided into lines that fit the width of the sheet."""
    lines: list[list[tuple[str, str]]] = []
    x = width
    for color, name in legend:
        length = _legend_length(name)
        if x + length > width:
            lines.append([])
            x = _MARGIN
        lines[-1].append((color, name))
        x += length
    return lines


def _legend_length(name: str) -> int:
    return _CAPTION_SIZE + 3 + math.ceil(_length(name)) + 2 * _MARGIN


def write_legend(sheet: Image.Image, line: Sequence[tuple[str, str]], y: int) -> None:
    """Writes one line of the legend: the colour and the name of each entry."""
    draw, x = ImageDraw.Draw(sheet), _MARGIN
    for color, name in line:
        draw.rectangle((x, y + 3, x + _CAPTION_SIZE - 3, y + _CAPTION_SIZE), fill=color)
        draw.text((x + _CAPTION_SIZE + 3, y), unicodedata.normalize("NFC", name), INK, font(_CAPTION_SIZE))
        x += _legend_length(name)


def _paste_tile(
    sheet: Image.Image, tile: Image.Image, place: tuple[int, int], captions: Sequence[tuple[str, str]], width: int
) -> None:
    """Pastes one image with a frame, and writes its captions under it."""
    x, y = place
    sheet.paste(tile, place)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x - 1, y - 1, x + tile.width, y + tile.height), outline=_FRAME)
    y += tile.height + 3
    for text, color in captions:
        draw.text((x, y), fitted_text(text, font(_CAPTION_SIZE), width, _END), color, font(_CAPTION_SIZE))
        y += _LINE


def _length(text: str) -> float:
    return font(_CAPTION_SIZE).getlength(text)


def fitted_text(text: str, of: Font, width: int, end: int = 0) -> str:
    """The text, shortened to fit the width; the last `end` characters are kept."""
    text = unicodedata.normalize("NFC", text)  # else Pillow would draw accents beside their letters
    if of.getlength(text) <= width:
        return text
    start, last = (text[:-end], text[-end:]) if end else (text, "")
    while start and of.getlength(f"{start}…{last}") > width:
        start = start[:-1]
    return f"{start.rstrip()}…{last}"


@functools.cache
def font(size: int) -> Font:
    """DejaVu Sans from Matplotlib's package; without it Pillow's own font, which has only ASCII.

    Args:
        size: The size in pixels.
    """
    matplotlib = importlib.util.find_spec("matplotlib")  # not imported, since that takes longer than drawing
    if matplotlib is not None and matplotlib.origin is not None:
        path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)
