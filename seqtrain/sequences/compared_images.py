"""What sequences of several pictures a sample have in common: each picture is augmented by itself, in its own row."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.randomness import sample_generator
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.structure import FieldSpec


class ComparedImageSequence(AugmentedImageSequence):
    """Samples of several pictures, for models that compare them; see `image_pairs` and `image_triplets`."""

    @property
    def picture_spec(self) -> FieldSpec:
        """Of each of the pictures."""
        num_channels = 1 if self.color == "gray" else 3
        channels_first = self.data_format == "channels_first"
        shape = (num_channels, *self.image_size) if channels_first else (*self.image_size, num_channels)
        return FieldSpec(shape, "uint8", kind="pixels")

    def drawing(self, index: int, generator: np.random.Generator | None) -> np.random.Generator:
        """What partners are drawn with; for a sample that is shown without augmentation, as in the first epoch."""
        return sample_generator(self.seed, 0, index) if generator is None else generator

    def path_of(self, index: int) -> Any:
        """The image file of a sample."""
        return self.source[index]["path"]
