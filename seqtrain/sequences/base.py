"""How samples become batches: the base of the project's own Sequences.

A `SampleSequence` is a `keras.utils.Sequence` in form (`len(seq)` batches, `seq[i]`, `on_epoch_end()`) without being
one, so that worker processes need not import Keras. It is pure: batch `i` of an epoch depends on (seed, epoch, i)
alone, and `batch(epoch, i)` says so in its arguments; `seq[i]` is that batch in the sequence's current epoch.

Batches are made by writing samples straight into their rows of an aligned buffer, so a loader may split one batch
among several workers: `allocate`, `write` for any part of the rows, `finish`.

`BatchSequence` is what the loader and all who look at batches know of a sequence, with a default for each capability
that not every sequence has; `KerasStyleSequence` derives from it too.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np

from seqtrain.errors import DataError
from seqtrain.randomness import Order, blocked_order, epoch_order, sample_generator
from seqtrain.sequences.fitted import require_same
from seqtrain.sequences.per_epoch import PerEpoch
from seqtrain.signature import argument_group
from seqtrain.sources.base import Source, default
from seqtrain.structure import Indices, map_structure
from seqtrain.types import DataFormat

S = TypeVar("S", bound=Source)


class BatchSequence:
    """Batches by epoch and position. A subclass gives `__len__` and `batch`, and overrides what else it knows."""

    epoch: int = 0
    seed: int = 0
    """Of the random numbers."""
    training: bool = False
    """Whether it makes batches to train on; the others are made with other random numbers."""
    spec: tuple[Any, ...] | None = None
    """What a batch holds: `(x, y)` or `(x, y, sample_weight)` of `FieldSpec`, nested as the batch is; None: unknown."""
    data_format: DataFormat = "channels_last"
    indices: Indices | None = None
    """The samples, numbered as `source_indices` and `describe` know them; None where only batches are known."""
    changes_between_epochs: bool = False
    """Whether only `on_epoch_end` leads to the next epoch; if not, batches of any epoch can be made at any time."""
    skips_bad_samples: bool = False
    """Whether the loader replaces samples that cannot be read by others."""
    augments: bool = False
    """Whether training samples may be changed at random; `without_augmentation` then shows them unchanged."""
    min_part_rows: int = 1
    """The fewest rows of a batch that are worth a worker of their own."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        return self.batch(self.epoch, position)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch."""
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Move to the next epoch, which has another order and other augmentation."""
        self.epoch += 1

    @default
    def num_classes(self) -> int | None:
        """How many classes the targets have, or None for other targets."""
        return None if self.class_names is None else len(self.class_names)

    @default
    def class_names(self) -> tuple[str, ...] | None:
        """The classes' names by class index, or None for other targets."""
        return None

    @default
    def splits_rows(self) -> bool:
        """Whether the rows of a batch can be written apart, by `allocate`, `write` and `finish`."""
        return False

    @default
    def row_spec(self) -> tuple[Any, ...] | None:
        """What `write` fills: `spec`, without what `finish` adds."""
        return self.spec

    @default
    def owner(self) -> Any:
        """The object that messages name by its class: this sequence, or the user's object that it wraps."""
        return self

    def sample_indices(self, epoch: int, position: int) -> Indices | None:
        """The samples of a batch, numbered as `indices`, in the order of its rows; None where that is not known."""
        return None

    def source_indices(self, items: Indices) -> Indices:
        """The source's samples that items of `indices` are made of."""
        return items

    def describe(self, index: int) -> str:
        """The file or row of one sample, for messages."""
        return f"sample {index}"

    def without_augmentation(self) -> Self:
        """A copy whose batches hold the same samples without augmentation.

        What is chosen at random, such as the partner of a pair or the place of a patch, is chosen as with augmentation.
        So a subclass must draw that before it draws the augmentation, or draw the augmentation too.
        """
        plain = copy.copy(self)
        plain.augments = False
        return plain

    def fitted(self) -> dict[str, Any]:
        """What was fitted on the training samples, such as scales and vocabularies, as plain values for a JSON file."""
        return {}

    def reading_from(self, source: Source, indices: Indices) -> Self:
        """The same over samples of another source, with what was fitted on the training part of its own.

        Args:
            source: Of the same kind as its own.
            indices: Of that source.
        """
        other = copy.copy(self)
        other.source, other.indices = source, indices  # type: ignore[attr-defined]
        return other

    def take_fitted(self, fitted: Mapping[str, Any]) -> None:
        """Use what the sequence of a trained run has fitted, in place of what this one fitted itself.

        Args:
            fitted: See `fitted`.

        Raises:
            CheckpointError: when it does not fit the source's columns or classes.
        """
        require_same("what was fitted on the training samples", dict(fitted), json.loads(json.dumps(self.fitted())))


