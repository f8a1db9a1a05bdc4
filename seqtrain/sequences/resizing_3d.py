"""Volumes of any size and spacing into boxes of one size.

    stretch  the whole volume, its proportions given up
    crop     the middle of the volume, as much as has the box's proportions
    pad      the whole volume in its own proportions, in the middle of the box

Proportions are those of the body, in millimetres: for crop and pad, the voxels of the result are cubes. Each axis is
resampled by itself, as one product with a matrix: linear between voxels where it grows, and where it shrinks the mean
of the voxels around, weighted by a triangle as wide as the step, so that fine detail does not alias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.sources.volume_source import Shape, Spacing, Window
from seqtrain.types import Resize


@dataclass(frozen=True)
class Fit:
    """How one volume comes into a box.

    Args:
        read: The part of the volume that is shown.
        placed: The part of the box that shows it.
        spacing_mm: Of the result.
    """

    read: Window
    placed: Window
    spacing_mm: Spacing


def fit(shape: Shape, spacing_mm: Spacing, size: Shape, resize: Resize) -> Fit:
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
    return Fit((read[0], read[1], read[2]), (placed[0], placed[1], placed[2]), (steps[0], steps[1], steps[2]))


def resample(volume: npt.NDArray[np.float32], size: Shape) -> npt.NDArray[np.float32]:
    """A volume in another size, by linear interpolation that takes in every voxel."""
    axes = sorted(range(3), key=lambda axis: size[axis] / volume.shape[axis])  # first those that leave the least to do
    for axis in axes:
        if volume.shape[axis] != size[axis]:
            resampled: npt.NDArray[Any] = np.tensordot(_weights(volume.shape[axis], size[axis]), volume, (1, axis))
            volume = np.moveaxis(resampled, 0, axis)
    return volume


def _middle(length: int, part: int) -> slice:
    part = min(max(part, 1), length)
    start = (length - part) // 2
    return slice(start, start + part)


def _weights(length: int, new_length: int) -> npt.NDArray[np.float32]:
    """What each old place (column) adds to each new one (row)."""
    step = length / new_length
    middles = (np.arange(new_length) + 0.5) * step - 0.5
    distances = np.abs(middles[:, None] - np.arange(length)) / max(step, 1)
    triangle = np.clip(1 - distances, 0, None)
    return np.asarray(triangle / triangle.sum(axis=1, keepdims=True), dtype=np.float32)
