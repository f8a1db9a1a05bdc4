"""Predicts the batches of a sequence with a model, through the run's loader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.loading.bad_samples import replaced
from seqtrain.loading.order import validation_schedule
from seqtrain.loading.pipeline import Data
from seqtrain.loading.stream import BatchStream
from seqtrain.reports.output_spec import outputs_of
from seqtrain.structure import map_structure


@dataclass(frozen=True)
class PredictedBatch:
    """The predictions for one batch.

    Args:
        items: The sequence's index of each row; empty for a class written for Keras, which has none.
        outputs: The outputs by name, with a row for each sample.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`; empty if it could not be made as a whole.
        names: The file or row of each sample, if names were requested.
        errors: The error of each failed row; the outputs of such a row are meaningless.
    """

    items: npt.NDArray[np.integer]
    outputs: Mapping[str, npt.NDArray[Any]]
    batch: tuple[Any, ...] = ()
    names: Sequence[str] = ()
    errors: Mapping[int, str] = field(default_factory=dict)


def predict_on_batch(model: Any, x: Any) -> dict[str, npt.NDArray[Any]]:
    """The outputs of any Keras model by their names; see `outputs_of`."""
    import keras

    return outputs_of(map_structure(keras.ops.convert_to_numpy, model.predict_on_batch(x)))


def predicted_batches(model: Any, sequence: Any, data: Data, epoch: int = 0) -> Iterator[PredictedBatch]:
    """The predictions for each batch of a sequence, in order.

    Args:
        model: Any Keras model.
        sequence: Without augmentation.
        data: The run's data, with the options of its workers.
        epoch: The epoch of the batches, for a sequence that changes between epochs.
    """
    schedule = validation_schedule(len(sequence), epoch)
    with BatchStream(sequence, schedule, data.workers, end=len(sequence)) as stream:
        for position in range(len(sequence)):
            loaded = stream.take(position)
            items = replaced(items_of(sequence, position), loaded.bad)
            yield PredictedBatch(items, predict_on_batch(model, loaded.batch[0]), loaded.batch)


def items_of(sequence: Any, position: int) -> npt.NDArray[np.integer]:
    """The sequence's indices in the batch at a position; empty for a class written for Keras, which has none."""
    items: npt.NDArray[np.integer] | None = sequence.sample_indices(0, position)
    return np.empty(0, np.int64) if items is None else items
