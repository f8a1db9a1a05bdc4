"""The sequence `image_pairs`: two images, and whether they are of the same class.

Every sample is the first image `a` of one pair per epoch; its partner `b` is drawn. Along the order of the epoch,
partners of the same class and of another class alternate, so that an epoch is balanced exactly, and a batch to within
one pair.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, Augmentation
from seqtrain.sequences.base import Samples
from seqtrain.sequences.class_members import ClassMembers
from seqtrain.sequences.compared_images import ComparedImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sequences.per_epoch import PerEpoch
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, Indices

CLASSES = ("different", "same")


@sequences.register("image_pairs")
class ImagePairSequence(ComparedImageSequence):
    """Pairs of images for a siamese model: half of them of one class, half of two; or the pairs of `pair_manifest`.

    Partners come from the same side of the split. They are drawn anew in each epoch of training, and are always the
    same in validation. A sample is never its own partner. A sample that is the only one of its class gets a partner of
    another class; if more than half of the samples are, fewer than half of the pairs are of one class.

    Args:
        samples: The samples of `image_folder`, `image_manifest` or any other source with classes whose samples have a
            `path`; or of `pair_manifest`. Partners are drawn with the same seed.
        image_format: See `ImageFormat`.
        drop_remainder: Leave out the last batch if it is smaller.
        augmentation: See `Augmentation`.
        horizontal_flip: The probability of a horizontal flip, which is drawn for each image of a pair separately.

    Shapes:
        x: {"a", "b"}, each (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32: 1 if both images are of one class, otherwise 0

    Raises:
        ConfigError: when the source has no classes.
        DataError: when a side of the split has only one class, or no class with two samples; when an image cannot be
            read.

    Example:
        sequence: {name: image_pairs, image_size: [28, 28], color: gray, rotation: 10}
    """

    def __init__(
        self,
        samples: Samples[Source],
        image_format: ImageFormat,
        drop_remainder: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        source, indices, *_ = samples
        self._members = None if lists_pairs(source) else ClassMembers(source, indices)
        self._same: PerEpoch[npt.NDArray[np.bool_]] = PerEpoch()
        super().__init__(samples, image_format, drop_remainder=drop_remainder)
        self.augmentation = augmentation
        image = image_format.field("pixels")
        self.spec = ({"a": image, "b": image}, self._label_spec())

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the labels 0 and 1."""
        return CLASSES

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes pairs: first their labels, then their images."""
        rows[1][...] = self._are_same(indices, self.draw_epoch(epoch))
        super().write(indices, epoch, rows)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes the images of one pair, whose classes agree if its label is 1."""
        x, y = rows
        if self._members is None:
            sample = self.source[index]
            self.write_image(sample["path_a"], generator, x["a"])
            self.write_image(sample["path_b"], generator, x["b"])
            return
        of_class = self._members.same if y[0] else self._members.other
        draw = partial(of_class, index, generator)
        partner = draw()
        self.write_image(self.key_of(index), generator, x["a"])
        self.write_partner(partner, draw, generator, x["b"])

    def _are_same(self, indices: Indices, epoch: int) -> npt.NDArray[Any]:
        if self._members is None:
            are_same: npt.NDArray[Any] = np.asarray(self.source.labels)
        else:
            are_same = self._same.get(epoch, partial(self._choose_same, self._members))
        return np.asarray(are_same[indices])

    def _choose_same(self, members: ClassMembers, epoch: int) -> npt.NDArray[np.bool_]:
        """For each sample of the source, whether its partner in this epoch is of the same class."""
        size = len(self.indices)
        order = self.epoch_order(epoch)[0:size] if self.training else np.arange(size)
        candidates = self.indices[order]
        candidates = candidates[members.has_partner(candidates)]
        count = min((size + 1) // 2, len(candidates))
        same = np.zeros(int(self.indices.max()) + 1, dtype=np.bool_)
        # Evenly spaced: the n-th candidate is chosen if n * count / len(candidates) passes a whole number.
        chosen = np.diff(np.arange(len(candidates) + 1) * count // len(candidates)) > 0
        same[candidates[chosen]] = True
        return same

    def _label_spec(self) -> FieldSpec:
        if self._members is None:
            return FieldSpec((), "int32", classes=CLASSES)
        super()._label_spec()  # raises an error for a source without image files
        if self._members.counts.max() < 2:
            raise DataError(
                "there are no pairs of one class: every class has one sample on this side of the split",
                fix="use more samples of each class, or hold out whole classes: split {by: group, column: class}",
            )
        return FieldSpec((), "int32", classes=CLASSES)


def lists_pairs(source: Source) -> bool:
    """Whether a sample of the source is a pair of images."""
    return len(source) > 0 and "path_a" in source[0]
