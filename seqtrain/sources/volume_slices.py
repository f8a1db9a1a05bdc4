"""The source `volume_slices`: slices of volumes as 8-bit images with masks, for two-dimensional networks.

A slice is oriented for viewing: the anterior side is at the top of an axial slice, the superior side at the top of
other slices; the right side of the image is the patient's right, or the anterior side in a sagittal slice.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from seqtrain.registry import sources
from seqtrain.sources.base import Paths, Source
from seqtrain.sources.intensity import Intensity, Percentiles, Range, VolumeScales
from seqtrain.sources.mask_source import count_classes
from seqtrain.sources.volume_list import VolumeFiles
from seqtrain.sources.volume_source import Mask, Voxels, Window
from seqtrain.sources.volumes import Volumes

Plane = Literal["axial", "coronal", "sagittal"]

_AXES: dict[Plane, int] = {"axial": 0, "coronal": 1, "sagittal": 2}
_DEFAULT_PERCENTILES = (0.5, 99.5)
_WHITE = 255


@sources.register("volume_slices")
class VolumeSlices(Source):
    """The slices of volumes along one axis, as gray images, with masks if the volumes have masks.

    Split them `by: group`, the patient: slices of one volume are so similar that any other split validates on training
    data, and is an error. Only the slice is read from .nii and .npy files; see `volumes` for .nii.gz.

    Args:
        listing: See `VolumeFiles`.
        label_column: The table's column of the class of each whole volume, which is the class of its slices if there
            are no masks.
        plane: The plane of the slices: "axial" (across z), "coronal" (across y) or "sagittal" (across x).
        window: [low, high]: voxels from low to high become 0 to 255, others are clipped; for CT.
        percentiles: [low, high]: the same, with these percentiles of each volume's voxels; for MRI. Default, without
            window: [0.5, 99.5].

    Attributes:
        axis: The axis across the slices, as an index of (z, y, x).

    Raises:
        ConfigError: see `volumes`; and when window and percentiles are both given, or low is not below high.
        DataError: see `volumes`.

    Example:
        source: {name: volume_slices, images: data/images, labels: data/labels, classes: [background, lesion]}
    """

    classes: tuple[str, ...] | None

    def __init__(
        self,
        listing: VolumeFiles,
        plane: Plane = "axial",
        window: Range | None = None,
        percentiles: Percentiles | None = None,
    ) -> None:
        if window is None and percentiles is None:
            percentiles = _DEFAULT_PERCENTILES
        self._intensity = Intensity(window, percentiles)
        self._plane: Plane = plane
        self.axis = _AXES[plane]
        self._set_volumes(Volumes(listing))

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        volume, position = self._place(index)
        return {**self.volumes[volume], "plane": self._plane, "slice": position}

    @property
    def has_masks(self) -> bool:
        """Whether the volumes have masks."""
        return self.volumes.has_masks

    @property
    def labels(self) -> npt.NDArray[np.int64] | None:
        """The class index of each slice's volume; None if the slices have masks."""
        if self.volumes.labels is None or self.volumes.has_masks:
            return None
        return np.repeat(self.volumes.labels, self._num_slices)

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """The patient of each slice."""
        return np.repeat(self.volumes.groups, self._num_slices)

    @property
    def files(self) -> tuple[Paths, ...]:
        """See `Volumes`."""
        return self.volumes.files

    def column(self, name: str) -> npt.NDArray[np.str_]:
        """The patients, or another column of the table, for a split by group.

        Raises:
            ConfigError: when there is no table, and another column than the patients is asked for.
        """
        return np.repeat(self.volumes.column(name), self._num_slices)

    def read_picture(self, index: int) -> npt.NDArray[np.uint8]:
        """The slice, (height, width), 0 to 255.

        Raises:
            DataError: when the volume's file is damaged or truncated, or holds NaN.
        """
        volume, position = self._place(index)
        scale = self._scales[volume]
        voxels = self._upright(self.volumes.read(volume, self._slice(volume, position)))
        scaled = (voxels.astype(np.float32) - scale.zero) * (_WHITE / scale.unit)
        image: npt.NDArray[np.uint8] = np.rint(np.clip(scaled, 0, _WHITE)).astype(np.uint8)
        return image

    def read_mask(self, index: int) -> Mask:
        """The class ids of the same pixels, uint8.

        Raises:
            DataError: when the mask's file is damaged or truncated, or holds an id outside the classes.
        """
        volume, position = self._place(index)
        return self._upright(self.volumes.read_mask(volume, self._slice(volume, position)))

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The number of pixels of each class in the masks of some slices."""
        return count_classes(self, indices)

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """All of `train`; checks that no patient is on both sides.

        Raises:
            DataError: when one is.
        """
        self.volumes.drop_leaking(*(np.unique(self._ends.searchsorted(side, side="right")) for side in (train, val)))
        return train

    def describe(self, index: int) -> str:
        """The volume's file and the number of the slice in it, from 0."""
        volume, position = self._place(index)
        return f"{self.volumes.describe(volume)}, {self._plane} slice {position}"

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The slices of the volumes of some files and folders; see `Volumes.of_inputs`."""
        other = copy.copy(self)
        other._set_volumes(self.volumes.of_inputs(inputs))
        return other

    def place(self, index: int) -> tuple[int, Window]:
        """A slice's volume, and its window in the volume."""
        volume, position = self._place(index)
        return volume, self._slice(volume, position)

    def in_volume_axes(self, mask: Mask) -> Mask:
        """The mask of a slice as a window of its volume, in the volume's orientation."""
        return np.expand_dims(mask[::-1], self.axis)

    def _set_volumes(self, volumes: Volumes) -> None:
        self.volumes = volumes
        self.classes = volumes.classes
        self._scales = VolumeScales(volumes, self._intensity)
        self._num_slices = np.array([volumes.shape(n)[self.axis] for n in range(len(volumes))])
        self._ends = np.cumsum(self._num_slices)

    def _place(self, index: int) -> tuple[int, int]:
        """A slice's volume, and its number in the volume."""
        if not 0 <= index < len(self):
            raise IndexError(f"slice {index} of {len(self)}")
        volume = int(self._ends.searchsorted(index, side="right"))
        return volume, int(index - self._ends[volume] + self._num_slices[volume])

    def _slice(self, volume: int, position: int) -> Window:
        parts = [slice(0, length) for length in self.volumes.shape(volume)]
        parts[self.axis] = slice(position, position + 1)
        return parts[0], parts[1], parts[2]

    def _upright(self, voxels: Voxels) -> Voxels:
        return np.ascontiguousarray(voxels.squeeze(self.axis)[::-1])
