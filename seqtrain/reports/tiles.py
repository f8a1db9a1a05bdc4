"""Draws one sample of a batch as an image: the tiles of a contact sheet.

Small pictures are enlarged by whole factors without smoothing, so that each pixel shows as it is; large ones are
shrunk. A mask is an outline in its class's colour, drawn after the picture has its size, so that it hides little; where
a pixel does not count, it is hatched. Of a volume, three planes are shown in one scale, through its middle or, where
there is a mask, through the most of its rarest class. A series is a line for each channel, what follows in another
colour than what is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

SMALLEST_TILE, LARGEST_TILE = 108, 280
# Distinct for most colour-blind people: M. Okabe and K. Ito, 2008, Color Universal Design.
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2", "#999999")
# Where there are more classes than that, by S. Trubetskoy, 2017, List of 20 Simple, Distinct Colors.
_MORE_COLORS = (
    *("#e6194b", "#911eb4", "#bfef45", "#f032e6", "#9a6324", "#fabed4"),
    *("#000075", "#aaffc3", "#800000", "#808000", "#469990", "#dcbeff"),
)
NOT_COUNTED, NOT_COUNTED_COLOR = -1, "#808080"  # in place of a class id, where a pixel has the weight 0
_GAP = 9
_THIN_GAP = 3  # between the planes of a volume
_HATCH = 3  # pixels from line to line
_CHART = (260, 120)  # width, height
_SMOOTH = 3  # charts are drawn larger by so much, and shrunk
_PAPER, _GRID, _RULE, _KNOWN = "white", "#e4e4e4", "#b0b0b0", ("#4d4d4d", "#9a9a9a", "#c2a878", "#7aa6c2")

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.integer[Any]]


def class_color(class_id: int) -> str:
    """The colour of a class; the background has none."""
    colors = COLORS + _MORE_COLORS
    return NOT_COUNTED_COLOR if class_id == NOT_COUNTED else colors[(class_id - 1) % len(colors)]


def picture_tile(pixels: Pixels, mask: Mask | None = None, edge: int | None = None) -> Image.Image:
    """A picture, with the outline of its mask.

    Args:
        pixels: (height, width) or (height, width, 3).
        mask: Class ids, (height, width).
        edge: The longest of what is shown in one scale with it. Default: the picture's own.
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    picture = _sized(picture, edge or max(picture.size))
    if mask is None:
        return picture
    ids = np.asarray(mask).astype(np.int32)
    scaled = np.asarray(Image.fromarray(ids, mode="I").resize(picture.size, Image.Resampling.NEAREST))
    return _outlined(picture, scaled)


def volume_tile(voxels: Pixels, mask: Mask | None = None) -> tuple[Image.Image, str]:
    """Three planes of a volume side by side, and where they lie.

    Args:
        voxels: (depth, height, width) or (depth, height, width, 3).
        mask: Class ids, (depth, height, width).

    Returns:
        The planes across depth, height and width, upright: the ends of depth and height are on top, as in volumes that
        are brought to one canon the patient's superior and anterior side.
    """
    middle = [length // 2 for length in voxels.shape[:3]]
    if mask is not None and (mask > 0).any():
        ids, counts = np.unique(mask[mask > 0], return_counts=True)
        rarest = mask == ids[counts.argmin()]
        middle = [int(rarest.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1))]
    planes = []
    for axis, place in enumerate(middle):
        cut = (slice(None),) * axis + (place,)
        plane_mask = None if mask is None else mask[cut][::-1]
        planes.append(picture_tile(voxels[cut][::-1], plane_mask, edge=max(voxels.shape[:3])))
    z, y, x = middle
    return beside(planes, _THIN_GAP), f"z {z}, y {y}, x {x}"


