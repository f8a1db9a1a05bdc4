"""Keras's ModelCheckpoint, which leaves the former file alone until the new one is whole.

Keras writes HDF5 straight to the disk: one that fills up leaves half a file where a good one was, and HDF5 then ends
the process with a segmentation fault. So the file is made in memory first.
"""

from __future__ import annotations

from typing import Any

import keras

from seqtrain import keras_private
from seqtrain.errors import ResourceError
from seqtrain.files import written_whole


class ModelCheckpoint(keras.callbacks.ModelCheckpoint):
    """Saves the model or its weights after some epochs, as Keras does; on a full disk the run ends with exit code 6."""

    @property
    def model(self) -> Any:
        """The model, which saves itself in memory before a disk is touched."""
        model = super().model
        return model if model is None or "://" in self.filepath else _SavedInMemory(model)


class _SavedInMemory:
    """A model whose files are whole or not there; the old HDF5 format for whole models stays as Keras writes it."""

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
        with written_whole(buffer.path, shared=True) as file:
            file.write(buffer.getbuffer())
    except OSError as error:
        fix = "free the disk, or name another filepath"
        raise ResourceError(f"the model could not be saved: {error}", where=buffer.path, fix=fix) from error
