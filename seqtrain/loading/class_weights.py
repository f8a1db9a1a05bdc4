"""Class weights as sample weights.

The loader applies them, not `fit`, so that `inspect-batches` shows what each sample counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError, did_you_mean, one_of
from seqtrain.sources.base import Source, labels_of
from seqtrain.structure import FieldSpec

Weights = npt.NDArray[np.float32]


def class_weights(
    config: Literal["balanced"] | Mapping[str, float],
    source: Source,
    indices: npt.NDArray[np.integer],
    classes: tuple[str, ...] | None,
) -> Weights:
    """The weight of each class by class index.

    Args:
        config: A weight by class name or index, 1 where a class is left out; or "balanced".
        source: Its labels are counted.
        indices: The training samples.
        classes: The classes' names.

    Raises:
        ConfigError: when there are no classes, or a name is none of them.

    Source: for "balanced", G. King and L. Zeng, 2001, Logistic Regression in Rare Events Data: samples / (classes *
        samples of the class).
    """
    if classes is None:
        raise ConfigError("fit.class_weight needs targets that are classes", fix="remove this line")
    if isinstance(config, str):
        labels = labels_of(source)
        if labels is None or labels.ndim != 1:
            raise ConfigError("fit.class_weight: balanced needs a source with one class label per sample")
        counts = np.bincount(labels[indices].astype(np.int64), minlength=len(classes))
        present = np.count_nonzero(counts)
        return np.where(counts > 0, len(indices) / (present * np.maximum(counts, 1)), 1).astype(np.float32)
    weights: Weights = np.ones(len(classes), dtype=np.float32)
    for name, weight in config.items():
        weights[_class_index(name, classes)] = weight
    return weights


def _class_index(name: str, classes: tuple[str, ...]) -> int:
    if name in classes:
        return classes.index(name)
    if name.isdigit() and int(name) < len(classes):
        return int(name)
    raise ConfigError(f"fit.class_weight: no class '{name}'", expected=one_of(classes), fix=did_you_mean(name, classes))


class ClassWeightedSequence:
    """A sequence whose batches carry the weight of each sample's class.

    Args:
        sequence: The sequence to weight; weights that it has itself are multiplied.
        weights: By class index.
    """

    def __init__(self, sequence: Any, weights: Weights) -> None:
        self.sequence = sequence
        self.weights = weights
        self.spec = None if sequence.spec is None else (*sequence.spec[:2], FieldSpec((), "float32"))

    def __getattr__(self, name: str) -> Any:
        if name == "sequence":  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.sequence, name)

    def __len__(self) -> int:
        return len(self.sequence)

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """The sequence's batch as `(x, y, sample_weight)`."""
        return self._weighted(self.sequence.batch(epoch, position))

    def finish(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """A batch whose rows were written apart, as `(x, y, sample_weight)`."""
        return self._weighted(self.sequence.finish(rows))

    def _weighted(self, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        x, y, *own = batch
        if not isinstance(y, np.ndarray) or y.ndim > 2:
            raise ConfigError(
                "fit.class_weight needs one class for each sample",
                received=f"y of shape {y.shape}" if isinstance(y, np.ndarray) else "several outputs",
                fix="give sample weights in the sequence instead",
            )
        one_hot = y.ndim > 1 and y.shape[-1] > 1
        indices = y.argmax(axis=-1) if one_hot else y.reshape(len(y)).astype(np.int64)
        if indices.min() < 0 or indices.max() >= len(self.weights):
            raise DataError(
                f"a label is outside the {len(self.weights)} classes",
                received=f"labels {indices.min()} to {indices.max()}",
                fix="mend the labels, or name all classes",
            )
        weights = self.weights[indices]
        return x, y, weights * own[0].reshape(weights.shape) if own else weights
