"""What sequences of several pictures a sample have in common: each picture is augmented by itself, in its own row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.image import ImageSequence
from seqtrain.structure import Indices

_MOST_DRAWS = 8  # of partners, where some cannot be read


class ComparedImageSequence(ImageSequence):
    """Samples of several pictures, for models that compare them; see `image_pairs` and `image_triplets`."""

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples one by one: a cache that reads many in one go cannot know the partners."""
        SampleSequence.write(self, indices, epoch, rows)

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
