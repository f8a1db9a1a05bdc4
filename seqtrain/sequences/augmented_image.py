"""The sequence `augmented_image`: the sequence `image` with random augmentation of the training images.

Validation images are exactly those of `image`.
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
    """Images that are randomly flipped, rotated, shifted, zoomed, cropped and changed in brightness, in training only.

    The augmentation of a sample depends on (seed, epoch, sample) alone. Pixels outside the image repeat its nearest
    edge pixel.

    Args:
        samples: See `ImageSequence`.
        image_format: See `ImageFormat`.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch if it is smaller.
        augmentation: See `Augmentation`.
        random_crop: Crop to this fraction of the image's height and width, at a random position. The image is read
            larger accordingly, so that the crop has the resolution of an uncropped image.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32, for sparse labels; (batch, classes), float32, for one-hot labels; (batch,), float32, for
            numbers to predict

    Raises:
        ConfigError: when the source has no labelled images, labels are one-hot and there are no classes, or images
            that are not files are to be cached.
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
