"""Masks of whole volumes, put together from predictions for their patches or slices.

Where patches overlap, the probabilities of a voxel are added up. Memory holds one volume: of patches four bytes a voxel
for each class and eight besides, of slices one. A mask is written when its volume is done; one with a part that cannot
be read has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.files import partial
from seqtrain.inference.mask_size import in_picture_size
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.base import Source
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.sources.volume_source import Mask
from seqtrain.sources.volumes import Volumes
from seqtrain.training.predictions import PredictedBatch

Array = npt.NDArray[Any]


class PatchParts:
    """Puts the predictions for the patches of volumes together, one volume after the other; patches may overlap.

    Args:
        volumes: That they are of.
        sequence: Whose items they are.
        spec: Of the output.
    """

    def __init__(self, volumes: Volumes, sequence: VolumePatchSequence, spec: OutputSpec) -> None:
        self.volumes = volumes
        self._sequence = sequence
        self._spec = spec

    def volume_of(self, item: int) -> int:
        """The volume that a patch is of."""
        return int(self._sequence.place(item)[0])

    def begin(self, volume: int) -> None:
        """Starts a volume; the predictions for the former are dropped."""
        self._sums = np.zeros((*self.volumes.shape(volume), max(len(self._spec.classes), 2)), np.float32)

    def add(self, item: int, output: Array) -> None:
        """Adds the prediction for one patch of it."""
        output = np.moveaxis(output, 0, -1) if self._spec.channels_first else output
        probabilities = self._spec.probabilities(output.reshape(-1, output.shape[-1]))
        patch = probabilities.reshape(*output.shape[:-1], -1)
        _, corner = self._sequence.place(item)
        in_volume = [slice(max(at, 0), at + side) for at, side in zip(corner, patch.shape, strict=False)]
        in_patch = [slice(max(-at, 0), side - at) for at, side in zip(corner, self._sums.shape, strict=False)]
        self._sums[*in_volume] += patch[*in_patch]

    def mask(self) -> Mask:
        """The ids of all its voxels, when all patches are added."""
        ids: Mask = self._sums.argmax(axis=-1).astype(np.uint8)
        return ids


class SliceParts:
    """Puts the predictions for the slices of volumes together, one volume after the other.

    Args:
        source: Whose samples they are.
        spec: Of the output.
        resize: How slices were resized for the model.
    """

    def __init__(self, source: VolumeSlices, spec: OutputSpec, resize: str) -> None:
        self.volumes = source.volumes
        self._source = source
        self._spec = spec
        self._resize = resize

    def volume_of(self, item: int) -> int:
        """The volume that a slice is of."""
        return self._source.place(item)[0]

    def begin(self, volume: int) -> None:
        """Starts a volume; the predictions for the former are dropped."""
        self._ids = np.zeros(self.volumes.shape(volume), np.uint8)

    def add(self, item: int, output: Array) -> None:
        """Adds the prediction for one slice of it."""
        part = self._ids[self._source.place(item)[1]]
        height, width = (side for axis, side in enumerate(part.shape) if axis != self._source.axis)
        mask = in_picture_size(self._spec.mask(output), (height, width), self._resize)
        part[...] = self._source.in_volume_axes(mask)

    def mask(self) -> Mask:
        """The ids of all its voxels, when all slices are added."""
        return self._ids


VolumeParts = PatchParts | SliceParts


def volume_parts(specs: Sequence[OutputSpec], sequence: Any, source: Source, resize: str) -> VolumeParts | None:
    """The parts of volumes whose masks a model predicts; None for other models.

    Args:
        specs: The outputs.
        sequence: What the model is given.
        source: The samples.
        resize: How pictures are resized for the model.
    """
    kinds = [spec.kind for spec in specs]
    if kinds == ["volume"] and isinstance(sequence, VolumePatchSequence) and isinstance(source, Volumes):
        return PatchParts(source, sequence, specs[0])
    return SliceParts(source, specs[0], resize) if kinds == ["mask"] and isinstance(source, VolumeSlices) else None


class VolumeWriter:
    """A mask for each volume, in its place and format, called as its file is.

    Args:
        folder: Where they go.
        parts: The parts that the predictions are for.
        place: The file of the mask of a volume, by the volume's file.
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
                self._path.unlink(missing_ok=True)  # an earlier prediction's is not this one's
            elif self._is_readable:
                self._parts.add(item, output[position])

    def close(self, whole: bool) -> list[str]:
        """See `Writer`."""
        if whole:
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
