"""All that decides how a run goes on, taken out of its objects and put back into them.

    model.weights.h5   the weights, as Keras saves them
    state.npz          the optimizer's variables, those of the metrics, the seeds of random layers, arrays of callbacks
    state.json         epoch and batch, history, callbacks, the generators of `random` and NumPy

Weights are written to memory first: HDF5 ends the whole process when a disk fills up.

A validation changes metrics and may advance seeds. So what is not weights is captured when it begins, and a run that
is interrupted in it goes on from there.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
import numpy.typing as npt
from keras.src.random.seed_generator import global_seed_generator  # no public way leads to the seed that layers share
from keras.src.saving import saving_lib  # `save_weights` saves the optimizer too, which is saved exactly beside it

from seqtrain.errors import CheckpointError
from seqtrain.training.checkpoint_store import CheckpointInfo, Content
from seqtrain.training.plain_data import decode, encode

WEIGHTS = "model.weights.h5"
_STATE, _ARRAYS = "state.json", "state.npz"

Arrays = dict[str, npt.NDArray[Any]]
StepState = list[tuple[Any, npt.NDArray[Any]]]


@dataclass(frozen=True)
class RuntimeState:
    """What a checkpoint holds besides weights and the optimizer.

    Args:
        document: As JSON.
        arrays: What it refers to.
    """

    document: dict[str, Any]
    arrays: Arrays


def make_shared_seed() -> None:
    """Makes the seed that layers without one of their own share, before anything could make it at another time."""
    global_seed_generator()


def capture_runtime_state(model: Any, document: Mapping[str, Any], arrays: Arrays) -> RuntimeState:
    """Seeds and metrics of the model, and the global generators, added to a document."""
    sync(model)
    own = {
        "seeds": _values(_seeds(model), arrays, "seeds"),
        "metrics": _values(model.metrics_variables, arrays, "metrics"),
        "random": encode(random.getstate(), arrays, "random"),
        "numpy_random": encode(np.random.get_state(legacy=False), arrays, "random"),  # noqa: NPY002
    }
    return RuntimeState({**document, **own}, arrays)


def files_of(model: Any, small: RuntimeState) -> dict[str, Content]:
    """The files of a checkpoint.

    Raises:
        MemoryError: when there is no memory for them.
    """
    sync(model)
    arrays = dict(small.arrays)
    optimizer = _values(model.optimizer.variables, arrays, "optimizer")
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    document = json.dumps({**small.document, "optimizer": optimizer})
    return {WEIGHTS: _weights(model), _ARRAYS: packed.getbuffer(), _STATE: document.encode()}


def capture_step_state(model: Any) -> StepState:
    """What a step of TensorFlow may change before it has its batch: seeds and counters, which no data goes into."""
    if keras.backend.backend() != "tensorflow":
        return []
    counters = [variable for variable in model.optimizer.variables if variable.shape == ()]
    return [(variable, variable.numpy()) for variable in (*_seeds(model), *counters)]


def has_finite_weights(model: Any) -> bool:
    """Whether no weight is NaN or infinite."""
    sync(model)
    return all(weight.dtype.kind in "iub" or np.isfinite(weight).all() for weight in model.get_weights())


class Checkpoint:
    """A checkpoint's content.

    Args:
        files: Of the checkpoint, by name.
        best: The name of the best checkpoint so far.
        where: What messages call it.
    """

    def __init__(self, files: Mapping[str, Content | Path], best: str | None, where: Path) -> None:
        self.best = best
        self.document: dict[str, Any] = json.loads(_opened(files[_STATE]).read())
        with np.load(_opened(files[_ARRAYS]), allow_pickle=False) as arrays:
            self.arrays: Arrays = dict(arrays)
        self._weights = files[WEIGHTS]
        self._where = where

    @classmethod
    def of(cls, stored: CheckpointInfo) -> Checkpoint:
        """The content of a checkpoint on disk."""
        names = (WEIGHTS, _STATE, _ARRAYS)
        return cls({name: stored.path / name for name in names}, stored.about["best"], stored.path)

    @property
    def begins_phase(self) -> bool:
        """Whether it is what a phase begins with: another optimizer than it was made with."""
        return bool(self.document["begins_phase"])

    def set_generators(self) -> None:
        """Gives the global generators of `random` and NumPy their states; before workers start, which may use them."""
        random.setstate(decode(self.document["random"], self.arrays))
        np.random.set_state(decode(self.document["numpy_random"], self.arrays))  # noqa: NPY002

    def apply(self, model: Any) -> None:
        """Gives the model, its optimizer and its metrics their values.

        Raises:
            CheckpointError: when they are not those of this model.
        """
        model.optimizer.build(model.trainable_variables)
        weights = self._weights if isinstance(self._weights, Path) else _WeightsInMemory(self._weights)
        load_weights(model, weights, self._where)
        self._assign("seeds", _seeds(model))
        if not self.begins_phase:
            self._assign("optimizer", model.optimizer.variables)
            self._assign("metrics", model.metrics_variables)

    def _assign(self, name: str, variables: list[Any]) -> None:
        values = [decode(item, self.arrays) for item in self.document[name]]
        if [tuple(each.shape) for each in variables] != [value.shape for value in values]:
            raise _of_another(self._where, f"the variables of the {name} differ in number or shape")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def load_weights(model: Any, weights: Path | io.BytesIO, where: Path) -> None:
    """Gives a model the weights of a checkpoint.

    Args:
        model: Built.
        weights: The checkpoint's file.
        where: The checkpoint, for messages.

    Raises:
        CheckpointError: when they are not those of this model.
    """
    try:
        saving_lib.load_weights_only(model, weights, objects_to_skip=[model.optimizer])
    except (ValueError, KeyError) as error:
        raise _of_another(where, str(error).splitlines()[0]) from error


def _of_another(where: Path, received: str) -> CheckpointError:
    return CheckpointError(
        "does not fit the model that the config describes",
        where=where,
        received=received,
        fix="bring back the code and the versions that it was made with, or name another --run-dir",
    )


def _opened(file: Content | Path) -> BinaryIO:
    return io.BytesIO(file.read_bytes() if isinstance(file, Path) else file)


def _values(variables: list[Any], arrays: Arrays, prefix: str) -> list[Any]:
    return [encode(np.asarray(each.numpy()), arrays, prefix) for each in variables]


def _seeds(model: Any) -> list[Any]:
    """What `save_weights` leaves out: the seeds of random layers, and of layers without one of their own."""
    weights = {id(variable) for variable in model.weights}
    return [*(v for v in model.variables if id(v) not in weights), global_seed_generator().state]


def sync(model: Any) -> None:
    """JAX trains on copies of the variables until they are asked for."""
    if keras.backend.backend() == "jax":
        model.jax_state_sync()


class _WeightsInMemory(io.BytesIO):
    """A file for Keras, which looks at the end of its name."""

    def __str__(self) -> str:
        return WEIGHTS


def _weights(model: Any) -> Content:
    file = _WeightsInMemory()
    saving_lib.save_weights_only(model, file, objects_to_skip=[model.optimizer])
    return file.getbuffer()
