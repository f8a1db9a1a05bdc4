"""Draws rows of images with captions: the inputs of an autoencoder and its reconstructions.

Small images are enlarged by whole factors without smoothing, so that each pixel is visible. Floats are shown from 0,
black, to 1, white, and not scaled to their own range: a gray reconstruction of a bright image must look gray.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_SMALLEST_TILE, _LARGEST_TILE = 72, 192
_MARGIN, _GAP = 12, 4
_TITLE_SIZE, _CAPTION_SIZE = 18, 14
_BACKGROUND, _INK, _FAINT = "white", "#1a1a1a", "#767676"


def reconstruction_sheet(rows: Mapping[str, npt.NDArray[Any]], title: str) -> Image.Image:
    """Draws rows of images.

    Args:
        rows: The images of each row by its caption; all rows have equally many, and all images the same size.
        title: The line at the top.

    Shapes:
        rows: (images, height, width, channels); uint8, or floats from 0 to 1; with two or more than four channels, the
            first is shown
    """
    tiles = {caption: [_tile(image) for image in as_bytes(images)] for caption, images in rows.items()}
    width, height = next(iter(tiles.values()))[0].size
    num_columns = len(next(iter(tiles.values())))
    row_height = height + _CAPTION_SIZE + 2 * _GAP + _MARGIN
    title_font, caption_font = ImageFont.load_default(_TITLE_SIZE), ImageFont.load_default(_CAPTION_SIZE)
    text_width = max(title_font.getlength(title), *(caption_font.getlength(caption) for caption in tiles))
    sheet_width = max(num_columns * (width + _GAP) - _GAP, math.ceil(text_width)) + 2 * _MARGIN
    top = _TITLE_SIZE + 2 * _MARGIN
    sheet = Image.new("RGB", (sheet_width, top + len(tiles) * row_height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, _INK, title_font)
    for number, (caption, row) in enumerate(tiles.items()):
        y = top + number * row_height
        draw.text((_MARGIN, y), caption, _FAINT, caption_font)
        for column, tile in enumerate(row):
            sheet.paste(tile, (_MARGIN + column * (width + _GAP), y + _CAPTION_SIZE + 2 * _GAP))
    return sheet


def as_bytes(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Images as bytes: floats from 0 to 1 become 0 to 255, others are clipped, and NaN becomes 0."""
    if images.dtype == np.uint8:
        return images
    values = np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255)
    return np.asarray(values, dtype=np.uint8)


def _tile(image: npt.NDArray[np.uint8]) -> Image.Image:
    shown = image[..., :3] if image.shape[-1] in (3, 4) else image[..., 0]
    tile = Image.fromarray(np.ascontiguousarray(shown)).convert("RGB")
    edge = max(tile.size)
    if edge > _LARGEST_TILE:
        tile.thumbnail((_LARGEST_TILE, _LARGEST_TILE), Image.Resampling.LANCZOS)
        return tile
    factor = math.ceil(_SMALLEST_TILE / edge)
    return tile.resize((tile.width * factor, tile.height * factor), Image.Resampling.NEAREST)
