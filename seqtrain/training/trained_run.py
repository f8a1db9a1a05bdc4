"""A run that was trained: its config, its data, and its model with the weights of a checkpoint.

What evaluates, predicts or draws begins here. Nothing in the run folder is changed, and a run that still trains may be
looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seqtrain.config.load import LoadedConfig, load_config
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.loading.bad_samples import replaced
from seqtrain.loading.pipeline import Data, first_batch, open_data, validating_sequence
from seqtrain.loading.stream import BatchStream, validation_schedule
from seqtrain.structure import map_structure
from seqtrain.training.checkpoint_store import Stored, stored_checkpoint

Part = Literal["train", "val", "all"]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What the model makes of one batch.

    Args:
        items: The sequence's items in it, in the order of the rows; None where a class written for Keras does not tell.
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        outputs: Nested as the model's outputs are, with a batch axis.
    """

    items: np.ndarray[Any, Any] | None
    batch: tuple[Any, ...]
    outputs: Any


class TrainedRun:
    """A run folder, opened to be looked at.

    Args:
        path: The run folder.
        settings: `key=value` each, laid on its config: another source, say.
        which: The checkpoint: the best epoch's, or the last.

    Raises:
        CheckpointError: when there is no run in the folder, or no good checkpoint.
        SeqtrainError: what is wrong with the config or the data.
    """

    def __init__(self, path: Path, settings: Sequence[str] = (), which: Literal["best", "last"] = "best") -> None:
        if not (path / "config.yaml").is_file():
            raise CheckpointError("there is no run in this folder", where=path, fix="name a run folder: runs/NAME/TIME")
        self.path = path
        self.loaded: LoadedConfig = load_config(path / "config.yaml", settings)
        self.stored: Stored = stored_checkpoint(path / "checkpoints", which)
        self.data: Data = open_data(self.loaded)
        self.model = self._model()

    def sequence(self, part: Part) -> Any:
        """The samples of a side of the split, or all, in their order and without augmentation.

        Raises:
            ConfigError: when the run has no validation.
        """
        if part == "val" and self.data.val is None:
            raise ConfigError("this run has no validation", where=self.loaded.place("split"), fix="choose train or all")
        if part == "val":
            return self.data.val
        indices = np.arange(len(self.data.source)) if part == "all" else self.data.split.train
        return validating_sequence(self.loaded, self.data, indices)

    def predictions(self, sequence: Any) -> Iterator[Predicted]:
        """What the model makes of each batch, through the run's own loader.

        Args:
            sequence: See `sequence`.
        """
        return predictions(self.model, sequence, self.data)

    def _model(self) -> Any:
        from seqtrain.training.device import prepare_keras

        prepare_keras(self.loaded.config)
        from seqtrain.training.model import build_model
        from seqtrain.training.state import WEIGHTS, load_weights

        first = first_batch(self.data.train)
        model = build_model(self.loaded, self.data, first)
        model.predict_on_batch(first[0])  # which makes the weights of a model that declares no inputs
        load_weights(model, self.stored.path / WEIGHTS, self.stored.path)
        return model


def predictions(model: Any, sequence: Any, data: Data) -> Iterator[Predicted]:
    """What a model makes of each batch of a sequence.

    Args:
        model: Any Keras model.
        sequence: Whose batches come in order.
        data: Of the run; says who makes the batches.
    """
    import keras

    schedule = validation_schedule(len(sequence))
    with BatchStream(sequence, schedule, data.workers, end=len(sequence)) as stream:
        for position in range(len(sequence)):
            made = stream.take(position)
            items = sequence.sample_indices(0, position)
            outputs = map_structure(keras.ops.convert_to_numpy, model.predict_on_batch(made.batch[0]))
            yield Predicted(None if items is None else replaced(items, made.bad), made.batch, outputs)
