"""Boxes of voxels: where they lie in a volume, how one is cut out that reaches beyond it, and how a volume fits in one.

A box is a corner and a size, along (z, y, x). Its corner may be negative and its end outside: where a volume is smaller
than a patch, or a patch is turned at the volume's edge. Only what lies inside is read; the rest is filled.

A whole volume comes into a box in one of three ways. Proportions are those of the body, in millimetres: for crop and
pad, the voxels of the result are cubes.

    stretch  the whole volume, its proportions given up
    crop     the middle of the volume, as much as has the box's proportions
    pad      the whole volume in its own proportions, in the middle of the box
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.sources.volume_source import Shape, Spacing, Window
from seqtrain.types import Resize

Corner = tuple[int, int, int]


def grid_corner(number: int, shape: Shape, size: Shape, overlap: float) -> Corner:
    """The corner of one of the boxes that together cover a volume, row by row.

    Along each axis the last box is shifted inwards, so that none reaches outside; an axis shorter than the box has one
    box with the volume in its middle.

    Args:
        number: Of the box, from 0.
        shape: Of the volume.
        size: Of the boxes.
        overlap: Share of a box that the next one covers too, at least.
    """
    starts = [_starts(length, side, overlap) for length, side in zip(shape, size, strict=True)]
    z, y, x = (of[at] for of, at in zip(starts, np.unravel_index(number, [len(of) for of in starts]), strict=True))
    return z, y, x


def num_grid_boxes(shape: Shape, size: Shape, overlap: float) -> int:
    """How many boxes `grid_corner` numbers."""
    count = 1
    for length, side in zip(shape, size, strict=True):
        count *= len(_starts(length, side, overlap))
    return count


def corner_at(fractions: npt.NDArray[np.floating], shape: Shape, size: Shape) -> Corner:
    """The corner of a box inside a volume, at fractions (0 to below 1) of the ways along which it can be moved."""
    z, y, x = (
        int(fraction * (length - side + 1)) if length > side else _centred(length, side)
        for fraction, length, side in zip(fractions.tolist(), shape, size, strict=True)
    )
    return z, y, x


def corner_about(voxel: npt.NDArray[np.integer], shape: Shape, size: Shape) -> Corner:
    """The corner of the box with a voxel in its middle, moved by as little as puts the box inside the volume."""
    z, y, x = (
        min(max(at - side // 2, 0), length - side) if length > side else _centred(length, side)
        for at, length, side in zip(voxel.tolist(), shape, size, strict=True)
    )
    return z, y, x


def grown(corner: Corner, size: Shape, larger: Shape) -> Corner:
    """The corner of a larger box about the same middle."""
    z, y, x = (at - (new - old) // 2 for at, old, new in zip(corner, size, larger, strict=True))
    return z, y, x


def cut_out(
    read: Callable[[Window], npt.NDArray[Any]],
    shape: Shape,
    corner: Corner,
    size: Shape,
    fill: Callable[[npt.NDArray[Any]], float],
) -> npt.NDArray[Any]:
    """The voxels of a box.

    Args:
        read: Reads a window that lies inside the volume.
        shape: Of the volume.
        corner: Of the box.
        size: Of the box.
        fill: What stands outside the volume, given what was read.

    Returns:
        What `read` returned, where all of the box is inside.
    """
    starts = [max(at, 0) for at in corner]
    stops = [min(at + side, length) for at, side, length in zip(corner, size, shape, strict=True)]
    z, y, x = (slice(start, max(stop, start)) for start, stop in zip(starts, stops, strict=True))
    inside = read((z, y, x))
    if inside.shape == size:
        return inside
    box = np.full(size, fill(inside), dtype=inside.dtype)
    place = tuple(slice(s.start - at, s.stop - at) for s, at in zip((z, y, x), corner, strict=True))
    box[place] = inside
    return box


@dataclass(frozen=True)
class FittedBox:
    """How one volume comes into a box.

    Args:
        read: The part of the volume that is shown.
        placed: The part of the box that shows it.
        spacing_mm: Of the result.
    """

    read: Window
    placed: Window
    spacing_mm: Spacing


def fitted(shape: Shape, spacing_mm: Spacing, size: Shape, resize: Resize) -> FittedBox:
    """How a volume comes into a box.

    Args:
        shape: Of the volume.
        spacing_mm: Of the volume.
        size: Of the box.
        resize: What to do where the proportions differ.
    """
    lengths_mm = [length * step for length, step in zip(shape, spacing_mm, strict=True)]
    steps = [length / side for length, side in zip(lengths_mm, size, strict=True)]
    if resize == "crop":
        steps = [min(steps)] * 3
    elif resize == "pad":
        steps = [max(steps)] * 3
    read, placed = [], []
    for length, spacing, side, step in zip(shape, spacing_mm, size, steps, strict=True):
        read.append(_middle(length, round(side * step / spacing)))
        placed.append(_middle(side, round(length * spacing / step)))
    return FittedBox((read[0], read[1], read[2]), (placed[0], placed[1], placed[2]), (steps[0], steps[1], steps[2]))


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [_centred(length, side)]
    stride = max(1, math.floor(side * (1 - overlap) + 1e-9))  # 20 * (1 - 0.9) is a little less than 2
    return [*range(0, length - side, stride), length - side]


def _centred(length: int, side: int) -> int:
    return -((side - length) // 2)


def _middle(length: int, part: int) -> slice:
    part = min(max(part, 1), length)
    start = (length - part) // 2
    return slice(start, start + part)
