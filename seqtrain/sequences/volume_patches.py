"""The sequence `volume_patches`: boxes cut out of volumes with their masks, for volumes too large to train on whole.

In training, each volume gives some patches at random positions per epoch. A share of them is centred on a voxel of the
foreground, because most of a volume is background and lesions are small. In validation, a grid of patches covers every
voxel. The number of patches follows from the volumes' shapes, and only the part of a volume that a patch needs is read.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences import boxes
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.geometry_3d import (
    NO_VOLUME_AUGMENTATION,
    VolumeAugmentation,
)
from seqtrain.sources.intensity import NO_INTENSITY, Intensity, VolumeScales, Voxels
from seqtrain.sources.volume_source import Mask, Shape, VolumeSource
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive, Probability, ProperFraction

VolumeSize = Annotated[tuple[Positive, Positive, Positive], Field(description="[depth, height, width] in voxels")]

_BACKGROUND = 0


@sequences.register("volume_patches")
class VolumePatchSequence(SampleSequence):
    """Patches of volumes with a class id for each voxel, for segmentation.

    The positions and the augmentation of training patches depend on (seed, epoch, patch) alone. Where a patch reaches
    outside its volume, voxels get the patch's lowest value and the id 0.

    Args:
        samples: The samples of `volumes` with masks, or of any other `VolumeSource` that has them.
        patch_size: Depth, height and width in voxels.
        patches_per_volume: The number of patches of each training volume per epoch.
        foreground: The share of the training patches that are centred on a voxel of the foreground, or as close to it
            as the volume's edge allows. Its class is drawn uniformly from those in the volume.
        overlap: The least share of a validation patch that the next patch in the grid covers too.
        intensity: See `Intensity`.
        augmentation: See `VolumeAugmentation`.
        rotate_90: Rotate about the depth axis by a random number of quarter turns; meant for volumes with the same
            spacing along height and width.
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: (batch, depth, height, width, 1), float32
        y: (batch, depth, height, width), uint8, class ids

    Raises:
        ConfigError: when the source has no volumes with masks, or two options contradict each other.
        DataError: when a volume or a mask cannot be read.

    Example:
        sequence: {name: volume_patches, patch_size: [32, 64, 64], patches_per_volume: 8, window: [-100, 300]}
    """

    source: VolumeSource

    def __init__(
        self,
        samples: Samples[VolumeSource],
        patch_size: VolumeSize,
        patches_per_volume: Positive = 4,
        foreground: Probability = 0.33,
        overlap: ProperFraction = 0.0,
        intensity: Intensity = NO_INTENSITY,
        augmentation: VolumeAugmentation = NO_VOLUME_AUGMENTATION,
        drop_remainder: bool = False,
    ) -> None:
        source, indices, batch_size, seed, training = samples
        _check_has_masks(source)
        self.patch_size = patch_size
        self._volumes = np.asarray(indices)
        self._overlap = overlap
        self._ends = np.cumsum(
            [
                patches_per_volume if training else boxes.num_grid_boxes(source.shape(volume), patch_size, overlap)
                for volume in self._volumes.tolist()
            ]
        )
        super().__init__(source, np.arange(self._ends[-1]), batch_size, seed, training, drop_remainder)
        self._foreground = foreground
        self._scales = VolumeScales(source, intensity)
        self._middle = intensity.middle
        self._augmentation = augmentation
        self.spec = (
            FieldSpec((*patch_size, 1), "float32", kind="pixels"),
            FieldSpec(patch_size, "uint8", kind="mask", classes=source.classes),
        )

    def source_indices(self, items: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The volumes that patches are cut from."""
        return self._volumes[np.searchsorted(self._ends, items, side="right")]

    def describe(self, index: int) -> str:
        """The volume's file and the number of the patch; in validation, its position."""
        volume, number = self._volume_and_number(index)
        file = self.source.describe(volume)
        if self.training:
            return f"{file}, random patch {number}"
        _, corner = self.place(index)
        z, y, x = (f"{at} to {at + side - 1}" for at, side in zip(corner, self.patch_size, strict=True))
        return f"{file}, patch at z {z}, y {y}, x {x}"

    def place(self, index: int) -> tuple[int, boxes.Corner]:
        """The volume of a patch of the grid, and the patch's corner in it."""
        volume, number = self._volume_and_number(index)
        return volume, boxes.grid_corner(number, self.source.shape(volume), self.patch_size, self._overlap)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one patch and its mask."""
        x, y = rows
        if not self.training:
            x[0, ..., 0], y[0] = self._cut_out(*self.place(index), self.patch_size)
            return
        volume, _ = self._volume_and_number(index)
        geometry = self._augmentation.draw(generator)
        if not self.augments:
            corner = self._random_corner(volume, self.patch_size, generator)
            x[0, ..., 0], y[0] = self._cut_out(volume, corner, self.patch_size)
            return
        unturned = geometry.unturned_size(self.patch_size)
        corner = self._random_corner(volume, unturned, generator)
        spacing_mm = self.source.spacing_mm(volume)
        size = geometry.cut_size(self.patch_size, spacing_mm)
        voxels, mask = self._cut_out(volume, boxes.enlarged_corner(corner, unturned, size), size)
        x[0, ..., 0] = geometry.apply(voxels, self.patch_size, spacing_mm)
        y[0] = geometry.apply(mask, self.patch_size, spacing_mm, nearest=True)
        self._augmentation.jitter(x, generator, self._middle)

    def _volume_and_number(self, item: int) -> tuple[int, int]:
        position = int(np.searchsorted(self._ends, item, side="right"))
        first = int(self._ends[position - 1]) if position else 0
        return int(self._volumes[position]), item - first

    def _random_corner(self, volume: int, size: Shape, generator: np.random.Generator) -> boxes.Corner:
        """The corner of a training patch; the same six numbers are drawn for every patch."""
        share, which_class, which_voxel, *fractions = generator.random(6)
        shape = self.source.shape(volume)
        if share < self._foreground:
            voxels = [found for _, found in sorted(self.source.foreground(volume).items()) if len(found)]
            if voxels:
                of_class = voxels[int(which_class * len(voxels))]
                return boxes.corner_around(of_class[int(which_voxel * len(of_class))], shape, size)
        return boxes.corner_at(np.array(fractions), shape, size)

    def _cut_out(self, volume: int, corner: boxes.Corner, size: Shape) -> tuple[Voxels, Mask]:
        shape = self.source.shape(volume)
        scale = self._scales[volume]
        voxels = boxes.cut_out(
            lambda window: scale.apply(self.source.read(volume, window)), shape, corner, size, fill=np.min
        )
        mask = boxes.cut_out(
            lambda window: self.source.read_mask(volume, window), shape, corner, size, fill=lambda _: _BACKGROUND
        )
        return voxels, mask


def _check_has_masks(source: VolumeSource) -> None:
    if not source.has_masks:
        raise ConfigError(
            f"the sequence 'volume_patches' cannot read from this {type(source).__name__}",
            expected="a source of volumes with masks, such as volumes with a folder of labels",
            fix="give the source its folder of masks; for one class a volume, use the sequence volumes",
        )
