"""What sequences of several pictures a sample have in common: each picture is augmented by itself, in its own row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.sequences.augmented_image import AugmentedImageSequence
from seqtrain.structure import FieldSpec

_MOST_DRAWS = 8  # of partners, where some cannot be read


class ComparedImageSequence(AugmentedImageSequence):
    """Samples of several pictures, for models that compare them; see `image_pairs` and `image_triplets`."""

    @property
    def picture_spec(self) -> FieldSpec:
        """Of each of the pictures."""
        num_channels = 1 if self.color == "gray" else 3
        channels_first = self.data_format == "channels_first"
        shape = (num_channels, *self.image_size) if channels_first else (*self.image_size, num_channels)
        return FieldSpec(shape, "uint8", kind="pixels")

    def write_partner(self, partner: int, draw: Callable[[], int], generator: np.random.Generator, row: Any) -> None:
        """Writes the picture of a partner; where the run skips bad samples and this is one, that of another.

        So a bad image costs its own sample alone, and not each of those that it is drawn for in one epoch or another.
        """
        for draws_left in reversed(range(_MOST_DRAWS)):
            try:
                return self.write_picture(self.key_of(partner), generator, row)
            except DataError:
                if not (self.skips_bad_samples and draws_left):
                    raise
            partner = draw()
