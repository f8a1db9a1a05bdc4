"""Resamples volumes to another spacing, and resizes them, axis by axis.

Voxels are boxes: the edges of the volume do not move, and values are interpolated between the centres of the voxels.

- `Resampling` brings volumes to one spacing while they are read, so that a patch has the same size in millimetres in
  every volume. Values are interpolated linearly; an id is that of the nearest voxel. Only the voxels around a window
  are read. A much coarser spacing skips voxels, so smooth such volumes before.
- `resized` brings whole volumes to one size. An axis that shrinks is averaged, so that fine detail does not alias.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqtrain.sources.volume_source import Mask, Shape, Spacing, Voxels, Window

_TOLERANCE = 1e-3  # spacings whose ratio differs from 1 by less count as equal


class Resampling:
    """Resamples windows of a volume to another spacing.

    Args:
        shape: The shape of the stored volume, along (z, y, x).
        spacing_mm: The stored spacing, along (z, y, x).
        target_mm: The new spacing; None leaves the volume as it is.

    Example:
        resampling = Resampling((10, 64, 64), (5.0, 1.0, 1.0), target_mm=(1.0, 1.0, 1.0))
        resampling.shape  # (50, 64, 64)
        resampling.linear(volume[resampling.needed(window)], window)
    """

    def __init__(self, shape: Shape, spacing_mm: Spacing, target_mm: Spacing | None) -> None:
        self._axes: list[_Axis] = []
        for length, old, new in zip(shape, spacing_mm, target_mm or spacing_mm, strict=True):
            ratio = 1.0 if abs(new / old - 1) < _TOLERANCE else new / old
            self._axes.append(_Axis(length, max(round(length / ratio), 1), ratio))

    @property
    def is_identity(self) -> bool:
        """Whether the spacing does not change."""
        return all(axis.ratio == 1.0 for axis in self._axes)

    @property
    def shape(self) -> Shape:
        """The shape of the volume in the new spacing."""
        depth, height, width = (axis.new_length for axis in self._axes)
        return depth, height, width

    def needed(self, window: Window) -> Window:
        """The window of stored voxels that are needed for a window of new voxels."""
        z, y, x = (axis.needed(part) for axis, part in zip(self._axes, window, strict=True))
        return z, y, x

    def linear(self, voxels: Voxels, window: Window) -> Voxels:
        """The new voxels of a window, float32, from the stored voxels of the window `needed`."""
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
        """The new ids of a window, from the stored ids of the window `needed`."""
        for number, (axis, part) in enumerate(zip(self._axes, window, strict=True)):
            if axis.ratio != 1.0:
                positions = np.floor(axis.positions(part) + 0.5).astype(np.intp)
                mask = mask.take(np.minimum(positions, axis.old_length - 1) - axis.needed(part).start, number)
        return mask

    def inverse(self, mask: Mask) -> Mask:
        """The ids of all stored voxels, each from the new voxel that contains its centre."""
        for number, axis in enumerate(self._axes):
            if axis.ratio != 1.0:
                positions = ((np.arange(axis.old_length) + 0.5) / axis.ratio).astype(np.intp)
                mask = mask.take(np.minimum(positions, axis.new_length - 1), number)
        return mask


def resized(volume: npt.NDArray[np.float32], size: Shape) -> npt.NDArray[np.float32]:
    """A volume in another size, by linear interpolation that uses every voxel."""
    axes = sorted(range(3), key=lambda axis: size[axis] / volume.shape[axis])  # axes that shrink most come first
    for axis in axes:
        if volume.shape[axis] != size[axis]:
            resampled: npt.NDArray[Any] = np.tensordot(_weights(volume.shape[axis], size[axis]), volume, (1, axis))
            volume = np.moveaxis(resampled, 0, axis)
    return volume


class _Axis(NamedTuple):
    """One axis of a volume.

    Args:
        old_length: The length in stored voxels.
        new_length: The length in new voxels.
        ratio: The new spacing divided by the stored one.
    """

    old_length: int
    new_length: int
    ratio: float

    def positions(self, part: slice) -> npt.NDArray[Any]:
        """The positions of new voxels, in units of stored voxels."""
        numbers = np.arange(*part.indices(self.new_length))
        positions: npt.NDArray[Any] = np.clip(_centres(numbers, self.ratio), 0, self.old_length - 1)
        return positions

    def needed(self, part: slice) -> slice:
        """The stored voxels around new voxels."""
        if self.ratio == 1.0:
            start, stop, _ = part.indices(self.new_length)
            return slice(start, stop)
        positions = self.positions(part)
        return slice(math.floor(positions[0]), min(math.ceil(positions[-1]) + 1, self.old_length))


def _centres(numbers: npt.NDArray[np.integer], step: float) -> npt.NDArray[Any]:
    """The centres of new voxels, in units of old voxels from the centre of the first old voxel."""
    centres: npt.NDArray[Any] = (numbers + 0.5) * step - 0.5
    return centres


def _weights(length: int, new_length: int) -> npt.NDArray[np.float32]:
    """The weight of each old voxel (column) in each new voxel (row)."""
    step = length / new_length
    centres = _centres(np.arange(new_length), step)
    distances = np.abs(centres[:, None] - np.arange(length)) / max(step, 1)
    triangle = np.clip(1 - distances, 0, None)
    return np.asarray(triangle / triangle.sum(axis=1, keepdims=True), dtype=np.float32)
