"""The base classes of sequences, which make batches from samples.

A `SampleSequence` has the interface of `keras.utils.Sequence` (`len(seq)` batches, `seq[i]`, `on_epoch_end()`) without
inheriting from it, so that worker processes need not import Keras. Batch `i` of an epoch depends on (seed, epoch, i)
alone: `batch(epoch, i)` returns it, and `seq[i]` returns batch `i` of the current epoch.

Samples are written straight into the rows of a buffer, so that several workers can write one batch: `allocate` it,
`write` any part of the rows, and `finish` it.

`BatchSequence` is the interface that the loader and the reports use, with a default for each optional capability;
`KerasStyleSequence` derives from it too.
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
    """Batches by epoch and position. A subclass defines `__len__` and `batch`, and overrides defaults as needed."""

    epoch: int = 0
    seed: int = 0
    """The seed of the order and of the augmentation."""
    training: bool = False
    """Whether the batches are for training; otherwise they are for validation."""
    spec: tuple[Any, ...] | None = None
    """The `FieldSpec` of each array, nested like a batch: `(x, y)` or `(x, y, sample_weight)`; None if unknown."""
    data_format: DataFormat = "channels_last"
    indices: Indices | None = None
    """The samples, as numbers that `source_indices` and `describe` take; None if only batches are known."""
    has_end: bool = True
    """Whether its length is that of an epoch; otherwise it makes as many batches as are asked for."""
    in_order: bool = False
    """Whether only one thread can make the batches, one after another."""
    changes_between_epochs: bool = False
    """Whether `on_epoch_end` must be called to get the next epoch; otherwise any epoch's batches can be made."""
    shuffles_when_built: bool = False
    """Whether a user's class has drawn random numbers in its constructor, so that its order of samples is unknown."""
    skips_bad_samples: bool = False
    """Whether the loader replaces samples that cannot be read with others."""
    augments: bool = False
    """Whether training samples are augmented; see `without_augmentation`."""
    min_part_rows: int = 1
    """A batch is split among workers only into parts of at least this many rows."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        return self.batch(self.epoch, position)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch."""
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch."""

    def on_epoch_end(self) -> None:
        """Moves to the next epoch, which has another order and other augmentation."""
        self.epoch += 1

    @default
    def num_classes(self) -> int | None:
        """The number of classes of the targets; None for other targets."""
        return None if self.class_names is None else len(self.class_names)

    @default
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, by class index; None for other targets."""
        return None

    @default
    def splits_rows(self) -> bool:
        """Whether parts of a batch can be written separately, with `allocate`, `write` and `finish`."""
        return False

    @default
    def row_spec(self) -> tuple[Any, ...] | None:
        """The spec of the arrays that `write` fills: `spec` without what `finish` adds."""
        return self.spec

    @default
    def owner(self) -> Any:
        """The object whose class messages name: this sequence, or the user's object that it wraps."""
        return self

    @default
    def owner_name(self) -> str:
        """The name of the sequence in messages."""
        return type(self.owner).__name__

    def sample_indices(self, epoch: int, position: int) -> Indices | None:
        """The samples of a batch, as numbers of `indices`, in the order of its rows; None if that is not known."""
        return None

    def source_indices(self, items: Indices) -> Indices:
        """The source's samples that items of `indices` are made from."""
        return items

    def describe(self, index: int) -> str:
        """The file or row of one sample, for messages."""
        return f"sample {index}"

    def without_augmentation(self) -> Self:
        """A copy whose batches hold the same samples without augmentation.

        Other random choices, such as the partner of a pair or the position of a patch, are the same as with
        augmentation. So a subclass must draw these first, or draw the augmentation's random numbers too.
        """
        plain = copy.copy(self)
        plain.augments = False
        return plain

    def fitted(self) -> dict[str, Any]:
        """What was fitted on the training samples, such as scales and vocabularies, as values for a JSON file."""
        return {}

    def reading_from(self, source: Source, indices: Indices) -> Self:
        """A copy that reads samples of another source, and keeps what was fitted on the training samples of its own.

        Args:
            source: A source of the same kind.
            indices: The samples of that source.
        """
        other = copy.copy(self)
        other.source, other.indices = source, indices  # type: ignore[attr-defined]
        return other

    def take_fitted(self, fitted: Mapping[str, Any]) -> None:
        """Replaces what this sequence has fitted with what the sequence of a trained run had fitted.

        Args:
            fitted: See `fitted`.

        Raises:
            CheckpointError: when it does not match the source's columns or classes.
        """
        require_same("what was fitted on the training samples", dict(fitted), json.loads(json.dumps(self.fitted())))


