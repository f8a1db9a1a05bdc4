"""Random flips, quarter turns and a small rotation of volumes, so that voxels are interpolated once.

Axes are z, y, x: depth, height, width. Flips and quarter turns move voxels onto voxels exactly. The rotation is about
z, in the plane where scanners have their finest voxels, and done in millimetres, so that a ball stays a ball where
voxels are no squares. What is turned is cut out larger first: the corners of a patch show what lies there, not a fill.

Three steps: `VolumeAugmentation.draw` the numbers, `cut_size` says how much to cut out, `apply` makes the patch of it.
A mask goes through the same numbers with `nearest=True`, and stays on its volume.
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
    """How volumes are flipped, turned and re-lit at random.

    Args:
        horizontal_flip: Probability that left and right change places, in training.
        vertical_flip: Probability that front and back change places, in training.
        depth_flip: Probability that top and bottom change places, in training.
        rotation: Turn about the depth axis by up to so many degrees to either side, in training.
        rotate_90: Turn about the depth axis by a random number of quarter turns, in training.
        brightness: Add or take away up to so much of the scaled range, in training.
        contrast: Draw voxels away from or towards the middle of the range by up to this fraction, in training.
    """

    horizontal_flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    depth_flip: Probability = 0.0
    rotation: Degrees = 0.0
    rotate_90: bool = False
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0

    def draw(self, generator: np.random.Generator) -> VolumeGeometry:
        """Draws what happens to one sample.

        The same five numbers are drawn whatever is possible: turning one augmentation on leaves the others as they
        were.
        """
        depth, height, width, turn, quarter = generator.random(5).tolist()
        return VolumeGeometry(
            flips=(depth < self.depth_flip, height < self.vertical_flip, width < self.horizontal_flip),
            rotation_degrees=(2 * turn - 1) * self.rotation,
            quarter_turns=int(4 * quarter) if self.rotate_90 else 0,
        )

    def relight(self, voxels: npt.NDArray[np.float32], generator: np.random.Generator, middle: float) -> None:
        """Makes scaled voxels lighter or darker and stronger or weaker at random, in place.

        The same two numbers are drawn whatever is possible. What was clipped to 0 and 1 may leave them by as much.

        Args:
            voxels: Scaled already.
            generator: For this sample in this epoch.
            middle: What contrast is drawn away from; see `Intensity.middle`.
        """
        lighter, stronger = (2 * generator.random(2) - 1).tolist()
        if self.brightness or self.contrast:
            factor = 1 + stronger * self.contrast
            voxels *= np.float32(factor)
            voxels += np.float32(middle * (1 - factor) + lighter * self.brightness)


NO_VOLUME_AUGMENTATION = VolumeAugmentation()


@dataclass(frozen=True)
class VolumeGeometry:
    """What was drawn.

    Args:
        flips: Whether the ends of the depth, the height and the width change places; after all turns.
        rotation_degrees: About z, from y towards x.
        quarter_turns: About z, in the same sense, 0 to 3.
    """

    flips: tuple[bool, bool, bool] = (False, False, False)
    rotation_degrees: float = 0.0
    quarter_turns: int = 0

    def unturned_size(self, size: Shape) -> Shape:
        """The size of a patch before its quarter turns."""
        depth, height, width = size
        return (depth, width, height) if self.quarter_turns % 2 else size

    def cut_size(self, size: Shape, spacing_mm: Spacing) -> Shape:
        """The size of what must be cut out, about the same middle, so that the patch shows nothing else.

        Args:
            size: Of the patch.
            spacing_mm: Of its voxels.
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
        """The patch that it makes of what was cut out; beyond its edges, the nearest voxel of the edge.

        Args:
            cut: (depth, height, width), of the size that `cut_size` says, or any other about the same middle.
            size: Of the patch.
            spacing_mm: Of its voxels.
            nearest: Take the nearest voxel instead of interpolating: for class ids.

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
        """From a step (x, y) in the patch's plane, in voxels, to the step in what was cut out."""
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
