"""The sequence `volumes`: whole volumes in one size with one label each, for classification."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.augmented_image import Degrees, Fraction
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.geometry_3d import VolumeGeometryRange, apply, draw, unturned_size
from seqtrain.sequences.intensity import Intensity, MeanStd, Percentiles, Range, Voxels, relight
from seqtrain.sequences.resizing_3d import fit, resample
from seqtrain.sequences.volume_patches import VolumeSize
from seqtrain.sources.volume_source import Shape, Spacing, VolumeSource
from seqtrain.structure import FieldSpec
from seqtrain.types import Probability, Resize


@sequences.register("volumes")
class VolumeSequence(SampleSequence):
    """Volumes by class, each brought to one size; augmented in training.

    Args:
        source: `volumes` with labels for whole volumes, or any other `VolumeSource` that has them.
        indices: See `SampleSequence`.
        batch_size: See `SampleSequence`.
        seed: See `SampleSequence`.
        training: Whether to augment; see also `SampleSequence`.
        volume_size: Depth, height and width in voxels.
        resize: Where proportions differ: "stretch" the volume, "crop" its edges, or "pad" it with its lowest value. The
            proportions are those in millimetres.
        window: [low, high]: voxels from low to high become 0 to 1, others are clipped.
        percentiles: [low, high]: the same, from so many percent of each volume's voxels.
        mean_std: [mean, standard deviation] to scale by. Default, without window, percentiles and mean_std: those of
            each volume.
        horizontal_flip: Probability that left and right change places, in training.
        vertical_flip: Probability that front and back change places, in training.
        depth_flip: Probability that top and bottom change places, in training.
        rotation: Turn about the depth axis by up to so many degrees to either side, in training.
        rotate_90: Turn about the depth axis by a random number of quarter turns, in training.
        brightness: Add or take away up to so much of the scaled range, in training.
        contrast: Draw voxels away from or towards the middle of the range by up to this fraction, in training.
        drop_remainder: Leave out the last batch where it would be smaller.

    Shapes:
        x: (batch, depth, height, width, 1), float32
        y: (batch,), int32, class indices

    Raises:
        ConfigError: when the source has no volumes with labels, or an option does not fit another.
        DataError: when a volume cannot be read.

    Example:
        sequence: {name: volumes, volume_size: [32, 64, 64], window: [-1000, 400], horizontal_flip: 0.5}
    """

    source: VolumeSource

    def __init__(
        self,
        source: VolumeSource,
        indices: npt.NDArray[np.integer],
        batch_size: int,
        seed: int,
        training: bool,
        volume_size: VolumeSize,
        resize: Resize = "stretch",
        window: Range | None = None,
        percentiles: Percentiles | None = None,
        mean_std: MeanStd | None = None,
        horizontal_flip: Probability = 0.0,
        vertical_flip: Probability = 0.0,
        depth_flip: Probability = 0.0,
        rotation: Degrees = 0.0,
        rotate_90: bool = False,
        brightness: Fraction = 0.0,
        contrast: Fraction = 0.0,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(source, indices, batch_size, seed, training, drop_remainder)
        self._labels = _labels_of_volumes(source)
        self.volume_size = volume_size
        self.resize: Resize = resize
        self._intensity = Intensity(source, window, percentiles, mean_std)
        self._geometry = VolumeGeometryRange((depth_flip, vertical_flip, horizontal_flip), rotation, rotate_90)
        self._brightness = brightness
        self._contrast = contrast
        self.spec = (
            FieldSpec((*volume_size, 1), "float32", kind="pixels"),
            FieldSpec((), "int32", classes=source.label_classes),
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the labels of whole volumes, which are not those of the masks."""
        return self.source.label_classes

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one volume and its label."""
        x, y = rows
        if self.augmenting:
            geometry = draw(self._geometry, generator)
            volume, spacing_mm = self._resized(index, unturned_size(geometry, self.volume_size))
            x[0, ..., 0] = apply(geometry, volume, self.volume_size, spacing_mm)
            relight(x, generator, self._brightness, self._contrast, self._intensity.middle)
        else:
            x[0, ..., 0], _ = self._resized(index, self.volume_size)
        y[0] = self._labels[index]

    def _resized(self, index: int, size: Shape) -> tuple[Voxels, Spacing]:
        """A volume in the size, and the spacing that it has there."""
        fitted = fit(self.source.shape(index), self.source.spacing_mm(index), size, self.resize)
        voxels = self._intensity.scale(index).apply(self.source.read(index, fitted.read))
        z, y, x = (part.stop - part.start for part in fitted.placed)
        volume = resample(voxels, (z, y, x))
        if volume.shape != size:
            box = np.full(size, volume.min(), dtype=np.float32)
            box[fitted.placed] = volume
            volume = box
        return volume, fitted.spacing_mm


def _labels_of_volumes(source: VolumeSource) -> npt.NDArray[np.int64]:
    labels = None if source.spacing_mm(0) is None else source.labels
    if labels is None:
        raise ConfigError(
            f"the sequence 'volumes' cannot read from this {type(source).__name__}",
            expected="a source of volumes with one label each, such as volumes with a table and a label_column",
            fix="name the table and its columns in the source; for masks, use the sequence volume_patches",
        )
    return labels
