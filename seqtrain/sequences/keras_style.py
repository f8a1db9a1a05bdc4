"""Adapts a class written for Keras: `__len__`, `__getitem__`, perhaps `on_epoch_end`.

Such a class knows neither epochs nor samples, so less is guaranteed than for a `SampleSequence`: each batch comes once
an epoch, in an order that depends on (seed, epoch), but the class alone decides what is in a batch. It may
return lists, tuples, dicts or arrays, and need not have called its base's constructor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqtrain.errors import DataError, WorkerError
from seqtrain.global_random import seeded_globals
from seqtrain.randomness import Order, epoch_end_seed, epoch_order
from seqtrain.sequences.base import BatchSequence
from seqtrain.structure import named_leaves


class KerasStyleSequence(BatchSequence):
    """A class written for Keras, in the form that the loader takes.

    Args:
        wrapped: The user's object; what it knows of its classes counts, as `num_classes` and `class_names`.
        seed: Of the order of the batches.
        training: Whether to shuffle the order of the batches.
        classes: The names of the source's classes.

    Raises:
        DataError: when it has no batches.
    """

    num_classes: int | None
    class_names: tuple[str, ...] | None
    changes_between_epochs = True

    def __init__(self, wrapped: Any, seed: int, training: bool, classes: tuple[str, ...] | None = None) -> None:
        self.wrapped = wrapped
        self.seed = seed
        self.training = training
        self.num_classes = getattr(wrapped, "num_classes", None)
        self.class_names = getattr(wrapped, "class_names", None)
        if self.class_names is None and classes is not None:
            self.class_names = classes
            self.num_classes = self.num_classes or len(classes)
        if len(self) == 0:
            raise DataError(
                f"{type(wrapped).__name__} has no batches", expected="__len__ to return 1 or more", received="0"
            )
        self._order = self._shuffled()

    @property
    def owner(self) -> Any:
        """The user's object."""
        return self.wrapped

    def __len__(self) -> int:
        return len(self.wrapped)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch, which must be the wrapped object's current one."""
        if epoch != self.epoch:
            raise WorkerError(f"batch {position} of epoch {epoch} was asked for in epoch {self.epoch}")
        if self._order is not None:
            position = int(self._order[position : position + 1][0])
        try:
            return standardized(self.wrapped[position], self.wrapped)
        except Exception as error:
            error.add_note(f"in {type(self.wrapped).__name__}.__getitem__({position})")
            raise

    def on_epoch_end(self) -> None:
        """Move to the next epoch; calls `on_epoch_end` of the wrapped object."""
        if hasattr(self.wrapped, "on_epoch_end"):
            with seeded_globals(epoch_end_seed(self.seed, self.training, self.epoch)):
                self.wrapped.on_epoch_end()
        super().on_epoch_end()
        self._order = self._shuffled()

    def _shuffled(self) -> Order | None:
        return epoch_order(self.seed, self.epoch, len(self)) if self.training else None


def standardized(batch: Any, owner: object) -> tuple[Any, ...]:
    """A batch as a tuple `(x,)`, `(x, y)` or `(x, y, sample_weight)` of NumPy arrays, nested as it came.

    Raises:
        WorkerError: when it is None or has another form, or its arrays have different lengths.
    """
    name = f"{type(owner).__name__}.__getitem__"
    if isinstance(batch, (np.ndarray, dict)):
        batch = (batch,)
    if not isinstance(batch, (tuple, list)) or not 1 <= len(batch) <= 3:
        raise WorkerError(
            f"{name} returned no batch",
            expected="(x, y), (x, y, sample_weight) or (x,)",
            received=f"{type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, (tuple, list)) else ""),
        )
    if len(batch) == 3 and batch[2] is None:  # Keras takes it for no weights
        batch = batch[:2]
    parts = tuple(map(_arrays_at_leaves, batch))
    leaves = list(named_leaves(parts))
    held = [leaf for leaf, array in leaves if array.dtype.hasobject]
    if held:
        raise WorkerError(
            f"{name} returned Python objects in {', '.join(held)}",
            expected="arrays of numbers",
            fix="give its rows one shape (pad them) and one type",
        )
    lengths = {leaf: array.shape[0] if array.ndim else None for leaf, array in leaves}
    if len(set(lengths.values())) > 1 or None in lengths.values():
        raise WorkerError(f"{name} returned arrays of different lengths", received=str(lengths))
    return parts


def _arrays_at_leaves(part: Any) -> Any:
    """Lists of numbers or of arrays are one array; lists of batches of different kinds are several inputs."""
    if isinstance(part, np.ndarray):
        return np.asarray(part)  # a subclass, such as a memory map, becomes a plain array
    if isinstance(part, dict):
        return {key: _arrays_at_leaves(value) for key, value in part.items()}
    if isinstance(part, tuple):
        return tuple(_arrays_at_leaves(value) for value in part)
    if isinstance(part, list) and part and all(isinstance(item, np.ndarray) and item.ndim > 0 for item in part):
        same = len({(item.shape, item.dtype) for item in part}) == 1
        return np.stack(part) if same else tuple(part)
    return np.asarray(part)


def as_sequence(built: Any, seed: int, training: bool, classes: tuple[str, ...] | None = None) -> BatchSequence:
    """A sequence as the loader takes it, whatever the user's component returned.

    Args:
        built: What it returned.
        seed: Of the run.
        training: Which side this is.
        classes: The names of the source's classes, for a class written for Keras that does not know them.

    Raises:
        DataError: when it is no sequence at all.
    """
    if isinstance(built, BatchSequence):
        return built
    if not (hasattr(built, "__len__") and hasattr(built, "__getitem__")):
        raise DataError(f"{type(built).__name__} is not a sequence", expected="a class with __len__ and __getitem__")
    return KerasStyleSequence(built, seed, training, classes)
