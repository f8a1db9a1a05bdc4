"""Draws one sample of a batch as an image: the tiles of a contact sheet.

Small images are enlarged by whole factors without smoothing, so that each pixel is visible; large ones are shrunk. A
mask is drawn as an outline in the colour of its class, after the image has been resized, so that it hides little;
pixels with weight 0 are hatched. Of a volume, three planes are shown in the same scale: those through its middle or, if
there is a mask, those with the most voxels of its rarest class. A series has a line for each channel; the target and
the prediction have other colours than the window.
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
# For more classes: S. Trubetskoy, 2017, List of 20 Simple, Distinct Colors.
_MORE_COLORS = (
    *("#e6194b", "#911eb4", "#bfef45", "#f032e6", "#9a6324", "#fabed4"),
    *("#000075", "#aaffc3", "#800000", "#808000", "#469990", "#dcbeff"),
)
NOT_COUNTED, NOT_COUNTED_COLOR = -1, "#808080"  # replaces the class id of pixels with weight 0
_GAP = 9
_THIN_GAP = 3  # between the planes of a volume
_HATCH = 3  # the distance of hatching lines in pixels
_CHART = (260, 120)  # width, height
_SMOOTH = 3  # charts are drawn larger by this factor, and then shrunk
_BACKGROUND, _GRID, _RULE, _WINDOW_COLORS = "white", "#e4e4e4", "#b0b0b0", ("#4d4d4d", "#9a9a9a", "#c2a878", "#7aa6c2")

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.integer[Any]]


def class_color(class_id: int) -> str:
    """The colour of a class other than the background."""
    colors = COLORS + _MORE_COLORS
    return NOT_COUNTED_COLOR if class_id == NOT_COUNTED else colors[(class_id - 1) % len(colors)]


def image_tile(pixels: Pixels, mask: Mask | None = None, edge: int | None = None) -> Image.Image:
    """An image, with the outline of its mask.

    Args:
        pixels: (height, width) or (height, width, 3).
        mask: Class ids, (height, width).
        edge: The longest side of all images that are shown in the same scale. Default: that of this image.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    image = _resized(image, edge or max(image.size))
    if mask is None:
        return image
    ids = np.asarray(mask).astype(np.int32)
    resized = np.asarray(Image.fromarray(ids, mode="I").resize(image.size, Image.Resampling.NEAREST))
    return _outlined(image, resized)


def volume_tile(voxels: Pixels, mask: Mask | None = None) -> tuple[Image.Image, str]:
    """Three planes of a volume side by side, and their positions as text.

    Args:
        voxels: (depth, height, width) or (depth, height, width, 3).
        mask: Class ids, (depth, height, width).

    Returns:
        The planes across depth, height and width, flipped so that the ends of depth and height are at the top: in
        volumes with a standard orientation, these are the patient's superior and anterior sides.
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
        planes.append(image_tile(voxels[cut][::-1], plane_mask, edge=max(voxels.shape[:3])))
    z, y, x = middle
    return beside(planes, _THIN_GAP), f"z {z}, y {y}, x {x}"


def series_tile(
    window: npt.NDArray[Any] | None, target: npt.NDArray[Any] | None, predicted: npt.NDArray[Any] | None = None
) -> Image.Image:
    """A chart of a window and of the steps that follow it.

    Args:
        window: The input, (steps, channels).
        target: The steps that follow it.
        predicted: The prediction of these steps, which is drawn over the target.
    """
    start = 0 if window is None else len(window)
    lines: list[tuple[int, npt.NDArray[np.float64], str]] = []  # first step, values, colour
    for part, at in ((window, 0), (target, start), (predicted, start)):
        channels = () if part is None else np.asarray(part, dtype=np.float64).reshape(len(part), -1).T
        before = 0 if part is not predicted or target is None else target.reshape(len(target), -1).shape[1]
        lines += [(at, values, line_color(before + channel, part is window)) for channel, values in enumerate(channels)]
    finite = np.concatenate([values[np.isfinite(values)] for _, values, _ in lines])
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    num_steps = max(at + len(values) for at, values, _ in lines)
    width, height = _CHART[0] * _SMOOTH, _CHART[1] * _SMOOTH
    chart = Image.new("RGB", (width, height), _BACKGROUND)
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


def line_color(channel: int, is_window: bool) -> str:
    """The colour of a channel of a series, in the window or after it."""
    colors = _WINDOW_COLORS if is_window else COLORS
    return colors[channel % len(colors)]


def beside(tiles: Sequence[Image.Image], gap: int = _GAP) -> Image.Image:
    """Images side by side, aligned at the top, `gap` pixels apart."""
    if len(tiles) == 1:
        return tiles[0]
    width = sum(tile.width for tile in tiles) + gap * (len(tiles) - 1)
    row = Image.new("RGB", (width, max(tile.height for tile in tiles)), _BACKGROUND)
    x = 0
    for tile in tiles:
        row.paste(tile, (x, 0))
        x += tile.width + gap
        ImageDraw.Draw(row).line((x - (gap + 1) // 2, 0, x - (gap + 1) // 2, row.height), _RULE)
    return row


def gray_or_rgb(pixels: npt.NDArray[Any], has_channels: bool) -> npt.NDArray[Any]:
    """The first channel without its axis, or the first three channels of RGB and RGBA."""
    if not has_channels:
        return pixels
    return pixels[..., :3] if pixels.shape[-1] in (3, 4) else pixels[..., 0]


def as_bytes(values: npt.NDArray[Any], ends: tuple[float, float] | None = None) -> tuple[Pixels, tuple[float, float]]:
    """Pixels as bytes, and the values that are shown as black and white.

    For floats these are 0 and 1, or the range of the values if they lie outside. If a few extreme values, such as
    bright voxels, take more than half of the range, the largest and smallest thousandth are left out of it.

    Args:
        values: Pixels of any dtype.
        ends: The values to show as black and white, unless the pixels are bytes. Default: by the values.
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


def _resized(image: Image.Image, edge: int) -> Image.Image:
    """The image, scaled so that a length of `edge` becomes the size of a tile."""
    if edge > LARGEST_TILE:
        width, height = (max(1, round(side * LARGEST_TILE / edge)) for side in image.size)
        return image.resize((width, height), Image.Resampling.LANCZOS)
    factor = math.ceil(SMALLEST_TILE / edge)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _outlined(image: Image.Image, ids: npt.NDArray[np.integer[Any]]) -> Image.Image:
    """The image with the inner edge of each class but the background in its colour; pixels not counted are hatched."""
    pixels = np.array(image)
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
