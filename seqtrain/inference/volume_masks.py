"""Assembles masks of whole volumes from the predictions for their patches or slices.

Where patches overlap, the probabilities of a voxel are added up. One volume is kept in memory: for patches, four bytes
per voxel and class plus eight; for slices, one byte per voxel. A mask is written when its volume is complete; a volume
with a part that cannot be read gets no mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.files import partial
from seqtrain.inference.mask_size import in_image_size
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.base import Source
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.sources.volume_source import Mask
from seqtrain.sources.volumes import Volumes
from seqtrain.training.predictions import PredictedBatch

Array = npt.NDArray[Any]


class PatchParts:
    """Assembles predictions for patches, one volume after the other; patches may overlap.

    Args:
        volumes: The source of the volumes.
        sequence: The sequence of patches.
        spec: The output's spec.
    """

    def __init__(self, volumes: Volumes, sequence: VolumePatchSequence, spec: OutputSpec) -> None:
        self.volumes = volumes
        self._sequence = sequence
        self._spec = spec

    def volume_of(self, item: int) -> int:
        """The index of the volume that a patch belongs to."""
        return int(self._sequence.place(item)[0])

    def begin(self, volume: int) -> None:
        """Starts a volume, and discards the predictions for the previous one."""
        self._sums = np.zeros((*self.volumes.shape(volume), max(len(self._spec.classes), 2)), np.float32)

    def add(self, item: int, output: Array) -> None:
        """Adds the prediction for one patch of the volume."""
        output = np.moveaxis(output, 0, -1) if self._spec.channels_first else output
        probabilities = self._spec.probabilities(output.reshape(-1, output.shape[-1]))
        patch = probabilities.reshape(*output.shape[:-1], -1)
        _, corner = self._sequence.place(item)
        in_volume = [slice(max(at, 0), at + side) for at, side in zip(corner, patch.shape, strict=False)]
        in_patch = [slice(max(-at, 0), side - at) for at, side in zip(corner, self._sums.shape, strict=False)]
        self._sums[*in_volume] += patch[*in_patch]

    def mask(self) -> Mask:
        """The class ids of all voxels of the volume, after all patches were added."""
        ids: Mask = self._sums.argmax(axis=-1).astype(np.uint8)
        return ids


class SliceParts:
    """Assembles predictions for slices, one volume after the other.

    Args:
        source: The source of the slices.
        spec: The output's spec.
        resize: How slices were resized for the model.
    """

    def __init__(self, source: VolumeSlices, spec: OutputSpec, resize: str) -> None:
        self.volumes = source.volumes
        self._source = source
        self._spec = spec
        self._resize = resize

    def volume_of(self, item: int) -> int:
        """The index of the volume that a slice belongs to."""
        return self._source.place(item)[0]

    def begin(self, volume: int) -> None:
        """Starts a volume, and discards the predictions for the previous one."""
        self._ids = np.zeros(self.volumes.shape(volume), np.uint8)

    def add(self, item: int, output: Array) -> None:
        """Adds the prediction for one slice of the volume."""
        part = self._ids[self._source.place(item)[1]]
        height, width = (side for axis, side in enumerate(part.shape) if axis != self._source.axis)
        mask = in_image_size(self._spec.mask(output), (height, width), self._resize)
        part[...] = self._source.in_volume_axes(mask)

    def mask(self) -> Mask:
        """The class ids of all voxels of the volume, after all slices were added."""
        return self._ids


VolumeParts = PatchParts | SliceParts


def volume_parts(specs: Sequence[OutputSpec], sequence: Any, source: Source, resize: str) -> VolumeParts | None:
    """What assembles a model's masks of patches or slices to volumes; None for other models.

    Args:
        specs: The outputs.
        sequence: The model's input batches.
        source: The samples.
        resize: How images are resized for the model.
    """
    kinds = [spec.kind for spec in specs]
    if kinds == ["volume"] and isinstance(sequence, VolumePatchSequence) and isinstance(source, Volumes):
        return PatchParts(source, sequence, specs[0])
    return SliceParts(source, specs[0], resize) if kinds == ["mask"] and isinstance(source, VolumeSlices) else None


class VolumeWriter:
    """Writes a mask for each volume, with the volume's orientation, format and file name.

    Args:
        folder: The output folder.
        parts: Assembles the predictions.
        place: Returns the mask's file for the file of a volume.
    """

    def __init__(self, folder: Path, parts: VolumeParts, place: Callable[[str], Path]) -> None:
        self._folder = folder
        self._parts = parts
        self._place = place
        self._volume = -1
        self._is_readable = False
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: PredictedBatch) -> None:
        """See `Writer`; the parts of a volume follow each other."""
        (output,) = batch.outputs.values()
        for position, item in enumerate(batch.items.tolist()):
            volume = self._parts.volume_of(item)
            if volume != self._volume:
                self._finish()
                self._volume, self._is_readable = volume, True
                self._parts.begin(volume)
            if position in batch.errors:
                self._is_readable = False
                self._path.unlink(missing_ok=True)  # left by an earlier `predict`
            elif self._is_readable:
                self._parts.add(item, output[position])

    def close(self, is_complete: bool) -> list[str]:
        """See `Writer`."""
        if is_complete:
            self._finish()
        return [str(self._folder)]

    @property
    def _path(self) -> Path:
        return self._place(self._parts.volumes.describe(self._volume))

    def _finish(self) -> None:
        if not self._is_readable:
            return
        path = self._path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._parts.volumes.save_mask(self._volume, self._parts.mask(), partial(path))
        partial(path).replace(path)
        self._is_readable = False
