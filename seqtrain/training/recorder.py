"""Records the history, the best epoch, and the hash of the final weights.

It is the first callback, so that it gets the logs before others change them, and the final weights before EarlyStopping
restores the best ones.

    history.csv     one line per epoch, rewritten after each epoch
    metrics.jsonl   the same with the time; a line is appended after each epoch, for `tail -f`

A resumed run cuts both files back to the epochs in its checkpoint; a run that was killed before its first checkpoint
removes them. So no epoch is listed twice. The file of Keras's CSVLogger is cut back in the same way.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from seqtrain.errors import ResourceError
from seqtrain.files import write_text
from seqtrain.keras_private import sync_variables
from seqtrain.metric_names import larger_is_better
from seqtrain.training.run_folder import RunFolder

log = logging.getLogger("seqtrain")


class Recorder(keras.callbacks.Callback):
    """Writes the history, and tracks the best epoch.

    Args:
        folder: The run's folder.
        monitor: The metric that decides which epoch is best.
        mode: "min", "max" or "auto".
    """

    def __init__(self, folder: RunFolder, monitor: str, mode: str) -> None:
        super().__init__()
        self.folder = folder
        self.monitor = monitor
        self.larger_is_better = mode == "max" or (mode == "auto" and larger_is_better(monitor))
        self.rows: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.is_best = False
        self.weights_sha256 = ""
        self._is_incomplete = False

    @property
    def history(self) -> list[dict[str, float]]:
        """The logs of each epoch."""
        return [{name: value for name, value in row.items() if name != "time"} for row in self.rows]

    def begin(self) -> None:
        """Removes the history of an earlier start that was killed before its first checkpoint."""
        for path in (self.folder.metrics, self.folder.history):
            path.unlink(missing_ok=True)

    def resume(self, rows: Iterable[dict[str, Any]], best: dict[str, Any] | None) -> None:
        """Cuts the history back to the epochs of a checkpoint."""
        self.rows, self.best = list(rows), best
        self._write_lines()
        self._write("history.csv", _csv(self.history))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds a line to the history."""
        values = scalar_logs(logs)
        values.setdefault("learning_rate", _learning_rate(self.model))
        self.rows.append({"epoch": epoch, **values, "time": datetime.now(UTC).isoformat(timespec="seconds")})
        self._write("history.csv", _csv(self.history))
        self._add_line()
        value = values.get(self.monitor)
        self.is_best = value is not None and self._is_better(value)
        if self.is_best:
            self.best = {"epoch": epoch, "monitor": self.monitor, "value": value}

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Hashes the weights, before EarlyStopping restores the best ones."""
        self.weights_sha256 = weights_sha256(self.model)

    def _is_better(self, value: float) -> bool:
        if self.best is None or not math.isfinite(value):
            return math.isfinite(value)
        best = self.best["value"]
        return bool(value > best if self.larger_is_better else value < best)

    def _write(self, name: str, text: str) -> bool:
        """Writes a file. A full disk does not end the run, because the history is also in memory and in checkpoints."""
        try:
            self.folder.write(name, text)
        except (OSError, ResourceError) as error:
            log.warning("%s could not be written, and is after the next epoch: %s", name, error)
            return False
        return True

    def _write_lines(self) -> None:
        self._is_incomplete = not self._write("metrics.jsonl", "".join(map(_line, self.rows)))

    def _add_line(self) -> None:
        """Appends the last row; if an earlier row is missing or incomplete, writes all rows again."""
        if not self._is_incomplete:
            with contextlib.suppress(OSError), self.folder.metrics.open("a") as file:
                file.write(_line(self.rows[-1]))
                return
        self._write_lines()


def cut_back_csv(logger: keras.callbacks.CSVLogger, epoch: int) -> None:
    """Makes Keras's CSVLogger append, and removes the rows of `epoch` and later epochs."""
    path = Path(logger.filename)
    if path.is_file():
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=logger.sep) if row]
        kept = io.StringIO(newline="")
        csv.writer(kept, delimiter=logger.sep).writerows(r for r in rows if not r[0].isdigit() or int(r[0]) < epoch)
        write_text(path, kept.getvalue())
    logger.append = True


def weights_sha256(model: Any) -> str:
    """SHA-256 of the bytes of all weights, in the model's order."""
    sync_variables(model)
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def scalar_logs(logs: dict[str, Any] | None) -> dict[str, float]:
    """The logs as floats; a metric with several values, such as an F1 score per class, becomes one log per value."""
    values: dict[str, float] = {}
    for name, value in (logs or {}).items():
        array = np.asarray(value, dtype=np.float64)
        if array.ndim == 0:
            values[name] = float(array)
        else:
            values |= {f"{name}_{index}": float(part) for index, part in enumerate(array.reshape(-1))}
    return values


def _csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _line(row: dict[str, Any]) -> str:
    """A row as a line of JSON; NaN and infinity become null."""
    return json.dumps(finite(row)) + "\n"


def finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with None for NaN and infinite values, which JSON does not have."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _learning_rate(model: Any) -> float:
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
