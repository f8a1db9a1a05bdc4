"""A trained run as `inspect-batches` takes it: a model that predicts the batches which are shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import Data
from seqtrain.reports.batch_predictions import Predictor
from seqtrain.reports.inspection import Inspection, Side, Stage
from seqtrain.structure import map_structure, named_leaves
from seqtrain.training.knowledge import require_same_data
from seqtrain.training.trained_run import TrainedRun, names_source

log = logging.getLogger("seqtrain")


def open_inspection(
    config: LoadedConfig | None,
    side: Side,
    epoch: int,
    out: Path,
    stage: Stage,
    run: Path | None,
    settings: Sequence[str] = (),
) -> Inspection:
    """A look at batches, with what a run's model predicts where one is named.

    Args:
        config: Whose batches are looked at; None for the run's own.
        side: See `Inspection`.
        epoch: See `Inspection`.
        out: See `Inspection`.
        stage: See `Inspection`.
        run: A run folder.
        settings: `key=value` each, laid on the run's config; those of the source say where its data lies now, or what
            other data of its kind to look at.

    Raises:
        SeqtrainError: see `Inspection` and `InspectedRun`; and when the run's data has changed.
    """
    if run is None:
        assert config is not None
        return Inspection(config, side, epoch, out, stage)
    inspected = InspectedRun(run, settings if config is None else ())
    loaded, data = (inspected.loaded, inspected.data) if config is None else (config, None)
    inspection = Inspection(loaded, side, epoch, out, stage, data)
    inspection.predictor = inspected.predictor(loaded, inspection.data)
    inspection.about.append(inspected.title)
    return inspection


class InspectedRun:
    """A run folder, and the model with its best weights.

    Args:
        path: The run folder.
        settings: See `open_inspection`.

    Attributes:
        loaded: Its config.
        data: Its data, by the scales and vocabularies that it was trained with.

    Raises:
        CheckpointError: when there is no run in the folder, or no good checkpoint; or when its data has changed, and no
            other is named.
    """

    def __init__(self, path: Path, settings: Sequence[str] = ()) -> None:
        self._run = TrainedRun(path, settings, moves_own=True)
        self.loaded, self.data = self._run.loaded, self._run.data
        if not names_source(settings):
            require_same_data(path, self.data, "look at other data with -s source...")

    @property
    def title(self) -> str:
        """Which weights predict; to a person the first epoch is 1."""
        return f"predicted by {self._run.path} with the {self._run.which} weights (epoch {self._run.epoch + 1})"

    def predictor(self, loaded: LoadedConfig, data: Data) -> Predictor:
        """The model, for batches of a config.

        Args:
            loaded: The config, the run's own or another whose samples look alike.
            data: Of the config.

        Raises:
            ConfigError: when the model cannot be given its batches, or its classes are others.
        """
        own, other = self._run.data.train, data.train
        if _shapes(own) != _shapes(other) or own.class_names != other.class_names:
            raise ConfigError(
                "the run was trained on other inputs or other classes than this config has",
                where=loaded.place("sequence"),
                expected=_words(own),
                received=_words(other),
                fix=f"leave the config out, or inspect with {self._run.path / 'config.yaml'}",
            )
        if not _same_fitted(own, other):
            log.warning("what was fitted on the training samples of this config is not what the run was trained with")
        config = self._run.loaded.config
        loss = str(config.compile.loss if config.compile else self._run.model.loss).lower()
        return Predictor(self._predict, loss, own.data_format == "channels_first")

    def _predict(self, x: Any) -> Any:
        import keras

        return map_structure(keras.ops.convert_to_numpy, self._run.model.predict_on_batch(x))


def _shapes(sequence: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    spec = sequence.spec or ()
    return {name: (field.shape, field.dtype) for name, field in named_leaves(spec) if name.split(".")[0] == "x"}


def _words(sequence: Any) -> str:
    shapes = ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in _shapes(sequence).items())
    names = sequence.class_names or ()
    return f"{shapes}; {len(names)} classes" + (f": {', '.join(names[:8])}" if names else "")


def _same_fitted(own: Any, other: Any) -> bool:
    return repr(getattr(own, "fitted", dict)()) == repr(getattr(other, "fitted", dict)())