@argument_group
class Samples(NamedTuple, Generic[S]):
    """The arguments that the run supplies to a sequence, as one value: `super().__init__(*samples)`.

    Args:
        source: Where the samples come from.
        indices: The samples of this side of the split, as indices of the source.
        batch_size: The number of samples in a batch; the last batch may be smaller.
        seed: The seed of the order and of the augmentation.
        training: Whether to shuffle and augment.
    """

    source: S
    indices: Indices
    batch_size: int
    seed: int
    training: bool


class SampleSequence(BatchSequence):
    """Batches of samples, each a pure function of (seed, epoch, position).

    A subclass defines:

    - `spec`;
    - `write_sample(index, generator, rows)`, which writes one sample into its rows; or `write(indices, epoch, rows)`,
      which reads many samples at once;
    - `num_classes`, `data_format` and `class_names`, if the defaults do not hold;
    - `fitted()` and `take_fitted(fitted)`, if something is fitted on the training samples: a run saves what the first
      returns, and restores it with the second;
    - `indices` with numbers of its own, `source_indices(items)` and `describe(item)`, if it makes several samples from
      one sample of the source, such as patches of a volume.

    It augments samples only if `augmenting`.

    Args:
        source: See `Samples`.
        indices: See `Samples`; validation batches are in this order in every epoch.
        batch_size: See `Samples`.
        seed: See `Samples`.
        training: See `Samples`.
        drop_remainder: Leave out the last batch if it is smaller.

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
        """The names of the classes, by class index; None for other targets."""
        return self.source.classes

    @default
    def splits_rows(self) -> bool:
        """Whether parts of a batch can be written separately; not if a subclass overrides `batch`."""
        return type(self).batch is SampleSequence.batch

    @property
    def augmenting(self) -> bool:
        """Whether samples are augmented."""
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
        """An uninitialised batch with this many rows."""
        batch: tuple[Any, ...] = map_structure(lambda field: field.empty(num_rows), self.spec)
        return batch

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples into rows, one row for each index. Several threads may write different rows at once."""
        seed_epoch = self.draw_epoch(epoch)
        for row, index in enumerate(indices.tolist()):
            generator = sample_generator(self.seed, seed_epoch, index)
            self.write_sample(index, generator, map_structure(lambda array, row=row: array[row : row + 1], rows))

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample.

        Args:
            index: The sample's index in the source.
            generator: The random numbers of this sample in this epoch; no others may be used.
            rows: The arrays of the batch, with one row each.
        """
        raise NotImplementedError

    def finish(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """Completes a batch after all its rows are written."""
        return rows

    def sample_indices(self, epoch: int, position: int) -> Indices:
        """The samples of a batch, as indices of the source, in the order of its rows."""
        if not 0 <= position < len(self):
            raise IndexError(f"batch {position} of {len(self)}")
        part = slice(position * self.batch_size, (position + 1) * self.batch_size)
        return self.indices[self.epoch_order(epoch)[part]] if self.training else self.indices[part]

    def epoch_order(self, epoch: int) -> Order:
        """The order of the training samples in an epoch, as positions in `indices`."""
        return self._orders.get(epoch, self._new_order)

    def draw_epoch(self, epoch: int) -> int:
        """The epoch that seeds random numbers; always 0 in validation, which is the same in every epoch."""
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
