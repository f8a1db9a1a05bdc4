"""What a source of volumes is: three-dimensional images, such as CT or MRI, with masks or labels where they exist.

All volumes have the same canonical axes, whatever their files hold: (depth, height, width) = (z, y, x), where depth
grows to the patient's superior side, height to the anterior and width to the right. That is NIfTI's RAS+ with the axes
in reverse order, the last one the fastest.

Sequences ask for windows, so that of a volume of gigabytes only a patch is read where the format allows.
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

    `groups` says which patient each volume is of; `labels` is None where whole volumes have no class.
    """

    def shape(self, index: int) -> Shape:
        """The volume's shape, along (z, y, x), from its header."""
        raise NotImplementedError

    def spacing_mm(self, index: int) -> Spacing:
        """From voxel to voxel along (z, y, x)."""
        raise NotImplementedError

    def read(self, index: int, window: Window | None = None) -> Voxels:
        """Voxels along (z, y, x), integers as stored or float32; perhaps a view that must not be written to.

        Args:
            index: Of the volume.
            window: The part to read, inside the volume. Default: all of it.

        Raises:
            DataError: when the file is damaged or truncated, or holds NaN.
        """
        raise NotImplementedError

    def read_mask(self, index: int, window: Window | None = None) -> Mask:
        """The ids of the same voxels.

        Raises:
            DataError: when the file is damaged or truncated, or holds an id outside the classes.
        """
        raise NotImplementedError

    def some_voxels(self, index: int) -> Voxels:
        """Voxels as stored, in a row: a part that is quickly read, spread evenly over the volume, to measure it by."""
        raise NotImplementedError

    def foreground(self, index: int) -> Foreground:
        """By the id of each class but the background that the mask holds: some of its voxels, (n, 3), as (z, y, x).

        They are spread evenly over the class, a thousand at most, and found once.
        """
        raise NotImplementedError
