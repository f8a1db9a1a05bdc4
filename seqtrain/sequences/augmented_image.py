"""The sequence `augmented_image`: the sequence `image`, whose training images differ in each epoch.

Validation images are those of `image`, to the last bit.
"""

from __future__ import annotations

from typing import Literal

from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, Augmentation
from seqtrain.sequences.base import Samples
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sources.base import Source


@sequences.register("augmented_image")
class AugmentedImageSequence(ImageSequence):
    """Images that are flipped, turned, moved, scaled, cropped and re-lit at random, for training only.

    What happens to a sample depends on (seed, epoch, sample) alone. Beyond its edges a picture goes on as the nearest
    pixel of the edge.

    Args:
        samples: See `ImageSequence`.
        image_format: See `ImageFormat`.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch where it would be smaller.
        augmentation: See `Augmentation`.
        random_crop: Cut out a window with this fraction of the picture's height and width at a random place. The
            picture is read larger by as much, so that the window is as sharp as the whole would be.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32, for sparse labels; (batch, classes), float32, for one-hot labels; (batch,), float32, for
            numbers to predict

    Raises:
        ConfigError: when the source has no labelled pictures, labels are to be one-hot and there are no classes, or
            pictures that are no files are to be cached.
        DataError: when an image cannot be read.

    Example:
        sequence: {name: augmented_image, image_size: [64, 64], color: gray, rotation: 15, horizontal_flip: 0.5}
    """

    def __init__(
        self,
        samples: Samples[Source],
        image_format: ImageFormat,
        labels: Literal["sparse", "one_hot"] = "sparse",
        drop_remainder: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        super().__init__(samples, image_format, labels, drop_remainder)
        self.augmentation = augmentation
