"""The base of sequences whose samples consist of several images, each augmented independently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.image import ImageSequence
from seqtrain.structure import Indices

_MOST_DRAWS = 8  # of partners, if some cannot be read


class ComparedImageSequence(ImageSequence):
    """Samples of several images, for models that compare them; see `image_pairs` and `image_triplets`."""

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples one by one: the cache cannot read them all at once, because partners are drawn one by one."""
        SampleSequence.write(self, indices, epoch, rows)

    def write_partner(self, partner: int, draw: Callable[[], int], generator: np.random.Generator, row: Any) -> None:
        """Writes the image of a partner; if it cannot be read and the run skips bad samples, draws another partner.

        So a bad image affects its own sample only, and not all samples that draw it as a partner.
        """
        for draws_left in reversed(range(_MOST_DRAWS)):
            try:
                return self.write_image(self.key_of(partner), generator, row)
            except DataError:
                if not (self.skips_bad_samples and draws_left):
                    raise
            partner = draw()
