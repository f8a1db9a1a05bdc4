"""The sequence `image_pairs`: two pictures, and whether they are of the same class.

Every sample is the first picture `a` of one pair an epoch, so that each is seen; its partner `b` is drawn. Which
samples get a partner of their own class alternates in the order of the epoch: an epoch is balanced exactly, and a batch
to within one pair.
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
    """Pairs of images for a siamese model: half of them of one class, half of two; or as `pair_manifest` lists them.

    Partners come from the same side of the split, anew in each epoch of training, the same ones in every validation. A
    sample is never its own partner. One that is alone in its class gets a partner of another class; where that is so
    for more than half of the samples, fewer than half of the pairs are of one class.

    Args:
        samples: Of `image_folder`, `image_manifest` or any other source with classes, whose samples have a `path`; or
            of `pair_manifest`. The seed is that of the partners too.
        image_format: See `ImageFormat`.
        drop_remainder: Leave out the last batch where it would be smaller.
        augmentation: See `Augmentation`.
        horizontal_flip: Probability that left and right change places; each picture of a pair has its own luck.

    Shapes:
        x: {"a", "b"}, each (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32: 1 where both are of one class, 0 where not

    Raises:
        ConfigError: when the source has no classes.
        DataError: when a side of the split has one class, or no class with two samples; when an image cannot be read.

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
        picture = image_format.field("pixels")
        self.spec = ({"a": picture, "b": picture}, self._label_spec())

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the labels 0 and 1."""
        return CLASSES

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes pairs: first whether each is of one class, then its pictures."""
        rows[1][...] = self._are_same(indices, self.draw_epoch(epoch))
        super().write(indices, epoch, rows)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes the pictures of one pair, of one class or of two as its label says."""
        x, y = rows
        if self._members is None:
            sample = self.source[index]
            self.write_picture(sample["path_a"], generator, x["a"])
            self.write_picture(sample["path_b"], generator, x["b"])
            return
        of_class = self._members.same if y[0] else self._members.other
        draw = partial(of_class, index, generator)
        partner = draw()
        self.write_picture(self.key_of(index), generator, x["a"])
        self.write_partner(partner, draw, generator, x["b"])

    def _are_same(self, indices: Indices, epoch: int) -> npt.NDArray[Any]:
        if self._members is None:
            are_same: npt.NDArray[Any] = np.asarray(self.source.labels)
        else:
            are_same = self._same.get(epoch, partial(self._deal, self._members))
        return np.asarray(are_same[indices])

    def _deal(self, members: ClassMembers, epoch: int) -> npt.NDArray[np.bool_]:
        """For each sample of the source, whether it has a partner of its class in this epoch."""
        size = len(self.indices)
        order = self.epoch_order(epoch)[0:size] if self.training else np.arange(size)
        able = self.indices[order]
        able = able[members.has_partner(able)]
        count = min((size + 1) // 2, len(able))
        same = np.zeros(int(self.indices.max()) + 1, dtype=np.bool_)
        # Evenly: the n-th is chosen where n * count / len(able) passes a whole number.
        same[able[np.diff(np.arange(len(able) + 1) * count // len(able)) > 0]] = True
        return same

    def _label_spec(self) -> FieldSpec:
        if self._members is None:
            return FieldSpec((), "int32", classes=CLASSES)
        super()._label_spec()  # refuses a source without image files
        if self._members.counts.max() < 2:
            raise DataError(
                "there are no pairs of one class: every class has one sample on this side of the split",
                fix="use more samples of each class, or hold out whole classes: split {by: group, column: class}",
            )
        return FieldSpec((), "int32", classes=CLASSES)


def lists_pairs(source: Source) -> bool:
    """Whether a sample of the source is a pair of images."""
    return len(source) > 0 and "path_a" in source[0]
