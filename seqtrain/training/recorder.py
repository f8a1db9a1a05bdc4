"""Keeps what a run produces as it goes: history, the last and the best weights, and the hash of the weights.

It is first among the callbacks, so that it sees the logs before others change them, and the last weights before
EarlyStopping restores the best ones.
"""

from __future__ import annotations

import csv
import hashlib
import math
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtrain.errors import DivergedError, ResourceError
from seqtrain.metric_names import larger_is_better
from seqtrain.training.run_folder import RunFolder

_ROOM = 1_000_000  # for HDF5's own structures, the history and the log


class Recorder(keras.callbacks.Callback):
    """Writes history.csv and the checkpoints.

    Args:
        folder: The run's.
        monitor: The metric that says which epoch is best.
        mode: "min", "max" or "auto".
    """

    def __init__(self, folder: RunFolder, monitor: str, mode: str = "auto") -> None:
        super().__init__()
        self.folder = folder
        self.monitor = monitor
        self.larger_is_better = mode == "max" or (mode == "auto" and larger_is_better(monitor))
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] | None = None
        self.weights_sha256 = ""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds a line to the history, and saves the weights."""
        values = scalar_logs(logs)
        values.setdefault("learning_rate", _learning_rate(self.model))
        self.history.append({"epoch": epoch, **values})
        self._write_history()
        self._require_finite(epoch, values.get("loss", 0.0))
        self.save("last")
        value = values.get(self.monitor)
        if value is not None and self._is_better(value):
            self.best = {"epoch": epoch, "monitor": self.monitor, "value": value}
            self.save("best")

    def _require_finite(self, epoch: int, loss: float) -> None:
        """Raises where the loss or, behind a loss that hides it, a weight is NaN or infinite."""
        weights_are_finite = all(np.isfinite(weight).all() for weight in self.model.get_weights())
        if math.isfinite(loss) and weights_are_finite:
            return
        what = "weights became NaN or infinite" if math.isfinite(loss) else f"the loss became {loss}"
        last = self.folder.checkpoint("last")
        kept = f"; the weights of the epoch before are in {last}" if last.exists() else ""
        raise DivergedError(
            f"{what} in epoch {epoch + 1}",
            fix=f"lower the learning rate, or look for NaN and Inf in the data with inspect-batches --all{kept}",
        )

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hashes the weights, before EarlyStopping restores the best ones."""
        self.hash_weights()

    def hash_weights(self) -> None:
        """Hashes the weights as they are now."""
        self.weights_sha256 = weights_sha256(self.model)

    def save(self, name: str) -> None:
        """Saves the weights under a name, whole or not at all."""
        path = self.folder.checkpoint(name)
        self._require_space(path)
        unfinished = path.with_name("unfinished.weights.h5")
        try:
            self.model.save_weights(unfinished, overwrite=True)
            unfinished.replace(path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise ResourceError(f"the weights cannot be saved: {error}", where=path, fix="free the disk") from error

    def _require_space(self, path: Path) -> None:
        """HDF5 ends the process where the disk is full, so there must be room before it begins."""
        needed = sum(weight.nbytes for weight in self.model.get_weights()) + _ROOM
        free = shutil.disk_usage(path.parent).free
        if free < needed:
            raise ResourceError(
                "the disk is too full for the weights",
                where=path,
                expected=f"{needed / 1e6:.1f} MB free",
                received=f"{free / 1e6:.1f} MB",
                fix="free the disk, or name another --run-dir",
            )

    def _is_better(self, value: float) -> bool:
        if self.best is None or not math.isfinite(value):
            return math.isfinite(value)
        best = self.best["value"]
        return bool(value > best if self.larger_is_better else value < best)

    def _write_history(self) -> None:
        columns = list(dict.fromkeys(name for row in self.history for name in row))
        unfinished = self.folder.history.with_name(".history.csv.unfinished")
        with unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.history)
        unfinished.replace(self.folder.history)


def weights_sha256(model: Any) -> str:
    """SHA-256 over the bytes of all weights, in the model's order."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def scalar_logs(logs: dict[str, Any] | None) -> dict[str, float]:
    """Logs as numbers; a metric of several values, such as an F1 score for each class, becomes one log for each."""
    values: dict[str, float] = {}
    for name, value in (logs or {}).items():
        array = np.asarray(value, dtype=np.float64)
        if array.ndim == 0:
            values[name] = float(array)
        else:
            values |= {f"{name}_{index}": float(part) for index, part in enumerate(array.reshape(-1))}
    return values


def _learning_rate(model: Any) -> float:
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
