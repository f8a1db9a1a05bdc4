"""`inspect-batches --run`: shows batches together with a trained model's predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.inference.trained_run import TrainedRun, names_source
from seqtrain.loading.pipeline import Data
from seqtrain.loading.preprocessing_state import is_same_data, open_run_data, read_fitted
from seqtrain.reports.batch_predictions import batch_predictions
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
    """The inspection of a config's batches, with the predictions of a run's model if a run is given.

    Args:
        config: The config whose batches are shown; None for the run's own.
        side: See `Inspection`.
        epoch: See `Inspection`.
        out: See `Inspection`.
        stage: See `Inspection`.
        run: The run folder, if predictions are to be shown.
        settings: Overrides (`key=value`) of the run's config; those of the source name the new location of its data, or
            other data of the same kind.

    Raises:
        CheckpointError: when there is no run in the folder, or no good checkpoint; or when its data or split has
            changed, and no other data is named.
        ConfigError: when the model does not know the inputs, classes, ids or columns of another config.
        SeqtrainError: see `Inspection`.
    """
    if run is None:
        assert config is not None
        return Inspection(config, side, epoch, out, stage)
    trained = TrainedRun(run, settings if config is None else (), moves_own=True)
    if config is None:
        loaded, data = trained.loaded, trained.data
        if not names_source(settings) or is_same_data(run, data):
            trained.own_split(or_else="look at other data with -s source...")
    else:
        loaded, data = config, _data_like_run(config, run)
    inspection = Inspection(loaded, side, epoch, out, stage, data)
    _require_same_inputs(trained.data.train, data.train, loaded)
    model, info = trained.model, TrainingInfo.of(trained.data, trained.model)
    inspection.predictor = lambda fields, x: batch_predictions(fields, predict_on_batch(model, x), info)
    # Epochs are shown counted from 1.
    inspection.about.append(f"predicted by {run} with the {trained.which} weights (epoch {trained.epoch + 1})")
    return inspection


def _data_like_run(config: LoadedConfig, run: Path) -> Data:
    """The data of another config, with the scales and vocabularies that the run was trained with."""
    try:
        data = open_run_data(run, config)
        if read_fitted(run) is None and data.train.fitted():
            raise CheckpointError("this config scales its samples, and the run was trained on what is not scaled")
        return data
    except CheckpointError as error:
        place = config.place("source")
        mistakes = [dataclasses.replace(each, where=place, fix=_LEAVE_OUT) for each in error.mistakes]
        raise ConfigError(mistakes) from error


def _require_same_inputs(own: Any, other: Any, loaded: LoadedConfig) -> None:
    """Raises a ConfigError if the batches do not fit the model's inputs, or have other classes."""
    if _shapes(own) != _shapes(other) or own.class_names != other.class_names:
        raise ConfigError(
            "the run was trained on other inputs or other classes than this config has",
            where=loaded.place("sequence"),
            expected=_described(own),
            received=_described(other),
            fix=_LEAVE_OUT,
        )


def _shapes(sequence: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    spec = sequence.spec or ()
    return {name: (field.shape, field.dtype) for name, field in named_leaves(spec) if name.split(".")[0] == "x"}


def _described(sequence: Any) -> str:
    shapes = ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in _shapes(sequence).items())
    names = sequence.class_names or ()
    return f"{shapes}; {len(names)} classes" + (f": {', '.join(names[:8])}" if names else "")
