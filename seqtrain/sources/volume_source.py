"""The base class of sources of volumes: three-dimensional images, such as CT or MRI, with optional masks or labels.

All volumes have the same canonical axes, whatever their files' axes are: (depth, height, width) = (z, y, x). Depth
points to the patient's superior side, height to the anterior and width to the right. That is NIfTI's RAS+ with the axes
in reverse order, so that the last axis varies fastest.

Sequences read windows, so that only a patch of a large volume is read if the file's format allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.sources.base import Source

Voxels = npt.NDArray[Any]
Mask = npt.NDArray[np.uint8]
Shape = tuple[int, int, int]  # depth, height, width
Spacing = tuple[float, float, float]  # millimetres from voxel to voxel along the same axes
Window = tuple[slice, slice, slice]  # along the same axes, with a step of 1
Foreground = Mapping[int, npt.NDArray[np.int32]]


class VolumeSource(Source):
    """A source whose samples are volumes.

    `groups` are the patients of the volumes; `labels` is None if whole volumes have no class.
    """

    def shape(self, index: int) -> Shape:
        """The volume's shape, along (z, y, x), from its header."""
        raise NotImplementedError

    def spacing_mm(self, index: int) -> Spacing:
        """The distances between voxels along (z, y, x), in millimetres."""
        raise NotImplementedError

    def read(self, index: int, window: Window | None = None) -> Voxels:
        """Voxels along (z, y, x), integers as stored or float32; they may be a view that must not be written to.

        Args:
            index: The index of the volume.
            window: The part to read, inside the volume. Default: all of it.

        Raises:
            DataError: when the file is damaged or truncated, or holds NaN.
        """
        raise NotImplementedError

    def read_mask(self, index: int, window: Window | None = None) -> Mask:
        """The class ids of the same voxels.

        Raises:
            DataError: when the file is damaged or truncated, or holds an id outside the classes.
        """
        raise NotImplementedError

    def some_voxels(self, index: int) -> Voxels:
        """Stored voxels from evenly spaced parts of the volume, as a 1D array, to measure intensities quickly."""
        raise NotImplementedError

    def foreground(self, index: int) -> Foreground:
        """Voxels (z, y, x) of each class in the mask except the background, as arrays (n, 3) by class id.

        They are at most a thousand per class, evenly spaced, and found once.
        """
        raise NotImplementedError
