"""Boxes of voxels: their positions in a volume, cutting them out, and fitting a whole volume into one.

A box has a corner and a size, along (z, y, x). It may reach outside the volume, if the volume is smaller than a patch
or a patch is rotated at the volume's edge. Only the part inside is read; the rest is filled.

A whole volume is fitted into a box in one of three ways. Proportions are measured in millimetres: with crop and pad,
the voxels of the result are cubes.

    stretch  the whole volume, without keeping its proportions
    crop     the largest part of the volume's middle with the box's proportions
    pad      the whole volume with its proportions, in the middle of the box
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
    """The corner of one box of a grid that covers a volume.

    Along each axis the last box is moved inwards, so that no box reaches outside. An axis that is shorter than the box
    has one box, with the volume in its middle.

    Args:
        number: The number of the box, from 0, row by row.
        shape: The shape of the volume.
        size: The size of the boxes.
        overlap: The least share of a box that the next box covers too.
    """
    starts = [_starts(length, side, overlap) for length, side in zip(shape, size, strict=True)]
    position = np.unravel_index(number, [len(of_axis) for of_axis in starts])
    z, y, x = (of_axis[at] for of_axis, at in zip(starts, position, strict=True))
    return z, y, x


def num_grid_boxes(shape: Shape, size: Shape, overlap: float) -> int:
    """The number of boxes in the grid of `grid_corner`."""
    return math.prod(len(_starts(length, side, overlap)) for length, side in zip(shape, size, strict=True))


def corner_at(fractions: npt.NDArray[np.floating], shape: Shape, size: Shape) -> Corner:
    """The corner of a box inside a volume, at fractions (0 to below 1) of its range of positions along each axis."""
    z, y, x = (
        int(fraction * (length - side + 1)) if length > side else _centred(length, side)
        for fraction, length, side in zip(fractions.tolist(), shape, size, strict=True)
    )
    return z, y, x


def corner_around(voxel: npt.NDArray[np.integer], shape: Shape, size: Shape) -> Corner:
    """The corner of the box with a voxel in its middle, or as close to that as keeps the box inside the volume."""
    z, y, x = (
        min(max(at - side // 2, 0), length - side) if length > side else _centred(length, side)
        for at, length, side in zip(voxel.tolist(), shape, size, strict=True)
    )
    return z, y, x


def enlarged_corner(corner: Corner, size: Shape, larger: Shape) -> Corner:
    """The corner of a larger box with the same centre."""
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
        shape: The shape of the volume.
        corner: The corner of the box.
        size: The size of the box.
        fill: Returns the value of voxels outside the volume, given those that were read.

    Returns:
        The array that `read` returned, if the whole box is inside.
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
    """How a volume is fitted into a box.

    Args:
        read: The part of the volume that is read.
        placed: The part of the box that it is resized to.
        spacing_mm: The spacing of the result.
    """

    read: Window
    placed: Window
    spacing_mm: Spacing


def fit_box(shape: Shape, spacing_mm: Spacing, size: Shape, resize: Resize) -> FittedBox:
    """Computes how a volume is fitted into a box.

    Args:
        shape: The shape of the volume.
        spacing_mm: The spacing of the volume.
        size: The size of the box.
        resize: What to do if the proportions differ.
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
