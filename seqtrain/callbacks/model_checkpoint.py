"""Keras's ModelCheckpoint, which replaces the previous file only when the new one is complete.

Keras writes HDF5 straight to the disk. When the disk fills up, half a file is left in place of a good one, and HDF5
then crashes the process with a segmentation fault. So the file is first written to memory.
"""

from __future__ import annotations

from typing import Any

import keras

from seqtrain import keras_private
from seqtrain.errors import ResourceError
from seqtrain.files import atomic_write


class ModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves the model or its weights after some epochs, as Keras does; on a full disk the run ends with exit code 6."""

    @property
    def model(self) -> Any:
        """The model, which saves to memory before it writes to the disk."""
        model = super().model
        return model if model is None or "://" in self.filepath else _SavedInMemory(model)


class _SavedInMemory:
    """A model that saves to memory first, so that no half file is left; only whole `.h5` models are saved by Keras."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def save_weights(self, filepath: str, overwrite: bool) -> None:
        buffer = keras_private.NamedBuffer(filepath)
        keras_private.save_weights(self._model, buffer, with_optimizer=True)
        _write(buffer)

    def save(self, filepath: str, overwrite: bool) -> None:
        if filepath.endswith(".h5"):
            self._model.save(filepath, overwrite=overwrite)
        else:
            buffer = keras_private.NamedBuffer(filepath)
            keras_private.save_model(self._model, buffer)
            _write(buffer)


def _write(buffer: keras_private.NamedBuffer) -> None:
    try:
        with atomic_write(buffer.path, shared=True) as file:
            file.write(buffer.getbuffer())
    except OSError as error:
        fix = "free the disk, or name another filepath"
        raise ResourceError(f"the model could not be saved: {error}", where=buffer.path, fix=fix) from error
