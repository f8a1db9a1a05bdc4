"""Random flips, quarter turns and a rotation of volumes, with one interpolation of the voxels.

Axes are z, y, x: depth, height, width. Flips and quarter turns map voxels exactly onto voxels. The rotation is about z,
in the plane with the finest voxels of most scanners, and in millimetres, so that it keeps shapes if voxels are not
square. A patch that will be rotated is cut out larger, so that its corners show the volume and not a fill value.

There are three steps: `VolumeAugmentation.draw` draws the transform, `cut_size` computes the size to cut out, and
`apply` makes the patch from what was cut out. A mask is transformed likewise with `nearest=True`, so that it still fits
its volume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.signature import argument_group
from seqtrain.sources.volume_source import Shape, Spacing
from seqtrain.types import Degrees, Fraction, Probability


@argument_group
@dataclass(frozen=True)
class VolumeAugmentation:
    """How volumes are flipped and rotated, and their brightness and contrast changed, at random and in training only.

    Args:
        horizontal_flip: The probability of a flip along the width.
        vertical_flip: The probability of a flip along the height.
        depth_flip: The probability of a flip along the depth.
        rotation: Rotate about the depth axis by up to this many degrees in either direction.
        rotate_90: Rotate about the depth axis by a random number of quarter turns.
        brightness: Add or subtract up to this fraction of the scaled range.
        contrast: Raise or lower the contrast by up to this fraction.
    """

    horizontal_flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    depth_flip: Probability = 0.0
    rotation: Degrees = 0.0
    rotate_90: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0

    def draw(self, generator: np.random.Generator) -> VolumeGeometry:
        """Draws the transform of one sample.

        The same five numbers are drawn whichever augmentations are on, so that turning one on does not change the
        others.
        """
        depth, height, width, turn, quarter = generator.random(5).tolist()
        return VolumeGeometry(
            flips=(depth < self.depth_flip, height < self.vertical_flip, width < self.horizontal_flip),
            rotation_degrees=(2 * turn - 1) * self.rotation,
            quarter_turns=int(4 * quarter) if self.rotate_90 else 0,
        )

    def jitter(self, voxels: npt.NDArray[np.float32], generator: np.random.Generator, middle: float) -> None:
        """Changes the brightness and the contrast of scaled voxels at random, in place.

        The same two numbers are drawn whichever augmentations are on. Voxels may leave the range that they were
        clipped to.

        Args:
            voxels: The scaled voxels.
            generator: The random numbers of this sample in this epoch.
            middle: The value that contrast leaves unchanged; see `Intensity.middle`.
        """
        lighter, stronger = (2 * generator.random(2) - 1).tolist()
        if self.brightness or self.contrast:
            factor = 1 + stronger * self.contrast
            voxels *= np.float32(factor)
            voxels += np.float32(middle * (1 - factor) + lighter * self.brightness)


NO_VOLUME_AUGMENTATION = VolumeAugmentation()


@dataclass(frozen=True)
class VolumeGeometry:
    """The random geometric transform of one sample.

    Args:
        flips: Whether the depth, the height and the width are flipped, after all rotations.
        rotation_degrees: The angle of the rotation about z, from y towards x.
        quarter_turns: The number of quarter turns about z in the same direction, 0 to 3.
    """

    flips: tuple[bool, bool, bool] = (False, False, False)
    rotation_degrees: float = 0.0
    quarter_turns: int = 0

    def unturned_size(self, size: Shape) -> Shape:
        """The size of a patch before its quarter turns."""
        depth, height, width = size
        return (depth, width, height) if self.quarter_turns % 2 else size

    def cut_size(self, size: Shape, spacing_mm: Spacing) -> Shape:
        """The size to cut out around the same centre, so that it covers the rotated patch.

        Args:
            size: The size of the patch.
            spacing_mm: The spacing of its voxels.
        """
        depth, *plane = self.unturned_size(size)
        if not self.rotation_degrees:
            return depth, plane[0], plane[1]
        extents = np.abs(self._rotation(spacing_mm)) @ (np.array(plane[::-1]) - 1.0)
        margins = [
            max(0, math.ceil((extent + 1 - side) / 2)) for extent, side in zip(extents[::-1], plane, strict=True)
        ]
        return depth, plane[0] + 2 * margins[0], plane[1] + 2 * margins[1]

    def apply(self, cut: npt.NDArray[Any], size: Shape, spacing_mm: Spacing, nearest: bool = False) -> npt.NDArray[Any]:
        """The transformed patch; voxels outside what was cut out repeat its nearest edge voxel.

        Args:
            cut: (depth, height, width), usually of the size `cut_size`, with the same centre as the patch.
            size: The size of the patch.
            spacing_mm: The spacing of its voxels.
            nearest: Take the nearest voxel instead of interpolating, as class ids need.

        Returns:
            An array or a view of `cut`.
        """
        unturned = self.unturned_size(size)
        if self.rotation_degrees or cut.shape != unturned:
            cut = self._rotated(cut, unturned, spacing_mm, nearest)
        turned = np.rot90(cut, self.quarter_turns, axes=(1, 2))
        z, y, x = (slice(None, None, -1 if flips else 1) for flips in self.flips)
        return turned[z, y, x]

    def _rotation(self, spacing_mm: Spacing) -> npt.NDArray[np.float64]:
        """The matrix from a step (x, y) in the patch, in voxels, to the step in what was cut out."""
        angle = np.deg2rad(self.rotation_degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        spacing = np.array(spacing_mm[:0:-1])
        return np.asarray(turn * spacing[None, :] / spacing[:, None])

    def _rotated(self, cut: npt.NDArray[Any], size: Shape, spacing_mm: Spacing, nearest: bool) -> npt.NDArray[Any]:
        linear = self._rotation(spacing_mm)
        height, width = size[1:]
        offset = (np.array(cut.shape[:0:-1]) - 1) / 2 - linear @ ((np.array([width, height]) - 1) / 2)
        out = np.empty(size, dtype=cut.dtype)
        for plane, turned in zip(cut, out, strict=True):
            cv2.warpAffine(
                plane,
                np.column_stack([linear, offset]),
                (width, height),
                dst=turned,
                flags=(cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return out
