"""Volumes in another spacing or another size: the places of new voxels among the old ones, axis by axis.

Voxels are boxes: the edges of the volume stay where they are, and the middle of each new voxel is looked up among the
middles of the old ones.

- `Resampling` brings volumes to one spacing while they are read, so that a patch is of the same size in every patient.
  It takes what is at those places: values are linear between voxels, ids those of the voxel that the place lies in. So
  a window needs its own place in the old voxels and one more at each side, and no more is read. A much coarser spacing
  skips voxels between those it looks at; smooth such volumes before.
- `resized` brings whole volumes to one size. Where an axis shrinks, it takes the mean of the voxels around, so that
  fine detail does not alias.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqtrain.sources.volume_source import Mask, Shape, Spacing, Voxels, Window

_SAME = 1e-3  # spacings that differ by less, of 1, are taken for equal


class Resampling:
    """The way from a volume's spacing to another one.

    Args:
        shape: Of the volume before resampling, along (z, y, x).
        spacing_mm: As stored, along (z, y, x).
        wanted_mm: The spacing to come to; None leaves the volume as it is.

    Example:
        resampling = Resampling((10, 64, 64), (5.0, 1.0, 1.0), wanted_mm=(1.0, 1.0, 1.0))
        resampling.shape  # (50, 64, 64)
        resampling.linear(volume[resampling.needed(window)], window)
    """

    def __init__(self, shape: Shape, spacing_mm: Spacing, wanted_mm: Spacing | None) -> None:
        self._axes: list[_Axis] = []
        for length, old, new in zip(shape, spacing_mm, wanted_mm or spacing_mm, strict=True):
            ratio = 1.0 if abs(new / old - 1) < _SAME else new / old
            self._axes.append(_Axis(length, max(round(length / ratio), 1), ratio))

    @property
    def is_identity(self) -> bool:
        """Whether voxels stay as they are."""
        return all(axis.ratio == 1.0 for axis in self._axes)

    @property
    def shape(self) -> Shape:
        """Of the volume in the wanted spacing."""
        depth, height, width = (axis.new_length for axis in self._axes)
        return depth, height, width

    def needed(self, window: Window) -> Window:
        """The window of stored voxels that a window of new ones is made from."""
        z, y, x = (axis.needed(part) for axis, part in zip(self._axes, window, strict=True))
        return z, y, x

    def linear(self, voxels: Voxels, window: Window) -> Voxels:
        """New voxels, float32, from the stored ones that `needed` names."""
        values = voxels.astype(np.float32)
        for number, (axis, part) in enumerate(zip(self._axes, window, strict=True)):
            if axis.ratio == 1.0:
                continue
            positions = axis.positions(part) - axis.needed(part).start
            low = np.floor(positions).astype(np.intp)
            high = np.minimum(low + 1, values.shape[number] - 1)
            share = (positions - low).astype(np.float32).reshape([-1 if other == number else 1 for other in range(3)])
            values = values.take(low, number) * (1 - share) + values.take(high, number) * share
        return values

    def nearest(self, mask: Mask, window: Window) -> Mask:
        """New ids from the stored ones that `needed` names."""
        for number, (axis, part) in enumerate(zip(self._axes, window, strict=True)):
            if axis.ratio != 1.0:
                positions = np.floor(axis.positions(part) + 0.5).astype(np.intp)
                mask = mask.take(np.minimum(positions, axis.old_length - 1) - axis.needed(part).start, number)
        return mask

    def undone(self, mask: Mask) -> Mask:
        """Ids of all stored voxels, each of the new one that its middle lies in, from all new ones."""
        for number, axis in enumerate(self._axes):
            if axis.ratio != 1.0:
                positions = ((np.arange(axis.old_length) + 0.5) / axis.ratio).astype(np.intp)
                mask = mask.take(np.minimum(positions, axis.new_length - 1), number)
        return mask


def resized(volume: npt.NDArray[np.float32], size: Shape) -> npt.NDArray[np.float32]:
    """A volume in another size, by linear interpolation that takes in every voxel."""
    axes = sorted(range(3), key=lambda axis: size[axis] / volume.shape[axis])  # first those that leave the least to do
    for axis in axes:
        if volume.shape[axis] != size[axis]:
            resampled: npt.NDArray[Any] = np.tensordot(_weights(volume.shape[axis], size[axis]), volume, (1, axis))
            volume = np.moveaxis(resampled, 0, axis)
    return volume


class _Axis(NamedTuple):
    """One axis of a volume.

    Args:
        old_length: In voxels as stored.
        new_length: In voxels of the wanted spacing.
        ratio: Of the wanted spacing to the stored one.
    """

    old_length: int
    new_length: int
    ratio: float

    def positions(self, part: slice) -> npt.NDArray[Any]:
        """Where new voxels lie among the old ones."""
        numbers = np.arange(*part.indices(self.new_length))
        places: npt.NDArray[Any] = np.clip(_middles(numbers, self.ratio), 0, self.old_length - 1)
        return places

    def needed(self, part: slice) -> slice:
        """The old voxels around the new ones."""
        if self.ratio == 1.0:
            start, stop, _ = part.indices(self.new_length)
            return slice(start, stop)
        positions = self.positions(part)
        return slice(math.floor(positions[0]), min(math.ceil(positions[-1]) + 1, self.old_length))


def _middles(numbers: npt.NDArray[np.integer], step: float) -> npt.NDArray[Any]:
    """Where the middles of new voxels lie among the old ones, of which the first has its middle at 0."""
    middles: npt.NDArray[Any] = (numbers + 0.5) * step - 0.5
    return middles


def _weights(length: int, new_length: int) -> npt.NDArray[np.float32]:
    """What each old place (column) adds to each new one (row)."""
    step = length / new_length
    middles = _middles(np.arange(new_length), step)
    distances = np.abs(middles[:, None] - np.arange(length)) / max(step, 1)
    triangle = np.clip(1 - distances, 0, None)
    return np.asarray(triangle / triangle.sum(axis=1, keepdims=True), dtype=np.float32)
