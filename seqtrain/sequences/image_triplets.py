"""The sequence `image_triplets`: an image, another of its class, and one of another class."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, Augmentation
from seqtrain.sequences.base import Samples
from seqtrain.sequences.class_members import ClassMembers, class_name
from seqtrain.sequences.compared_images import ComparedImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec

_MOST_NAMED = 5


@sequences.register("image_triplets")
class ImageTripletSequence(ComparedImageSequence):
    """Triplets of images for a siamese model: every sample is the anchor once per epoch, the other two are drawn.

    They come from the same side of the split. They are drawn anew in each epoch of training, and are always the same in
    validation.

    Args:
        samples: The samples of `image_folder`, `image_manifest` or any other source with classes whose samples have a
            `path`. Positives and negatives are drawn with the same seed.
        image_format: See `ImageFormat`.
        drop_remainder: Leave out the last batch if it is smaller.
        augmentation: See `Augmentation`.
        horizontal_flip: The probability of a horizontal flip, which is drawn for each image separately.

    Shapes:
        x: {"anchor", "positive", "negative"}, each (batch, height, width, channels) or (batch, channels, height,
            width), uint8, 0 to 255
        y: (batch,), int32, the anchor's class index

    Raises:
        ConfigError: when the source has no classes.
        DataError: when a side of the split has only one class, or a class with only one sample; when an image cannot be
            read.

    Example:
        sequence: {name: image_triplets, image_size: [28, 28], color: gray, rotation: 10}
    """

    def __init__(
        self,
        samples: Samples[Source],
        image_format: ImageFormat,
        drop_remainder: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        super().__init__(samples, image_format, drop_remainder=drop_remainder)
        self.augmentation = augmentation
        self._members = ClassMembers(samples.source, samples.indices)
        self._check_class_sizes()
        images = dict.fromkeys(("anchor", "positive", "negative"), image_format.field("pixels"))
        self.spec = (images, FieldSpec((), "int32", classes=self.class_names))

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one triplet."""
        x, y = rows
        draws = {"positive": partial(self._members.same, index, generator)}
        draws["negative"] = partial(self._members.other, index, generator)
        drawn = {name: draw() for name, draw in draws.items()}
        self.write_image(self.key_of(index), generator, x["anchor"])
        for name, partner in drawn.items():
            self.write_partner(partner, draws[name], generator, x[name])
        y[0] = self.source[index]["label"]

    def _check_class_sizes(self) -> None:
        too_small = self._members.classes[self._members.counts < 2]
        if len(too_small):
            named = ", ".join(class_name(self.source, int(label)) for label in too_small[:_MOST_NAMED])
            side = "training" if self.training else "validation"
            raise DataError(
                f"{len(too_small)} of {len(self._members.classes)} classes have one sample on the side of {side}, "
                "which has no positive",
                received=f"classes {named}{' ...' if len(too_small) > _MOST_NAMED else ''}",
                fix="add samples, leave these classes out, or hold out whole classes: split {by: group, column: class}",
            )
