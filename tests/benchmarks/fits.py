"""What a loader costs within `fit`: a step of a model that computes nothing, and a whole small training."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tests.benchmarks.ours import StreamOptions, stream
from tests.benchmarks.peers_keras import KerasOptions, keras_dataset
from tests.benchmarks.sequences import Empty

Feed = Literal["stream", "pydataset", "arrays"]


class FitSession:
    """`fit` of one model, over and over.

    Args:
        model: Compiled.
        steps: Batches in an epoch.
        epochs: Of a round.
        feed: Makes what `fit` takes, in a context.
    """

    def __init__(self, model: Any, steps: int, epochs: int, feed: Callable[[], Any]) -> None:
        self._model = model
        self._steps = steps
        self._epochs = epochs
        self._feed = feed
        self._fit(1)  # compiles

    def speed(self) -> float:
        """Steps a second, from the call of `fit` to its end."""
        began = time.perf_counter()
        self._fit(self._epochs)
        return self._epochs * self._steps / (time.perf_counter() - began)

    def sample(self) -> np.ndarray:
        """What the model makes of the first epoch."""
        return np.array(self._model.get_weights()[0])

    def _fit(self, epochs: int) -> None:
        with self._feed() as arguments:
            self._model.fit(**arguments, epochs=epochs, shuffle=False, verbose=0)


@dataclass(frozen=True)
class EmptySteps:
    """A sequence that costs nothing, and a model that hardly does.

    Args:
        steps: Batches in an epoch.
        epochs: Of a round.
    """

    steps: int
    epochs: int = 2


def step_session(options: EmptySteps, feed: Feed) -> FitSession:
    """A step of `fit` on 1 KB batches."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    sequence = Empty(options.steps)
    if feed == "stream":
        return FitSession(model, options.steps, options.epochs, lambda: _Streamed(sequence, 1, model))
    if feed == "pydataset":
        dataset = keras_dataset(sequence, KerasOptions(workers=1))
        return FitSession(model, options.steps, options.epochs, lambda: nullcontext({"x": dataset}))
    x, y = (np.tile(part, (options.steps, 1)) for part in sequence[0])
    arrays = {"x": x, "y": y, "batch_size": Empty.num_rows}
    return FitSession(model, options.steps, options.epochs, lambda: nullcontext(arrays))


@dataclass(frozen=True)
class Digits:
    """Digits that have been decoded once, in .npy files.

    Args:
        folder: Of x.npy and y.npy.
        workers: Threads.
        epochs: Of a round.
        batch_size: Samples in a batch.
    """

    folder: Path
    workers: int
    epochs: int
    batch_size: int = 64


def decoded_digits(data: Path, pictures: Path) -> Path:
    """Decodes the digits of `data_samples/` into .npy files, when they are not there."""
    from seqtrain.sequences.base import Samples
    from seqtrain.sequences.image import ImageSequence
    from seqtrain.sequences.image_format import ImageFormat
    from seqtrain.sources.image_folder import ImageFolderSource

    folder = data / "digits"
    if not (folder / "y.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = ImageFolderSource(pictures)
        everything = np.random.default_rng(0).permutation(len(source))
        samples = Samples(source, everything, len(source), 0, training=False)
        sequence = ImageSequence(samples, ImageFormat((64, 64), "gray"))
        for name, array in zip("xy", sequence[0], strict=True):
            np.save(folder / f"{name}.npy", array)
    return folder


def digits_session(digits: Digits, feed: Feed) -> FitSession:
    """A small CNN on the digits."""
    import keras

    from seqtrain.models.cnn import cnn
    from seqtrain.sequences.arrays import ArraySequence
    from seqtrain.sequences.base import Samples
    from seqtrain.sources.arrays import Arrays

    keras.utils.set_random_seed(0)
    model = cnn(input_shape=(64, 64, 1), input_dtype="uint8", num_classes=10)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = digits.folder / "x.npy", digits.folder / "y.npy"
    steps = -(-len(np.load(y)) // digits.batch_size)
    if feed == "arrays":
        arrays = {"x": np.load(x), "y": np.load(y), "batch_size": digits.batch_size}
        return FitSession(model, steps, digits.epochs, lambda: nullcontext(arrays))
    source = Arrays(x, y)
    sequence = ArraySequence(Samples(source, np.arange(len(source)), digits.batch_size, 0, training=True))
    return FitSession(model, steps, digits.epochs, lambda: _Streamed(sequence, digits.workers, model))


class _Streamed:
    """What `fit` takes of a sequence, loaded by a stream for as long as the context lasts."""

    def __init__(self, sequence: Any, workers: int, model: Any) -> None:
        self._steps, self._model = len(sequence), model
        self._context = stream(sequence, StreamOptions(workers))

    def __enter__(self) -> dict[str, Any]:
        from seqtrain.loading.keras_dataset import TrainingDataset

        dataset = TrainingDataset(self._context.__enter__(), self._model)
        return {"x": dataset.for_fit(), "steps_per_epoch": self._steps}

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)
