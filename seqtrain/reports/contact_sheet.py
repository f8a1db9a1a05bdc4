"""A batch as people can look at it: a sheet of its pictures with their labels, or a table of its first rows.

Small pictures are enlarged by whole factors without smoothing, so that each pixel shows as it is; large ones are
shrunk. Float pictures are shown over their own range, which the title says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from seqtrain.reports.statistics import class_indices
from seqtrain.structure import named_leaves
from seqtrain.types import DataFormat

MOST_PICTURES = 64
_WIDTH = 1200
_MARGIN = 12
_SMALLEST_TILE, _LARGEST_TILE = 108, 280
_TITLE_SIZE, _CAPTION_SIZE = 20, 14
_LINE = _CAPTION_SIZE + 4
_BACKGROUND, _INK, _FAINT, _FRAME = "white", "#1a1a1a", "#767676", "#d0d0d0"


def contact_sheet(
    images: npt.NDArray[Any],
    y: npt.NDArray[Any] | None = None,
    *,
    title: str,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    sample_ids: Sequence[int] | None = None,
    data_format: DataFormat = "channels_last",
) -> Image.Image:
    """Draws the pictures of a batch in a grid, each with its label and its sample's number.

    Args:
        images: The batch; at most `MOST_PICTURES` of it are drawn.
        y: Targets: class indices, one-hot rows, or values.
        title: The line on top, such as "train, epoch 1, batch 3".
        class_names: By class index; the index is shown where they are left out.
        num_classes: Of the targets; None for values, unless there are class names.
        sample_ids: The samples' indices in the source, in the order of the rows.
        data_format: Where the channels are, if there are any.

    Shapes:
        images: (batch, height, width), (batch, height, width, channels) or (batch, channels, height, width) with 1, 3
            or 4 channels, else the first is shown; uint8 or other numbers
    """
    shown = _as_pixels(images[:MOST_PICTURES], data_format)
    pixels, (low, high) = _as_bytes(shown)
    labels = _labels(y, len(pixels), class_names, num_classes or (len(class_names) if class_names else None))
    ids = [f"#{sample_ids[row]}" if sample_ids is not None else f"row {row}" for row in range(len(pixels))]
    if shown.dtype != np.uint8:
        title += f"  ({shown.dtype}, black = {low:.4g}, white = {high:.4g})"
    if len(images) > len(pixels):
        title += f"  (first {len(pixels)} of {len(images)})"
    return _sheet([_tile(picture) for picture in pixels], labels, ids, title)


def table(batch: tuple[Any, ...], sample_ids: Sequence[int] | None = None, num_rows: int = 10) -> str:
    """The first rows of every field of a batch, as plain text.

    Example:
        sample  x.user  x.item  y
        ------  ------  ------  ---
        12      3       17      4.5
    """
    columns = {name: np.asarray(leaf) for name, leaf in named_leaves(batch)}
    count = min(num_rows, *(len(column) for column in columns.values())) if columns else 0
    header = ["row" if sample_ids is None else "sample", *columns]
    rows = [
        [str(row if sample_ids is None else sample_ids[row]), *(_cell(column[row]) for column in columns.values())]
        for row in range(count)
    ]
    widths = [max(len(line[position]) for line in [header, *rows]) for position in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _as_pixels(images: npt.NDArray[Any], data_format: DataFormat) -> npt.NDArray[Any]:
    """(batch, height, width) or (batch, height, width, 3)."""
    if images.ndim == 4 and data_format == "channels_first":
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 3:
        return images
    return images[..., :3] if images.shape[-1] in (3, 4) else images[..., 0]


def _as_bytes(images: npt.NDArray[Any]) -> tuple[npt.NDArray[np.uint8], tuple[float, float]]:
    """The pixels as bytes, and the values that became black and white."""
    if images.dtype == np.uint8:
        return images, (0.0, 255.0)
    values = images.astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    scaled = (values - low) / ((high - low) or 1.0) * 255
    return np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8), (low, high)


def _tile(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    edge = max(picture.size)
    if edge > _LARGEST_TILE:
        picture.thumbnail((_LARGEST_TILE, _LARGEST_TILE), Image.Resampling.LANCZOS)
        return picture
    factor = math.ceil(_SMALLEST_TILE / edge) if edge < _SMALLEST_TILE else 1
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _labels(
    y: npt.NDArray[Any] | None, count: int, class_names: Sequence[str] | None, num_classes: int | None
) -> list[str]:
    if y is None:
        return [""] * count
    classes = class_indices(np.asarray(y), num_classes) if num_classes else None
    if classes is None:
        return [_cell(value) for value in np.asarray(y)[:count]]
    names = class_names or ()
    return [names[label] if 0 <= label < len(names) else f"class {label}" for label in classes[:count].tolist()]


def _sheet(tiles: Sequence[Image.Image], labels: Sequence[str], ids: Sequence[str], title: str) -> Image.Image:
    title_font = ImageFont.load_default(_TITLE_SIZE)
    cell_width = max(_SMALLEST_TILE, *(tile.width for tile in tiles)) + _MARGIN
    cell_height = max(tile.height for tile in tiles) + 2 * _LINE + _MARGIN
    num_rows = math.ceil(len(tiles) / max(1, (_WIDTH - _MARGIN) // cell_width))
    num_columns = math.ceil(len(tiles) / num_rows)
    top = _TITLE_SIZE + 2 * _MARGIN
    width = max(_MARGIN + num_columns * cell_width, int(title_font.getlength(title)) + 2 * _MARGIN)
    sheet = Image.new("RGB", (min(width, _WIDTH), top + num_rows * cell_height), _BACKGROUND)
    title = _shortened(title, title_font, sheet.width - 2 * _MARGIN)
    ImageDraw.Draw(sheet).text((_MARGIN, _MARGIN), title, _INK, title_font)
    for position, tile in enumerate(tiles):
        row, column = divmod(position, num_columns)
        place = (_MARGIN + column * cell_width, top + row * cell_height)
        _place(sheet, tile, place, [(labels[position], _INK), (ids[position], _FAINT)])
    return sheet


def _place(sheet: Image.Image, tile: Image.Image, place: tuple[int, int], captions: Sequence[tuple[str, str]]) -> None:
    """Puts one picture on the sheet, framed, with those captions under it that are not empty."""
    x, y = place
    sheet.paste(tile, place)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_CAPTION_SIZE)
    draw.rectangle((x - 1, y - 1, x + tile.width, y + tile.height), outline=_FRAME)
    y += tile.height + 3
    for text, color in captions:
        if text:
            draw.text((x, y), _shortened(text, font, max(tile.width, _SMALLEST_TILE)), color, font)
            y += _LINE


def _shortened(text: str, font: Any, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _cell(value: Any) -> str:
    """One sample's value in a few characters."""
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.6g}" if array.dtype.kind == "f" else str(array.item())
    flat = array.ravel()
    words = [f"{item:.4g}" if array.dtype.kind == "f" else str(item) for item in flat[:6].tolist()]
    rest = f", … {flat.size} in all" if flat.size > len(words) else ""
    return f"[{', '.join(words)}{rest}]"
