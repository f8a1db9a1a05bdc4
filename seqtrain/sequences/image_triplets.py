"""The sequence `image_triplets`: a picture, another of its class, and one of another class."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.registry import sequences
from seqtrain.sequences.augmented_image import CropFraction, Degrees, Fraction, ProperFraction
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.class_members import ClassMembers, class_name
from seqtrain.sequences.compared_images import ComparedImageSequence
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec
from seqtrain.types import Color, DataFormat, ImageSize, Probability, Resize

_MOST_NAMED = 5


@sequences.register("image_triplets")
class ImageTripletSequence(ComparedImageSequence):
    """Triplets of images for a siamese model: every sample is the anchor once an epoch, the other two are drawn.

    They come from the same side of the split, anew in each epoch of training, the same ones in every validation.

    Args:
        source: `image_folder`, `image_manifest` or any other with classes, whose samples have a `path`.
        indices: See `SampleSequence`.
        batch_size: See `SampleSequence`.
        seed: See `SampleSequence`; of the positives and negatives too.
        training: See `AugmentedImageSequence`.
        image_size: Height and width in pixels.
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: Where proportions differ: "stretch" the picture, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are.
        drop_remainder: Leave out the last batch where it would be smaller.
        horizontal_flip: Probability that left and right change places; each picture has its own luck.
        vertical_flip: Probability that top and bottom change places.
        rotation: Turn about the centre by up to so many degrees to either side.
        shift: Move by up to this fraction of the width and of the height.
        zoom: Grow or shrink by up to this fraction.
        brightness: Add or take away up to this fraction of white.
        contrast: Draw pixels away from or towards middle gray by up to this fraction.
        random_crop: Cut out a window with this fraction of the picture's height and width at a random place.

    Shapes:
        x: {"anchor", "positive", "negative"}, each (batch, height, width, channels) or (batch, channels, height,
            width), uint8, 0 to 255
        y: (batch,), int32, the anchor's class index

    Raises:
        ConfigError: when the source has no classes.
        DataError: when a side of the split has one class, or a class with one sample; when an image cannot be read.

    Example:
        sequence: {name: image_triplets, image_size: [28, 28], color: gray, rotation: 10}
    """

    def __init__(
        self,
        source: Source,
        indices: npt.NDArray[np.integer],
        batch_size: int,
        seed: int,
        training: bool,
        image_size: ImageSize,
        color: Color = "rgb",
        resize: Resize = "stretch",
        data_format: DataFormat = "channels_last",
        drop_remainder: bool = False,
        horizontal_flip: Probability = 0.0,
        vertical_flip: Probability = 0.0,
        rotation: Degrees = 0.0,
        shift: Fraction = 0.0,
        zoom: ProperFraction = 0.0,
        brightness: Fraction = 0.0,
        contrast: Fraction = 0.0,
        random_crop: CropFraction | None = None,
    ) -> None:
        super().__init__(
            source,
            indices,
            batch_size,
            seed,
            training,
            image_size,
            color,
            resize,
            data_format,
            "sparse",
            drop_remainder,
            horizontal_flip,
            vertical_flip,
            rotation,
            shift,
            zoom,
            brightness,
            contrast,
            random_crop,
        )
        self._members = ClassMembers(source, indices)
        self._refuse_classes_of_one()
        names = ("anchor", "positive", "negative")
        self.spec = (
            dict.fromkeys(names, self.picture_spec),
            FieldSpec((), "int32", classes=self.class_names),
        )

    def write(self, indices: npt.NDArray[np.integer], epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes triplets one by one: a cache that reads many in one go cannot know the partners."""
        SampleSequence.write(self, indices, epoch, rows)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one triplet."""
        x, y = rows
        draws = {"positive": partial(self._members.same, index, generator)}
        draws["negative"] = partial(self._members.other, index, generator)
        drawn = {name: draw() for name, draw in draws.items()}
        self.write_picture(self.key_of(index), generator, x["anchor"])
        for name, partner in drawn.items():
            self.write_partner(partner, draws[name], generator, x[name])
        y[0] = self.source[index]["label"]

    def _refuse_classes_of_one(self) -> None:
        alone = self._members.classes[self._members.counts < 2]
        if len(alone):
            named = ", ".join(class_name(self.source, int(label)) for label in alone[:_MOST_NAMED])
            side = "training" if self.training else "validation"
            raise DataError(
                f"{len(alone)} of {len(self._members.classes)} classes have one sample on the side of {side}, "
                "which has no positive",
                received=f"classes {named}{' ...' if len(alone) > _MOST_NAMED else ''}",
                fix="add samples, leave these classes out, or hold out whole classes: split {by: group, column: class}",
            )
