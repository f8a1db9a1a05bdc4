"""The result of a run: result.json, which `fit --json` prints too, and the last lines of the log."""

from __future__ import annotations

import logging
import shlex
import time
from typing import Any

from seqtrain.errors import ResourceError
from seqtrain.text import counted, duration
from seqtrain.training.recorder import Recorder, finite
from seqtrain.training.run_folder import RunFolder

log = logging.getLogger("seqtrain")


def make_result(status: str, folder: RunFolder, recorder: Recorder, phase: int | None) -> dict[str, Any]:
    """The result of a run.

    Args:
        status: `completed`, `early_stopped`, `interrupted` or `max_time`.
        folder: The run's folder.
        recorder: Has the history, the best epoch and the hash of the weights.
        phase: The phase in which the run ended; None if it has only one.
    """
    history = recorder.history
    last = {name: value for name, value in (history[-1] if history else {}).items() if name != "epoch"}
    return {
        "status": status,
        "run_dir": str(folder.path.resolve()),
        "epochs": len(history),
        "metrics": finite(last),
        "best": recorder.best,
        "weights_sha256": recorder.weights_sha256,
        **({} if phase is None else {"phase": phase}),
    }


def write_result(folder: RunFolder, result: dict[str, Any]) -> None:
    """Writes result.json; on a full disk, logs a warning."""
    try:
        folder.write_json("result.json", result)
    except ResourceError as error:
        log.warning("result.json could not be written: %s", error)


def log_end(folder: RunFolder, result: dict[str, Any], began: float) -> None:
    """Logs how a run ended, its best epoch, and the command that shows its report.

    Args:
        folder: The run folder.
        result: The run's result.
        began: When the command was started, by `time.monotonic`.
    """
    best, status = result["best"], result["status"].replace("_", " ")
    of_best = f"; best {best['monitor']} {best['value']:.4f} in epoch {best['epoch'] + 1}" if best else ""
    took = duration(time.monotonic() - began)
    log.info("%s after %s; this start took %s%s", status, counted(result["epochs"], "epoch"), took, of_best)
    if result["epochs"]:
        log.info("look at it with: seqtrain report %s", shlex.quote(str(folder.path)))
