"""The sequence `volumes`: whole volumes, resized to one size, with one label each, for classification."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.boxes import fit_box
from seqtrain.sequences.geometry_3d import NO_VOLUME_AUGMENTATION, VolumeAugmentation
from seqtrain.sequences.volume_patches import VolumeSize
from seqtrain.sources.intensity import NO_INTENSITY, Intensity, VolumeScales, Voxels
from seqtrain.sources.resampling import resized
from seqtrain.sources.volume_source import Shape, Spacing, VolumeSource
from seqtrain.structure import FieldSpec
from seqtrain.types import Resize


@sequences.register("volumes")
class VolumeSequence(SampleSequence):
    """Volumes with a class each, resized to one size, and augmented in training.

    Args:
        samples: The samples of `volumes` with labels for whole volumes, or of any other `VolumeSource` that has them.
        volume_size: Depth, height and width in voxels.
        resize: If the proportions in millimetres differ, "stretch" the volume, "crop" its edges, or "pad" it with its
            lowest value.
        intensity: See `Intensity`.
        augmentation: See `VolumeAugmentation`.
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: (batch, depth, height, width, 1), float32
        y: (batch,), int32, class indices

    Raises:
        ConfigError: when the source has no volumes with labels, or two options contradict each other.
        DataError: when a volume cannot be read.

    Example:
        sequence: {name: volumes, volume_size: [32, 64, 64], window: [-1000, 400], horizontal_flip: 0.5}
    """

    source: VolumeSource

    def __init__(
        self,
        samples: Samples[VolumeSource],
        volume_size: VolumeSize,
        resize: Resize = "stretch",
        intensity: Intensity = NO_INTENSITY,
        augmentation: VolumeAugmentation = NO_VOLUME_AUGMENTATION,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        source = samples.source
        self._labels = _labels_of_volumes(source)
        self.volume_size = volume_size
        self.resize: Resize = resize
        self._scales = VolumeScales(source, intensity)
        self._middle = intensity.middle
        self._augmentation = augmentation
        self.spec = (
            FieldSpec((*volume_size, 1), "float32", kind="pixels"),
            FieldSpec((), "int32", classes=source.label_classes),
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes of whole volumes, not those of the masks."""
        return self.source.label_classes

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one volume and its label."""
        x, y = rows
        if self.augmenting:
            geometry = self._augmentation.draw(generator)
            volume, spacing_mm = self._resized(index, geometry.unturned_size(self.volume_size))
            x[0, ..., 0] = geometry.apply(volume, self.volume_size, spacing_mm)
            self._augmentation.jitter(x, generator, self._middle)
        else:
            x[0, ..., 0], _ = self._resized(index, self.volume_size)
        y[0] = self._labels[index]

    def _resized(self, index: int, size: Shape) -> tuple[Voxels, Spacing]:
        """A volume of the given size, and its spacing."""
        fitted = fit_box(self.source.shape(index), self.source.spacing_mm(index), size, self.resize)
        voxels = self._scales[index].apply(self.source.read(index, fitted.read))
        z, y, x = (part.stop - part.start for part in fitted.placed)
        volume = resized(voxels, (z, y, x))
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
