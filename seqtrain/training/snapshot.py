"""The complete state of a run: taken from its objects, written to files, read, and restored.

    model.weights.h5   the weights, as Keras saves them
    state.npz          the variables of optimizer and metrics, the seeds of random layers, arrays of callbacks
    state.json         progress, history, callbacks, the global generators of `random` and NumPy

Weights are written to memory first: HDF5 crashes the process when the disk is full.

A validation changes metrics and may advance seeds, but neither weights nor optimizer. So `RunState`, which is
everything but those two, is also taken at the start of a validation: a run that is interrupted in a validation is
resumed from there.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from seqtrain import keras_private
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError
from seqtrain.loading.bad_samples import BadSamples
from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.checkpoint_store import CheckpointInfo, Content
from seqtrain.training.learning_rate import scale_learning_rate
from seqtrain.training.plain_data import Arrays, decode, encode
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.recorder import Recorder

WEIGHTS = "model.weights.h5"
_STATE, _ARRAYS = "state.json", "state.npz"
_STATE_FIELDS = ("rollbacks", "stop_training", "bad_samples", "callbacks", "seeds", "metrics", "random", "numpy_random")


@dataclass
class RunObjects:
    """The objects of a run whose state a snapshot holds.

    Args:
        model: The compiled model.
        recorder: The history and the best epoch.
        callbacks: The states of the config's callbacks.
        bad_samples: The bad samples so far; None if a bad sample ends the run.
        config: The run's config.
        rollbacks: The number of rollbacks in this phase.
        progress: The progress of the run.
    """

    model: Any
    recorder: Recorder
    callbacks: CallbackStates
    bad_samples: BadSamples | None
    config: RunConfig
    rollbacks: int
    progress: Progress


@dataclass(frozen=True)
class RunState:
    """The state of a run without weights and optimizer. Encoded values are results of `plain_data.encode`.

    Args:
        progress: The progress of the run.
        rollbacks: The number of rollbacks in this phase.
        stop_training: Whether a callback has set `model.stop_training`.
        patience: The patience of each early stopping in the config.
        history: A row for each epoch.
        best: The best epoch so far, with the metric that decides it.
        bad_samples: The result of `BadSamples.state`.
        callbacks: Name and encoded state of each callback.
        seeds: Encoded variables of random layers.
        metrics: Encoded variables of the metrics.
        random: The encoded state of Python's global generator.
        numpy_random: The encoded state of NumPy's global generator.
        arrays: The arrays to which the encoded values refer by name.
    """

    progress: Progress
    rollbacks: int
    stop_training: bool
    patience: Sequence[Any]
    history: list[dict[str, Any]]
    best: dict[str, Any] | None
    bad_samples: Mapping[str, Any] | None
    callbacks: list[dict[str, Any]]
    seeds: list[Any]
    metrics: list[Any]
    random: Any
    numpy_random: Any
    arrays: Arrays


@dataclass(frozen=True)
class Snapshot:
    """The content of a checkpoint.

    Args:
        state: Everything but the weights and the optimizer.
        optimizer: The optimizer's encoded variables, whose arrays are among those of `state`.
        weights: The path of the weights file, or its content.
        best: The name of the best checkpoint so far.
        where: The checkpoint, for messages.
    """

    state: RunState
    optimizer: list[Any]
    weights: Content | Path
    best: str | None
    where: Path

    @property
    def progress(self) -> Progress:
        """The progress of the run."""
        return self.state.progress

    @classmethod
    def read(cls, checkpoint: CheckpointInfo) -> Snapshot:
        """Reads the snapshot of a checkpoint on disk; its weights are read when they are restored."""
        document = json.loads((checkpoint.path / _STATE).read_bytes())
        with np.load(checkpoint.path / _ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
        return cls(
            _state_of_version_1(document, arrays),
            document["optimizer"],
            checkpoint.path / WEIGHTS,
            checkpoint.about["best"],
            checkpoint.path,
        )

    def files(self) -> dict[str, Content]:
        """The files of a checkpoint."""
        packed = io.BytesIO()
        np.savez(packed, **self.state.arrays)  # type: ignore[arg-type]
        document = json.dumps({**_document(self.state), "optimizer": self.optimizer})
        weights = self.weights.read_bytes() if isinstance(self.weights, Path) else self.weights
        return {WEIGHTS: weights, _ARRAYS: packed.getbuffer(), _STATE: document.encode()}


def take_state(run: RunObjects) -> RunState:
    """The current state of a run, without weights and optimizer."""
    model = run.model
    arrays: Arrays = {}
    keras_private.sync_variables(model)
    return RunState(
        progress=run.progress,
        rollbacks=run.rollbacks,
        stop_training=bool(model.stop_training),
        patience=run.config.patience,
        history=list(run.recorder.rows),
        best=run.recorder.best,
        bad_samples=run.bad_samples.state() if run.bad_samples is not None else None,
        callbacks=run.callbacks.capture(arrays),
        seeds=_values(_seeds(model), arrays, "seeds"),
        metrics=_values(model.metrics_variables, arrays, "metrics"),
        random=encode(random.getstate(), arrays, "random"),
        numpy_random=encode(np.random.get_state(legacy=False), arrays, "random"),  # noqa: NPY002
        arrays=arrays,
    )


def take_snapshot(model: Any, state: RunState, best: str | None, where: Path) -> Snapshot:
    """A snapshot of a state, and of the current weights and optimizer.

    Raises:
        MemoryError: when there is not enough memory.
    """
    keras_private.sync_variables(model)
    arrays = dict(state.arrays)
    optimizer = _values(model.optimizer.variables, arrays, "optimizer")
    weights = keras_private.NamedBuffer(WEIGHTS)
    keras_private.save_weights(model, weights, with_optimizer=False)
    return Snapshot(replace(state, arrays=arrays), optimizer, weights.getbuffer(), best, where)


def take_step_state(model: Any) -> list[tuple[Any, npt.NDArray[Any]]]:
    """The seeds and counters that a TensorFlow step may change before it has its batch, with their values."""
    if keras.backend.backend() != "tensorflow":
        return []
    counters = [variable for variable in model.optimizer.variables if variable.shape == ()]
    return [(variable, variable.numpy()) for variable in (*_seeds(model), *counters)]


def restore_generators(state: RunState) -> None:
    """Restores Python's and NumPy's global generators; call it before the workers start, which may use them."""
    random.setstate(decode(state.random, state.arrays))
    np.random.set_state(decode(state.numpy_random, state.arrays))  # noqa: NPY002


def restore(snapshot: Snapshot, run: RunObjects) -> None:
    """Restores the model and the callbacks, and scales the learning rate by the rollbacks since the snapshot.

    Call it after `fit` has started, since `fit` resets metrics and calls callbacks. At the start of a phase, the
    callbacks already have the state from the end of the previous phase.

    Raises:
        CheckpointError: when the snapshot is of another model.
    """
    state = snapshot.state
    restore_model(snapshot, run.model)
    if state.progress.moment is not Moment.PHASE_BEGINS:
        run.callbacks.restore(state.callbacks, state.arrays)
    scale_learning_rate(run.model.optimizer, run.config.on_nan.learning_rate_scale, run.rollbacks, state.rollbacks)
    run.progress = state.progress


def restore_model(snapshot: Snapshot, model: Any) -> None:
    """Restores weights and seeds; also optimizer and metrics, except at the start of a phase, which has new ones.

    Raises:
        CheckpointError: when the snapshot is of another model.
    """
    state = snapshot.state
    model.optimizer.build(model.trainable_variables)
    load_weights(model, snapshot.weights, snapshot.where)
    _assign(snapshot, "seeds", state.seeds, _seeds(model))
    if state.progress.moment is not Moment.PHASE_BEGINS:
        _assign(snapshot, "optimizer", snapshot.optimizer, model.optimizer.variables)
        _assign(snapshot, "metrics", state.metrics, model.metrics_variables)


def load_weights(model: Any, weights: Content | Path, where: Path) -> None:
    """Loads the weights of a checkpoint into a model.

    Args:
        model: A built model.
        weights: The path of the weights file, or its content.
        where: The checkpoint, for messages.

    Raises:
        CheckpointError: when they do not fit the model.
    """
    file = weights if isinstance(weights, Path) else keras_private.NamedBuffer(WEIGHTS, weights)
    try:
        keras_private.load_weights(model, file)
    except (ValueError, KeyError) as error:
        raise _model_mismatch(where, str(error).splitlines()[0]) from error


def _document(state: RunState) -> dict[str, Any]:
    """The content of state.json in version 1, the only one so far, without the optimizer."""
    progress = state.progress
    return {
        "epoch": progress.epoch,
        "batch": progress.step,
        "has_begun_epoch": progress.is_in_epoch,
        "has_begun_batch": progress.moment is Moment.BATCH_BEGUN,
        "begins_phase": progress.moment is Moment.PHASE_BEGINS,
        "phase": progress.phase,
        "patience": state.patience,
        "recorder": {"rows": state.history, "best": state.best},
        **{name: getattr(state, name) for name in _STATE_FIELDS},
    }


def _state_of_version_1(document: Mapping[str, Any], arrays: Arrays) -> RunState:
    """Reads the state from a state.json of version 1; the earliest have no `patience`."""
    if document["begins_phase"]:
        moment = Moment.PHASE_BEGINS
    elif document["has_begun_batch"]:
        moment = Moment.BATCH_BEGUN
    else:
        moment = Moment.BETWEEN_BATCHES if document["has_begun_epoch"] else Moment.BETWEEN_EPOCHS
    return RunState(
        progress=Progress(document["phase"], document["epoch"], document["batch"], moment),
        history=document["recorder"]["rows"],
        best=document["recorder"]["best"],
        patience=document.get("patience", ()),
        arrays=arrays,
        **{name: document[name] for name in _STATE_FIELDS},
    )


def _assign(snapshot: Snapshot, name: str, encoded: list[Any], variables: list[Any]) -> None:
    values = [decode(item, snapshot.state.arrays) for item in encoded]
    if [tuple(each.shape) for each in variables] != [value.shape for value in values]:
        raise _model_mismatch(snapshot.where, f"the variables of the {name} differ in number or shape")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _model_mismatch(where: Path, received: str) -> CheckpointError:
    return CheckpointError(
        "does not fit the model that the config describes",
        where=where,
        received=received,
        fix="bring back the code and the versions that it was made with, or name another --run-dir",
    )


def _values(variables: list[Any], arrays: Arrays, prefix: str) -> list[Any]:
    return [encode(np.asarray(each.numpy()), arrays, prefix) for each in variables]


def _seeds(model: Any) -> list[Any]:
    """The seed variables, which `save_weights` does not save: those of random layers, and the shared seed."""
    weights = {id(variable) for variable in model.weights}
    return [*(v for v in model.variables if id(v) not in weights), keras_private.shared_seed()]
