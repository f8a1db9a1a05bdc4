"""Batches that come one after another: of a generator function, a `tf.data.Dataset` or a torch `DataLoader`.

Nothing can be asked for by its number, so one thread reads them in order, and a run that is resumed reads again what it
had read. Each epoch starts from the beginning, and a generator is made anew; but if the config gives the steps of an
epoch, the next epoch of training continues where the last one ended, as in Keras. What is in a batch, and whether an
epoch has each sample once, is up to what gives them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from seqtrain.errors import DataError, WorkerError
from seqtrain.global_random import seeded_globals
from seqtrain.randomness import batch_seed
from seqtrain.sequences.base import BatchSequence
from seqtrain.sequences.keras_style import standardized
from seqtrain.sequences.list_form import ListForms
from seqtrain.sequences.torch_dataset import is_of_torch

_END = object()
log = logging.getLogger("seqtrain")


class IterableSequence(BatchSequence):
    """Batches that come one after another.

    Args:
        name: The name of the component, for messages.
        built: What gives the batches of the first epoch: an iterator, or an object that `iter` makes one of.
        build: Makes it anew; called for each further epoch if it is an iterator, which can be read only once.
        seed: The seed of the run.
        training: Whether the batches are for training.
        steps: Batches in an epoch; None for all.
        expected: The number of all batches, if `built` does not say it.

    Raises:
        DataError: when it has no batches.
    """

    owner_name: str
    class_names: tuple[str, ...] | None
    changes_between_epochs = True
    in_order = True

    def __init__(
        self,
        name: str,
        built: Any,
        build: Callable[[], Any],
        seed: int,
        training: bool,
        steps: int | None,
        expected: int,
    ) -> None:
        self.owner_name = name
        self.seed = seed
        self.training = training
        self._build = build
        self._lists = ListForms(name, logs=training)
        self._iterable = built
        self.class_names = None
        self._was_read = False
        self._iterator: Iterator[Any] | None = None
        self._next = 0  # the number of the batch that is read next, in the epoch or, if it continues, in the run
        self._starts_anew = steps is None or not training
        known = _cardinality(self._iterable)
        self.has_end = steps is None
        self._length = steps or (expected if known is None else known)
        if self._length == 0:
            raise DataError(f"{name} has no batches")
        if training:
            log.info(
                "%s gives its batches in its own order, read by one thread: whether each sample comes once in an "
                "epoch, and whether a resumed run gets the same batches, is up to it",
                name,
            )

    def __len__(self) -> int:
        return self._length

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of the current epoch; those before it are read first, if they were not.

        Raises:
            DataError: when the epoch ends before.
        """
        if epoch != self.epoch:
            raise WorkerError(f"batch {position} of epoch {epoch} was asked for in epoch {self.epoch}")
        number = position if self._starts_anew else epoch * self._length + position
        if self._iterator is None or number < self._next:
            self._begin()
            self._next = 0
        while self._next < number:
            past, index = (epoch, self._next) if self._starts_anew else divmod(self._next, self._length)
            with seeded_globals(batch_seed(self.seed, self.training, past if self.training else 0, index)):
                self._read()
        batch = self._read()
        return standardized(batch, f"batch {position} of {self.owner_name}:", self._lists.form(batch))

    def on_epoch_end(self) -> None:
        """Moves to the next epoch."""
        super().on_epoch_end()
        if self._starts_anew:
            self._iterator = None

    def _begin(self) -> None:
        if self._was_read and iter(self._iterable) is self._iterable:
            self._iterable = self._build()
        iterable = self._iterable
        self._iterator = iterable.as_numpy_iterator() if hasattr(iterable, "as_numpy_iterator") else iter(iterable)
        self._was_read = True

    def _read(self) -> Any:
        assert self._iterator is not None
        batch = next(self._iterator, _END)
        if batch is _END and self._next and not self._starts_anew:
            self._begin()
            batch = next(self._iterator, _END)
        if batch is _END:
            key = "fit.steps_per_epoch" if self.training else "fit.validation_steps"
            raise DataError(
                f"{self.owner_name} ended after {self._next} batches of epoch {self.epoch}",
                expected=f"{self._length}, as many as the samples need" if self.has_end else str(self._length),
                fix=f"let it go on, or set {key}: {self._next}",
            )
        self._next += 1
        return batch


def gives_batches_in_order(built: Any) -> bool:
    """Whether a component returned something that can only be iterated."""
    return hasattr(built, "__iter__") and (not hasattr(built, "__getitem__") or is_of_torch(built, "IterableDataset"))


def _cardinality(iterable: Any) -> int | None:
    """The number of batches, where it is known."""
    if hasattr(iterable, "cardinality"):  # of a `tf.data.Dataset`: negative if unknown or without end
        count = int(iterable.cardinality())
        return count if count >= 0 else None
    try:
        return len(iterable)
    except TypeError:
        return None
