"""Applies class weights as sample weights: for samples, for the pixels of masks, or for each of several outputs.

The loader applies them, not `fit`, so that `inspect-batches` shows the weight of each sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.loading.class_weights import Weights
from seqtrain.structure import FieldSpec, map_structure


class ClassWeightedSequence:
    """A sequence whose batches carry the weight of each target's class.

    Args:
        sequence: The sequence to weight; its own sample weights are multiplied with the class weights.
        weights: By class index; for several outputs a dict by name, in which missing outputs have weight 1.

    Shapes:
        sample_weight: (batch,), or as y where it is a mask; float32; by output where y is
    """

    def __init__(self, sequence: Any, weights: Weights | dict[str, Weights]) -> None:
        self.sequence = sequence
        self.weights = weights
        self.spec = None
        self._targets: Any = None
        if sequence.spec is not None:
            x, self._targets, *_ = sequence.spec
            self.spec = (x, self._targets, map_structure(_weight_spec, self._targets))

    def __getattr__(self, name: str) -> Any:
        if name == "sequence":  # not set yet while unpickling
            raise AttributeError(name)
        return getattr(self.sequence, name)

    def __len__(self) -> int:
        return len(self.sequence)

    def __getitem__(self, position: int) -> tuple[Any, ...]:
        return self.batch(self.epoch, position)

    def without_augmentation(self) -> ClassWeightedSequence:
        """See `SampleSequence`."""
        return ClassWeightedSequence(self.sequence.without_augmentation(), self.weights)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """The sequence's batch as `(x, y, sample_weight)`."""
        return self._weighted(self.sequence.batch(epoch, position))

    def finish(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """Completes a batch from its written rows, as `(x, y, sample_weight)`."""
        return self._weighted(self.sequence.finish(rows))

    def _weighted(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        x, y, *own = batch
        weights: Any
        if isinstance(self.weights, dict):
            weights = {name: _of(y[name], target, self.weights.get(name)) for name, target in self._targets.items()}
        else:
            weights = _of(y, self._targets, self.weights)
        return x, y, map_structure(_product, weights, own[0]) if own else weights


def _of(y: Any, target: Any, weights: Weights | None) -> Weights:
    """The weight of each sample, or of each pixel of a mask."""
    if weights is None:
        ones: Weights = FieldSpec((), "float32").empty(len(y))
        ones.fill(1)
        return ones
    is_mask = isinstance(target, FieldSpec) and target.kind == "mask"
    if not isinstance(y, np.ndarray) or (y.ndim > 2 and not is_mask):
        raise ConfigError(
            "fit.class_weight needs one class for each sample",
            received=f"y of shape {y.shape}" if isinstance(y, np.ndarray) else "several outputs",
            fix="give sample weights in the sequence instead",
        )
    if is_mask:
        indices = y
    else:
        one_hot = y.ndim > 1 and y.shape[-1] > 1
        indices = y.argmax(axis=-1) if one_hot else y.reshape(len(y)).astype(np.int64)
    if indices.min() < 0 or indices.max() >= len(weights):
        raise DataError(
            f"a label is outside the {len(weights)} classes",
            received=f"labels {indices.min()} to {indices.max()}",
            fix="mend the labels, or name all classes",
        )
    of_targets: Weights = FieldSpec(indices.shape[1:], "float32").empty(len(indices))
    np.take(weights, indices, out=of_targets)
    return of_targets


def _weight_spec(target: FieldSpec) -> FieldSpec:
    return FieldSpec(target.shape if target.kind == "mask" else (), "float32")


def _product(weights: Weights, own: npt.NDArray[Any]) -> Weights:
    """Class weights times the sequence's own weights; each may be per sample or per pixel."""
    own = own.reshape(weights.shape) if own.size == weights.size else own
    num_axes = max(weights.ndim, own.ndim)
    both = (array.reshape(array.shape + (1,) * (num_axes - array.ndim)) for array in (weights, own))
    first, second = np.broadcast_arrays(*both)
    product: Weights = FieldSpec(first.shape[1:], "float32").empty(len(first))
    np.multiply(first, second, out=product, casting="same_kind")
    return product
