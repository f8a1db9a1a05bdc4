"""What `inspect-batches --run` shows: batches, and what a trained model predicts for them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.inference.trained_run import TrainedRun, names_source
from seqtrain.loading.pipeline import Data
from seqtrain.loading.preprocessing_state import fitted_by, fitted_of, is_same_data, open_known
from seqtrain.reports.batch_predictions import Predictor
from seqtrain.reports.inspection import Inspection, Side, Stage
from seqtrain.reports.output_spec import TrainingInfo
from seqtrain.structure import named_leaves
from seqtrain.training.predictions import predict_on_batch

_LEAVE_OUT = "leave the config out, so that the run's own batches are looked at; or name a config of the same form"


def open_inspection(
    config: LoadedConfig | None,
    side: Side,
    epoch: int,
    out: Path,
    stage: Stage,
    run: Path | None,
    settings: Sequence[str] = (),
) -> Inspection:
    """The inspection of a config's batches, with the predictions of a run's model where one is named.

    Args:
        config: Whose batches are looked at; None for the run's own.
        side: See `Inspection`.
        epoch: See `Inspection`.
        out: See `Inspection`.
        stage: See `Inspection`.
        run: A run folder.
        settings: `key=value` each, which override the run's config; those of the source say where its data lies now, or
            what other data of its kind to look at.

    Raises:
        SeqtrainError: see `Inspection` and `InspectedRun`.
    """
    if run is None:
        assert config is not None
        return Inspection(config, side, epoch, out, stage)
    inspected = InspectedRun(run, config, settings)
    inspection = Inspection(inspected.loaded, side, epoch, out, stage, inspected.data)
    inspection.predictor = inspected.predictor()
    inspection.about.append(inspected.title)
    return inspection


class InspectedRun:
    """A run folder, and the model with its best weights.

    Args:
        path: The run folder.
        config: See `open_inspection`.
        settings: See `open_inspection`.

    Attributes:
        loaded: The config whose batches are looked at, the run's own or another.
        data: Of the config, by the scales and vocabularies that the run was trained with.

    Raises:
        CheckpointError: when there is no run in the folder, or no good checkpoint; or when its data or split has
            changed, and no other data is named.
        ConfigError: when the model does not know the classes, ids or columns of another config.
    """

    def __init__(self, path: Path, config: LoadedConfig | None, settings: Sequence[str]) -> None:
        self._run = TrainedRun(path, settings if config is None else (), moves_own=True)
        if config is not None:
            self.loaded, self.data = config, self._data_of(config)
            return
        self.loaded, self.data = self._run.loaded, self._run.data
        if not names_source(settings) or is_same_data(path, self.data):
            self._run.own_split("look at other data with -s source...")

    @property
    def title(self) -> str:
        """Which weights predict; to a person the first epoch is 1."""
        return f"predicted by {self._run.path} with the {self._run.which} weights (epoch {self._run.epoch + 1})"

    def predictor(self) -> Predictor:
        """The model, for batches of the config.

        Raises:
            ConfigError: when the model cannot be given its batches, or its classes are others.
        """
        own, other = self._run.data.train, self.data.train
        if _shapes(own) != _shapes(other) or own.class_names != other.class_names:
            raise ConfigError(
                "the run was trained on other inputs or other classes than this config has",
                where=self.loaded.place("sequence"),
                expected=_described(own),
                received=_described(other),
                fix=_LEAVE_OUT,
            )
        model = self._run.model
        return Predictor(functools.partial(predict_on_batch, model), TrainingInfo.of(self._run.data, model))

    def _data_of(self, config: LoadedConfig) -> Data:
        try:
            data = open_known(self._run.path, config)
            if fitted_of(self._run.path) is None and fitted_by(data):
                raise CheckpointError("this config scales its samples, and the run was trained on what is not scaled")
            return data
        except CheckpointError as error:
            place = config.place("source")
            mistakes = [dataclasses.replace(each, where=place, fix=_LEAVE_OUT) for each in error.mistakes]
            raise ConfigError(mistakes) from error


def _shapes(sequence: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    spec = sequence.spec or ()
    return {name: (field.shape, field.dtype) for name, field in named_leaves(spec) if name.split(".")[0] == "x"}


def _described(sequence: Any) -> str:
    shapes = ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in _shapes(sequence).items())
    names = sequence.class_names or ()
    return f"{shapes}; {len(names)} classes" + (f": {', '.join(names[:8])}" if names else "")