@argument_group
class Samples(NamedTuple, Generic[S]):
    """What the run supplies to a sequence, as one argument: `super().__init__(*samples)`.

    Args:
        source: Where the samples come from.
        indices: The samples of this side of the split, as indices of the source.
        batch_size: Samples in a batch; the last may be smaller.
        seed: Of the order and of the augmentation.
        training: Whether to shuffle and augment.
    """

    source: S
    indices: Indices
    batch_size: int
    seed: int
    training: bool


class SampleSequence(BatchSequence):
    """Batches of samples, each a pure function of (seed, epoch, position).

    A subclass gives:

    - `spec`;
    - `write_sample(index, generator, rows)`, which writes one sample into its rows; or, where many samples are read in
      one go, `write(indices, epoch, rows)`;
    - where the model should be told more: `num_classes`, `data_format`, `class_names`;
    - where something is fitted on the training part: `fitted()`, which a run writes into its folder, and `take_fitted`,
      which sees new samples by it;
    - where training samples are changed at random: only if `augmenting`;
    - where one sample of the source gives several (patches of a volume): `indices` of its own numbers, and with them
      `source_indices(items)` and `describe(item)`.

    Args:
        source: See `Samples`, as for the next four.
        indices: Validation batches come in their order, the same in every epoch.
        batch_size: The last batch may be smaller.
        seed: Of the order and of the augmentation.
        training: Whether to shuffle and augment.
        drop_remainder: Leave out the last batch where it would be smaller.

    Raises:
        DataError: when no batch is left.
    """

    spec: tuple[Any, ...]
    indices: Indices
    augments = True

    def __init__(
        self,
        source: Source,
        indices: Indices,
        batch_size: int,
        seed: int,
        training: bool,
        drop_remainder: bool = False,
    ) -> None:
        self.source = source
        self.indices = indices
        self.batch_size = batch_size
        self.seed = seed
        self.training = training
        self.drop_remainder = drop_remainder
        self._orders: PerEpoch[Order] = PerEpoch()
        if len(self) == 0:
            raise DataError(
                f"{'training' if training else 'validation'} has {len(indices)} samples, "
                f"fewer than one batch of {batch_size}",
                fix="lower batch_size, or leave drop_remainder out",
            )

    def __len__(self) -> int:
        if self.drop_remainder:
            return len(self.indices) // self.batch_size
        return math.ceil(len(self.indices) / self.batch_size)

    @default
    def class_names(self) -> tuple[str, ...] | None:
        """The classes' names by class index, or None for other targets."""
        return self.source.classes

    @default
    def splits_rows(self) -> bool:
        """Whether a loader may write the rows of a batch apart; not where a subclass makes batches its own way."""
        return type(self).batch is SampleSequence.batch

    @property
    def augmenting(self) -> bool:
        """Whether samples are to be changed at random."""
        return self.training and self.augments

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch.

        Raises:
            IndexError: when there is no such batch.
            DataError: when a sample cannot be read.
        """
        indices = self.sample_indices(epoch, position)
        rows = self.allocate(len(indices))
        self.write(indices, epoch, rows)
        return self.finish(rows)

    def allocate(self, num_rows: int) -> tuple[Any, ...]:
        """An uninitialised batch of so many rows."""
        batch: tuple[Any, ...] = map_structure(lambda field: field.empty(num_rows), self.spec)
        return batch

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Write samples into rows, one row for each index. Several threads may write different rows at once."""
        drawn_in = self.draw_epoch(epoch)
        for row, index in enumerate(indices.tolist()):
            generator = sample_generator(self.seed, drawn_in, index)
            self.write_sample(index, generator, map_structure(lambda array, row=row: array[row : row + 1], rows))

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample.

        Args:
            index: Of the sample in the source.
            generator: For this sample in this epoch; the only randomness allowed.
            rows: As the batch, each array with one row.
        """
        raise NotImplementedError

    def finish(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """Complete a batch once all its rows are written."""
        return rows

    def sample_indices(self, epoch: int, position: int) -> Indices:
        """The samples of a batch, as indices of the source, in the order of its rows."""
        if not 0 <= position < len(self):
            raise IndexError(f"batch {position} of {len(self)}")
        part = slice(position * self.batch_size, (position + 1) * self.batch_size)
        return self.indices[self.epoch_order(epoch)[part]] if self.training else self.indices[part]

    def epoch_order(self, epoch: int) -> Order:
        """The order of the training samples in an epoch, as places in `indices`."""
        return self._orders.get(epoch, self._new_order)

    def draw_epoch(self, epoch: int) -> int:
        """The epoch that seeds random numbers; always 0 in validation, so that every validation sees the same."""
        return epoch if self.training else 0

    def describe(self, index: int) -> str:
        """The file or row of one sample, for messages."""
        return self.source.describe(index)

    def _new_order(self, epoch: int) -> Order:
        block_size = self.source.block_size
        if block_size == 1:
            return epoch_order(self.seed, epoch, len(self.indices))
        blocks = self.source_indices(self.indices) // block_size
        return blocked_order(self.seed, epoch, blocks, self.source.num_blocks_together)
