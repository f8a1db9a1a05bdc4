"""Saves inputs and reconstructions of an autoencoder as images in the run folder: a loss does not show blurring."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from seqtrain.callbacks.reconstruction_sheet import reconstruction_sheet
from seqtrain.errors import ConfigError, DataError
from seqtrain.files import atomic_write
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive

_PRIOR_SEED = 0  # the same random numbers in every epoch and run, so that the images can be compared

log = logging.getLogger("seqtrain")


class Reconstructions(keras.callbacks.Callback):
    """Draws inputs and reconstructions of an autoencoder into `plots/`, and generated images if it can generate some.

    `reconstructions_0005.png` is drawn after epoch 5, and `reconstructions.png` at the end of training: with the best
    weights, if early_stopping comes before it in the config and restores them. The samples are always the same, spread
    evenly over the validation samples, or over the training samples without a validation. For a model with `decode` and
    `latent_size`, such as `vae`, new images are generated from its prior.

    Args:
        run_dir: The run folder; supplied by the run.
        train_sequence: The training sequence; supplied by the run.
        val_sequence: The validation sequence, or None; supplied by the run.
        every: The number of epochs from one drawing to the next; there is another at the end.
        samples: The number of images.

    Raises:
        ConfigError: when the targets are not images of the inputs' size.

    Example:
        callbacks: [tqdm, {reconstructions: {every: 10}}]
    """

    def __init__(
        self,
        run_dir: Path,
        train_sequence: Any,
        val_sequence: Any = None,
        every: Positive = 5,
        samples: Positive = 8,
    ) -> None:
        super().__init__()
        self._folder = Path(run_dir) / "plots"
        self._sequence = train_sequence if val_sequence is None else val_sequence
        self._side = "training" if val_sequence is None else "validation"
        self._every = every
        self._samples = samples
        _check(self._sequence.spec)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draws the sheet after every `every` epochs."""
        if (epoch + 1) % self._every == 0:
            self._draw(f"reconstructions_{epoch + 1:04d}.png", f"after epoch {epoch + 1}")

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draws the sheet with the final weights."""
        self._draw("reconstructions.png", "at the end")

    def _draw(self, name: str, when: str) -> None:
        samples = self._read()
        if not samples:
            log.warning("%s is not drawn: none of its samples can be read", name)
            return
        x, y = (np.concatenate(arrays) for arrays in zip(*samples, strict=True))
        is_noisy = not np.array_equal(np.asarray(x, np.float32) / (255 if x.dtype == np.uint8 else 1), y)
        rows = {"target": y, "input": x} if is_noisy else {"input": x}
        rows["reconstruction"] = self.model.predict_on_batch(x)
        if hasattr(self.model, "decode"):
            latent = np.random.default_rng(_PRIOR_SEED).standard_normal((len(x), self.model.latent_size), np.float32)
            rows["drawn from the prior"] = keras.ops.convert_to_numpy(self.model.decode(latent))
        sheet = reconstruction_sheet(
            {caption: self._channels_last(images) for caption, images in rows.items()},
            f"{when}, {self._side}",
        )
        png = io.BytesIO()
        sheet.save(png, "PNG")
        self._write(name, png.getvalue())

    def _read(self) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """The inputs and targets of the samples, as in the first epoch; without bad samples if the run skips them."""
        indices = self._sequence.indices
        chosen = np.unique(np.linspace(0, len(indices) - 1, self._samples, dtype=np.int64))
        samples = []
        for place in chosen:
            rows = self._sequence.allocate(1)
            try:
                self._sequence.write(indices[place : place + 1], 0, rows)
            except DataError:
                if not self._sequence.skips_bad_samples:
                    raise
                continue  # the loader has reported it
            samples.append((rows[0], rows[1]))
        return samples

    def _channels_last(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.moveaxis(images, 1, -1) if self._sequence.data_format == "channels_first" else images

    def _write(self, name: str, content: bytes) -> None:
        """Writes a file atomically; if the disk is full, logs a warning and lets the run continue."""
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                file.write(content)
        except OSError as error:
            log.warning("%s could not be written: %s", path, error)


def _check(spec: Any) -> None:
    x, y = spec[:2] if spec and len(spec) > 1 else (None, None)
    fits = isinstance(x, FieldSpec) and isinstance(y, FieldSpec) and y.kind == "pixels" and x.shape == y.shape
    if not fits:
        raise ConfigError(
            "reconstructions: the sequence's targets are no pictures of the inputs' size",
            fix="use it with the sequence 'autoencoder', or remove it",
        )
