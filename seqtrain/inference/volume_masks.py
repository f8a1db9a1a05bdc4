"""Masks of whole volumes, put together from what a model makes of their patches or slices.

Where patches overlap, the probabilities of a voxel are added up. Memory holds one volume: of patches four bytes a voxel
for each class and eight besides, of slices one. A mask is written when its volume is done; one with a part that cannot
be read has none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.files import partial
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.volume_patches import VolumePatchSequence
from seqtrain.sources.volume_slices import VolumeSlices
from seqtrain.sources.volume_source import Mask, Shape
from seqtrain.sources.volumes import Volumes
from seqtrain.training.predictions import PredictedBatch

Array = npt.NDArray[Any]


class Canvas(Protocol):
    """A volume's mask in the making."""

    def add(self, item: int, output: Array) -> None:
        """Adds what the model made of one patch or slice."""
        ...

    def mask(self) -> Mask:
        """The ids of all voxels, when all is added."""
        ...


class PatchCanvas:
    """The probabilities that patches of one volume add up to.

    Args:
        sequence: Whose items the patches are.
        volume: The volume.
        spec: Of the output.
    """

    def __init__(self, sequence: VolumePatchSequence, volume: int, spec: OutputSpec) -> None:
        self._sequence = sequence
        self._shape = sequence.source.shape(volume)
        self._spec = spec
        self._sums = np.zeros((*self._shape, max(len(spec.classes), 2)), np.float32)

    def add(self, item: int, output: Array) -> None:
        """See `Canvas`."""
        output = np.moveaxis(output, 0, -1) if self._spec.channels_first else output
        probabilities = self._spec.probabilities(output.reshape(-1, output.shape[-1]))
        patch = probabilities.reshape(*output.shape[:-1], -1)
        _, corner = self._sequence.place(item)
        in_volume = [slice(max(at, 0), at + side) for at, side in zip(corner, patch.shape, strict=False)]
        in_patch = [slice(max(-at, 0), length - at) for at, length in zip(corner, self._shape, strict=True)]
        self._sums[*in_volume] += patch[*in_patch]

    def mask(self) -> Mask:
        """See `Canvas`."""
        ids: Mask = self._sums.argmax(axis=-1).astype(np.uint8)
        return ids


class SliceCanvas:
    """The slices of one volume.

    Args:
        source: Whose samples the slices are.
        shape: Of the volume.
        paint: Makes the mask of a slice of its output, in a size.
    """

    def __init__(self, source: VolumeSlices, shape: Shape, paint: Callable[[Array, tuple[int, int]], Mask]) -> None:
        self._source = source
        self._paint = paint
        self._ids = np.zeros(shape, np.uint8)

    def add(self, item: int, output: Array) -> None:
        """See `Canvas`."""
        _, window = self._source.place(item)
        part = self._ids[window]
        height, width = (side for axis, side in enumerate(part.shape) if axis != self._source.axis)
        part[...] = self._source.laid_back(self._paint(output, (height, width)))

    def mask(self) -> Mask:
        """See `Canvas`."""
        return self._ids


class VolumeWriter:
    """A mask for each volume, in its place and format, called as its file is.

    Args:
        folder: Where they go.
        name: Of the output.
        volumes: The volumes.
        volume_of: The volume that an item of the sequence is a part of.
        canvas: What the parts of a volume are laid on.
        place: Where the mask of a volume goes in the folder, by the volume's file.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        volumes: Volumes,
        volume_of: Callable[[int], int],
        canvas: Callable[[int], Canvas],
        place: Callable[[str], Path],
    ) -> None:
        self._folder = folder
        self._name = name
        self._volumes = volumes
        self._volume_of = volume_of
        self._canvas_of = canvas
        self._place = place
        self._volume = -1
        self._canvas: Canvas | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, batch: PredictedBatch) -> None:
        """See `Writer`; the parts of a volume follow each other."""
        for position, item in enumerate(batch.items.tolist()):
            volume = self._volume_of(item)
            if volume != self._volume:
                self._finish()
                self._volume, self._canvas = volume, self._canvas_of(volume)
            if position in batch.errors:
                self._canvas = None
                self._path.unlink(missing_ok=True)  # an earlier prediction's is not this one's
            elif self._canvas is not None:
                self._canvas.add(item, batch.outputs[self._name][position])

    def close(self, whole: bool) -> list[str]:
        """See `Writer`."""
        if whole:
            self._finish()
        return [str(self._folder)]

    @property
    def _path(self) -> Path:
        return self._folder / self._place(self._volumes.describe(self._volume))

    def _finish(self) -> None:
        if self._canvas is None:
            return
        path = self._path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._volumes.save_mask(self._volume, self._canvas.mask(), partial(path))
        partial(path).replace(path)
        self._canvas = None
