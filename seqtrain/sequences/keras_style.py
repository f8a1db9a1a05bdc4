"""Adapts a class written for Keras: `__len__`, `__getitem__`, perhaps `on_epoch_end`.

Such a class knows neither epochs nor samples, so less is guaranteed than for a `SampleSequence`: each batch comes once
an epoch, in an order that depends on (seed, epoch), but the class alone decides what is in a batch. It may
return lists, tuples, dicts or arrays, and need not have called its base's constructor.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from seqtrain.errors import ConfigError, DataError, WorkerError
from seqtrain.global_random import seeded_globals
from seqtrain.randomness import Order, epoch_begin_seed, epoch_end_seed, epoch_order
from seqtrain.sequences.base import BatchSequence
from seqtrain.sequences.list_form import ListForm, ListForms, can_stack, is_list_of_arrays
from seqtrain.sources.base import Source
from seqtrain.structure import Indices, named_leaves


class KerasStyleSequence(BatchSequence):
    """A class written for Keras, in the form that the loader takes.

    Args:
        wrapped: The user's object; what it knows of its classes counts, as `num_classes` and `class_names`.
        seed: Of the order of the batches.
        training: Whether to shuffle the order of the batches.
        classes: The names of the source's classes.
        steps: Batches in an epoch, for an object without an end (`num_batches` is None).

    Raises:
        DataError: when it has no batches, or no length.
        ConfigError: when it has no end, and `steps` is None.
    """

    num_classes: int | None
    class_names: tuple[str, ...] | None
    changes_between_epochs = True

    def __init__(
        self,
        wrapped: Any,
        seed: int,
        training: bool,
        classes: tuple[str, ...] | None = None,
        steps: int | None = None,
    ) -> None:
        self.wrapped = wrapped
        self.seed = seed
        self.training = training
        self.num_classes = getattr(wrapped, "num_classes", None)
        self.class_names = getattr(wrapped, "class_names", None)
        if self.class_names is None and classes is not None:
            self.class_names = classes
            self.num_classes = self.num_classes or len(classes)
        length = num_batches(wrapped)
        self.has_end = length is not None
        self._length = _asked_for(wrapped, steps, training) if length is None else length
        if self._length == 0:
            raise DataError(
                f"{type(wrapped).__name__} has no batches", expected="__len__ to return 1 or more", received="0"
            )
        self._lists = ListForms(type(wrapped).__name__, logs=training)
        self._begun = -1  # the last epoch whose `on_epoch_begin` was called
        self._order = self._shuffled()

    @property
    def owner(self) -> Any:
        """The user's object."""
        return self.wrapped

    def __len__(self) -> int:
        return self._length

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch, which must be the wrapped object's current one."""
        if epoch != self.epoch:
            raise WorkerError(f"batch {position} of epoch {epoch} was asked for in epoch {self.epoch}")
        self.on_epoch_begin()
        if self._order is not None:
            position = int(self._order[position : position + 1][0])
        elif self.training and not self.has_end:
            position += epoch * self._length
        called = f"{type(self.wrapped).__name__}.__getitem__({position})"
        try:
            batch = self.wrapped[position]
            ends = (0, self._length - 1) if self.has_end else ()
            return standardized(batch, called, self._lists.form(batch, (self.wrapped[end] for end in ends)))
        except Exception as error:
            error.add_note(f"in {called}")
            raise

    def on_epoch_begin(self) -> None:
        """Calls `on_epoch_begin` of the wrapped object, once in an epoch."""
        if self._begun == self.epoch:
            return
        self._begun = self.epoch
        self._call("on_epoch_begin", epoch_begin_seed(self.seed, self.training, self.epoch))

    def on_epoch_end(self) -> None:
        """Move to the next epoch; calls `on_epoch_end` of the wrapped object."""
        self.on_epoch_begin()
        self._call("on_epoch_end", epoch_end_seed(self.seed, self.training, self.epoch))
        super().on_epoch_end()
        self._order = self._shuffled()

    def _call(self, name: str, seed: int) -> None:
        """Calls a method of the wrapped object, if it has it.

        Raises:
            DataError: when the number of batches has changed.
        """
        if not hasattr(self.wrapped, name):
            return
        with seeded_globals(seed):
            getattr(self.wrapped, name)()
        length = num_batches(self.wrapped) if self.has_end else self._length
        if length != self._length:
            raise DataError(
                f"{type(self.wrapped).__name__}.{name} has changed the number of batches, in epoch {self.epoch}",
                expected=f"{self._length}, as before",
                received=str(length),
                fix="let every epoch have as many batches; to train on a part of the data in each, draw that part anew "
                "in on_epoch_end",
            )

    def _shuffled(self) -> Order | None:
        return epoch_order(self.seed, self.epoch, len(self)) if self.training and self.has_end else None


def num_batches(wrapped: Any) -> int | None:
    """The number of batches of a class written for Keras, by `__len__` or `num_batches`; None for no end.

    Raises:
        DataError: when it has neither.
    """
    if hasattr(wrapped, "__len__"):
        return len(wrapped)
    try:
        found: int | None = wrapped.num_batches
    except (AttributeError, NotImplementedError) as error:
        raise DataError(
            f"{type(wrapped).__name__} has no length",
            expected="a method `__len__`, or a property `num_batches`, with the batches of an epoch",
        ) from error
    return found


