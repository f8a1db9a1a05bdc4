"""A map-style `torch.utils.data.Dataset`, or the `DataLoader` over one, as a sequence with all that the others keep.

Its samples are numbered, so their order comes from (seed, epoch) alone, any worker may make any batch, and torch's
random numbers are seeded for each batch, as NumPy's are. torch is never imported here: who has such a data set has.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from seqtrain.randomness import Order, epoch_order
from seqtrain.sequences.base import BatchSequence
from seqtrain.sequences.keras_style import standardized
from seqtrain.sequences.per_epoch import PerEpoch

_USUAL_SAMPLERS = ("RandomSampler", "SequentialSampler")
log = logging.getLogger("seqtrain")


class TorchSequence(BatchSequence):
    """Batches of a data set's samples, in an order of (seed, epoch) where it trains.

    Args:
        dataset: With `__len__` and `__getitem__`, which returns a sample: `(x, y)`, `(x,)`, a dict or an array.
        collate: Makes a batch of a list of samples; None stacks their arrays.
        batch_size: Samples in a batch; the last may be smaller.
        seed: The seed of the order and of the random numbers.
        training: Whether to shuffle.
    """

    class_names: tuple[str, ...] | None

    def __init__(
        self, dataset: Any, collate: Callable[[list[Any]], Any] | None, batch_size: int, seed: int, training: bool
    ) -> None:
        self.dataset = dataset
        self.seed = seed
        self.training = training
        self.class_names = None
        self._collate = collate or _stacked
        self._batch_size = batch_size
        self._orders: PerEpoch[Order] = PerEpoch()

    @property
    def owner(self) -> Any:
        """The user's data set."""
        return self.dataset

    def __len__(self) -> int:
        return math.ceil(len(self.dataset) / self._batch_size)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """Batch `position` of an epoch."""
        start = position * self._batch_size
        places = slice(start, min(start + self._batch_size, len(self.dataset)))
        samples = self._order(epoch)[places] if self.training else np.arange(places.start, places.stop)
        batch = self._collate([self.dataset[int(sample)] for sample in samples])
        # torch's own collate function makes lists of tuples.
        return standardized(batch, f"batch {position} of {type(self.dataset).__name__}:", lists_are="inputs")

    def _order(self, epoch: int) -> Order:
        return self._orders.get(epoch, lambda each: epoch_order(self.seed, each, len(self.dataset)))


def torch_sequence(built: Any, batch_size: int, seed: int, training: bool) -> TorchSequence | None:
    """The sequence of a map-style data set, or of a `DataLoader` over one; None for anything else.

    Args:
        built: What a component returned.
        batch_size: The batch size of the config, which is used in place of the `DataLoader`'s.
        seed: The seed of the run.
        training: Whether the batches are for training.
    """
    if is_of_torch(built, "DataLoader") and not is_of_torch(built.dataset, "IterableDataset"):
        own = [
            *([f"batch_size={built.batch_size}"] if built.batch_size not in (None, batch_size) else []),
            *(["drop_last=True"] if built.drop_last else []),
            *([f"the {type(built.sampler).__name__}"] if type(built.sampler).__name__ not in _USUAL_SAMPLERS else []),
        ]
        if own and training:
            log.warning("the DataLoader is read by its data set alone: %s does not count", ", ".join(own))
        return TorchSequence(built.dataset, built.collate_fn, batch_size, seed, training)
    if is_of_torch(built, "Dataset") and not is_of_torch(built, "IterableDataset"):
        return TorchSequence(built, None, batch_size, seed, training)
    return None


def is_of_torch(built: Any, name: str) -> bool:
    """Whether an object is of one of torch's classes."""
    return any(each.__name__ == name and each.__module__.startswith("torch.utils.data") for each in type(built).__mro__)


def _stacked(samples: list[Any]) -> Any:
    """The batch of samples that are alike: dicts, tuples, or arrays, tensors and numbers."""
    first = samples[0]
    if isinstance(first, dict):
        return {key: _stacked([sample[key] for sample in samples]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(_stacked(list(parts)) for parts in zip(*samples, strict=True))
    return np.stack([np.asarray(sample) for sample in samples])
