"""The sequence `ratings`: batches for a model with two inputs, the user and the item."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sources.ratings import Ratings
from seqtrain.structure import FieldSpec, Indices


@sequences.register("ratings")
class RatingSequence(SampleSequence):
    """Users and items as inputs, ratings as targets. The spec has the numbers of users and items for the model.

    Args:
        samples: The samples of the source `ratings`.
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: {"user": (batch,), "item": (batch,)}, int32, from 0
        y: (batch,), float32

    Raises:
        ConfigError: when the source is not `ratings`.
        DataError: when another source than the run's has a user or an item that the run's source does not have.

    Example:
        sequence: {name: ratings}
    """

    source: Ratings

    def __init__(
        self,
        samples: Samples[Ratings],
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        source = samples.source
        if not source.num_users:
            raise ConfigError(
                f"the sequence 'ratings' cannot read from a {type(source).__name__}",
                fix="use it with `source: {name: ratings, ...}`",
            )
        user = FieldSpec((), "int32", vocabulary_size=source.num_users)
        item = FieldSpec((), "int32", vocabulary_size=source.num_items)
        self.spec = ({"user": user, "item": item}, FieldSpec((), "float32"))

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples into rows, many at once."""
        x, y = rows
        x["user"][...] = self.source.users[indices]
        x["item"][...] = self.source.items[indices]
        for name, found in x.items():
            if len(unknown := np.flatnonzero(found < 0)):
                raise DataError(
                    f"the model does not know the {name}, of whom it was given no rating to train on",
                    where=self.source.describe(int(indices[unknown[0]])),
                    fix="leave the row out, or train on some ratings of this one too",
                )
        y[...] = self.source.labels[indices]