def _asked_for(wrapped: Any, steps: int | None, training: bool) -> int:
    if steps is None:
        key = "fit.steps_per_epoch" if training else "fit.validation_steps"
        raise ConfigError(
            f"{type(wrapped).__name__} has no end (`num_batches` is None), so the batches of an epoch must be given",
            fix=f"set {key}",
        )
    return steps


def standardized(batch: Any, name: str, lists_are: ListForm = "samples") -> tuple[Any, ...]:
    """A batch as a tuple `(x,)`, `(x, y)` or `(x, y, sample_weight)` of NumPy arrays, nested as it came.

    Args:
        batch: As the class returned it.
        name: The call that returned it, for messages.
        lists_are: What its lists of arrays are.

    Raises:
        WorkerError: when it is None, empty or has another form, or its arrays have different lengths.
    """
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
    parts = tuple(
        _inputs(part) if lists_are == "inputs" and is_list_of_arrays(part) else _arrays_at_leaves(part)
        for part in batch
    )
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
    if 0 in lengths.values():
        raise WorkerError(
            f"{name} returned an empty batch",
            expected="at least one sample",
            fix="let `__len__` return the number of batches of the size that `__getitem__` makes",
        )
    return parts


def _inputs(part: list[Any]) -> Any:
    arrays = tuple(map(np.asarray, part))
    return arrays if len(arrays) > 1 else arrays[0]


def _arrays_at_leaves(part: Any) -> Any:
    """Lists of numbers or of arrays are one array; lists of arrays of different shapes are several inputs."""
    if isinstance(part, np.ndarray):
        return np.asarray(part)  # a subclass, such as a memory map, becomes a plain array
    if isinstance(part, dict):
        return {key: _arrays_at_leaves(value) for key, value in part.items()}
    if isinstance(part, tuple):
        return tuple(_arrays_at_leaves(value) for value in part)
    if is_list_of_arrays(part):
        return np.stack(part) if can_stack(part) else tuple(part)
    return np.asarray(part)


class Pairs:
    """Samples with their targets, as a class written for Keras takes a `dataset`: `dataset[i]` is `(x, y)`.

    Args:
        x: The samples.
        y: Their targets.
    """

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.x[index], self.y[index]


def samples_for(source: Source, indices: Indices, wanted: Collection[str]) -> dict[str, Any]:
    """The samples of a side in the forms that a class written for Keras takes.

    Args:
        source: Where they come from.
        indices: The samples, in order.
        wanted: What the class takes: "x_set", "y_set", "y_by_x" (a dict of the first to the second), "dataset" (see
            `Pairs`), "data" (a pandas DataFrame).

    Raises:
        DataError: when the source has no such form, or no targets.
    """
    supplied: dict[str, Any] = {}
    if "data" in wanted:
        supplied["data"] = source.as_frame(indices)
    if not {"x_set", "y_set", "y_by_x", "dataset"} & set(wanted):
        return supplied
    x, y = source.as_columns(indices)
    if y is None and set(wanted) - {"x_set", "data"}:
        raise DataError(
            f"a sequence that takes targets cannot read from a {type(source).__name__}, which has none",
            fix="use a source with labels, or let the class take the samples alone",
        )
    supplied |= {"x_set": x, "y_set": y}
    if "y_by_x" in wanted:
        supplied["y_by_x"] = _by_sample(x, y, source)
    if "dataset" in wanted:
        supplied["dataset"] = Pairs(x, y)
    return supplied


def _by_sample(x: Any, y: Any, source: Source) -> dict[Any, Any]:
    try:
        by_sample = dict(zip(x, y, strict=True))
    except TypeError as error:
        raise DataError(
            f"a {type(source).__name__} has no names for its samples, by which a dict of their targets could be read",
            fix="use a source of files or of names; or let the class take the targets in order: "
            "@sequences.register(..., y_set='PARAMETER')",
        ) from error
    if len(by_sample) != len(x):
        raise DataError(
            "a sequence that takes a dict of its samples to their targets needs samples with different names",
            received=f"{len(x)} samples with {len(by_sample)} names",
            fix="let it take the targets in order: @sequences.register(..., y_set='PARAMETER')",
        )
    return by_sample


def as_sequence(
    built: Any, seed: int, training: bool, classes: tuple[str, ...] | None = None, steps: int | None = None
) -> BatchSequence:
    """A sequence as the loader takes it, whatever the user's component returned.

    Args:
        built: What it returned.
        seed: Of the run.
        training: Which side this is.
        classes: The names of the source's classes, for a class written for Keras that does not know them.
        steps: See `KerasStyleSequence`.

    Raises:
        DataError: when it is no sequence at all.
    """
    if isinstance(built, BatchSequence):
        return built
    if not hasattr(built, "__getitem__"):
        raise DataError(f"{type(built).__name__} is not a sequence", expected="a class with __len__ and __getitem__")
    return KerasStyleSequence(built, seed, training, classes, steps)