def series_tile(
    known: npt.NDArray[Any] | None, follows: npt.NDArray[Any] | None, predicted: npt.NDArray[Any] | None = None
) -> Image.Image:
    """A chart of what is known, (steps, channels), and of what follows it.

    Args:
        known: The window.
        follows: The target.
        predicted: In its place; laid over it.
    """
    start = 0 if known is None else len(known)
    lines: list[tuple[int, npt.NDArray[np.float64], str]] = []  # where it starts, its values, its colour
    for part, at in ((known, 0), (follows, start), (predicted, start)):
        channels = () if part is None else np.asarray(part, dtype=np.float64).reshape(len(part), -1).T
        before = 0 if part is not predicted or follows is None else follows.reshape(len(follows), -1).shape[1]
        lines += [(at, values, line_color(before + channel, part is known)) for channel, values in enumerate(channels)]
    finite = np.concatenate([values[np.isfinite(values)] for _, values, _ in lines])
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    num_steps = max(at + len(values) for at, values, _ in lines)
    width, height = _CHART[0] * _SMOOTH, _CHART[1] * _SMOOTH
    chart = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(chart)
    for share in (0.25, 0.5, 0.75):
        draw.line((0, share * height, width, share * height), _GRID, _SMOOTH)
    for at, values, color in lines:
        steps = (at + np.arange(len(values))) / max(1, num_steps - 1)
        heights = 1 - (values - low) / ((high - low) or 1.0)
        points = [
            (x * (width - 1), (0.05 + 0.9 * y) * height)
            for x, y in zip(steps.tolist(), heights.tolist(), strict=True)
            if math.isfinite(y)
        ]
        if len(points) > 1:
            draw.line(points, color, 2 * _SMOOTH, joint="curve")
        for x, y in points if len(points) == 1 else ():
            draw.ellipse((x - 3 * _SMOOTH, y - 3 * _SMOOTH, x, y), color)
    return chart.resize(_CHART, Image.Resampling.LANCZOS)


def line_color(channel: int, is_known: bool) -> str:
    """The colour of a channel of a series, of what is known or of what follows."""
    colors = _KNOWN if is_known else COLORS
    return colors[channel % len(colors)]


def beside(tiles: Sequence[Image.Image], gap: int = _GAP) -> Image.Image:
    """Pictures side by side, aligned at the top, `gap` pixels apart."""
    if len(tiles) == 1:
        return tiles[0]
    width = sum(tile.width for tile in tiles) + gap * (len(tiles) - 1)
    row = Image.new("RGB", (width, max(tile.height for tile in tiles)), _PAPER)
    x = 0
    for tile in tiles:
        row.paste(tile, (x, 0))
        x += tile.width + gap
        ImageDraw.Draw(row).line((x - (gap + 1) // 2, 0, x - (gap + 1) // 2, row.height), _RULE)
    return row


def as_bytes(values: npt.NDArray[Any], ends: tuple[float, float] | None = None) -> tuple[Pixels, tuple[float, float]]:
    """Pixels as bytes, and the values that are black and white.

    For floats these are 0 and 1, or else their own range; without a thousandth at either end where that would leave
    the rest in less than half of the range, as a few bright voxels do.

    Args:
        values: Pixels of any type.
        ends: What is to be black and white of those that are no bytes. Default: by the values.
    """
    if values.dtype == np.uint8:
        return values, (0.0, 255.0)
    low, high = ends or _ends(values)
    scaled = (values.astype(np.float64) - low) / ((high - low) or 1.0) * 255
    return np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255).round().astype(np.uint8), (low, high)


def _ends(values: npt.NDArray[Any]) -> tuple[float, float]:
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif values.dtype.kind == "f" and finite.size:
        inner = np.percentile(finite, (0.1, 99.9)).tolist()
        low, high = inner if high - low > 2 * (inner[1] - inner[0]) > 0 else (low, high)
    return low, high


def _sized(picture: Image.Image, edge: int) -> Image.Image:
    """The picture scaled so that a length of `edge` becomes the size of a tile."""
    if edge > LARGEST_TILE:
        width, height = (max(1, round(side * LARGEST_TILE / edge)) for side in picture.size)
        return picture.resize((width, height), Image.Resampling.LANCZOS)
    factor = math.ceil(SMALLEST_TILE / edge)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _outlined(picture: Image.Image, ids: npt.NDArray[np.integer[Any]]) -> Image.Image:
    """The picture with the inner edge of each class but the background in the class's colour, and hatched pixels."""
    pixels = np.array(picture)
    padded = np.pad(ids, 1, mode="edge")
    height, width = ids.shape
    neighbours = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    edge = (ids > 0) & np.any([other != ids for other in neighbours], axis=0)
    for class_id in np.unique(ids[edge]).tolist():
        color = class_color(class_id).lstrip("#")
        pixels[edge & (ids == class_id)] = tuple(bytes.fromhex(color))
    hatching = np.add.outer(np.arange(height), np.arange(width)) % _HATCH == 0
    pixels[hatching & (ids == NOT_COUNTED)] = tuple(bytes.fromhex(NOT_COUNTED_COLOR.lstrip("#")))
    return Image.fromarray(pixels)
