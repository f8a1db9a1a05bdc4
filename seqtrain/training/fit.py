"""A run: the data, the model, the callbacks, `fit`, and what is left behind.

Mistakes come first, in the order of what they cost to find: the config, the data (no Keras yet), the model and the
callbacks, and only then training.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtrain.config.load import LoadedConfig
from seqtrain.console import native_stderr_to
from seqtrain.errors import CheckpointError, ConfigError, InterruptedRunError, ResourceError, SeqtrainError
from seqtrain.loading.pipeline import Data, first_batch, open_data
from seqtrain.loading.stream import BatchStream
from seqtrain.metric_names import known_monitor
from seqtrain.structure import named_leaves
from seqtrain.training.run_folder import RunFolder

Resume = Literal["auto", "must", "never"]
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class FitOptions:
    """What the command line says beside the config.

    Args:
        run_dir: The run folder; a new one under `runs/` where None.
        resume: What to do with a folder that holds a run.
        progress: "auto", "bar", "lines" or "none".
        argv: The command, for meta.json.
    """

    run_dir: Path | None = None
    resume: Resume = "auto"
    progress: str = "auto"
    argv: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        result: As in result.json.
        exit_code: 0, or 130 and 143 when SIGINT or SIGTERM ended it.
    """

    result: dict[str, Any]
    exit_code: int = 0


def fit(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Trains.

    Raises:
        SeqtrainError: its branches say what went wrong.
    """
    data = open_data(loaded)
    folder = RunFolder(options.run_dir) if options.run_dir else RunFolder.at_now(loaded.path)
    if folder.is_used():
        result = _already_complete(folder, loaded, data, options.resume)
        log.info("already complete: %s", folder.path)
        return Outcome(result)
    if options.resume == "must":
        raise CheckpointError("there is no run to resume", where=folder.path, fix="leave --resume must out")
    folder.begin(loaded.config, data.split, options.argv)
    _log_to(folder.log)
    log.info("run folder: %s", folder.path)
    log.info("%s", _describe(data))
    with native_stderr_to(folder.log):
        return _Run(loaded, data, folder, options).train()


def dry_run(loaded: LoadedConfig, options: FitOptions) -> Outcome:
    """Builds everything, takes one step of training and of validation, and stops."""
    data = open_data(loaded)
    with native_stderr_to(Path(os.devnull)):
        from seqtrain.training.callbacks import build_callbacks
        from seqtrain.training.device import prepare_keras
        from seqtrain.training.recorder import scalar_logs

        prepare_keras(loaded.config)
        model, logs = _model_and_logs(loaded, data)
        build_callbacks(loaded, logs, Path.cwd(), options.progress)
        with data.training_stream(end=1) as training:
            trained = model.train_on_batch(*training.take(0).batch, return_dict=True)
        metrics = {**logs, **scalar_logs(trained)}
        log.info("one step of training%s: %s", " and validation" if data.val is not None else "", _shown(metrics))
        return Outcome({"status": "dry_run", "metrics": metrics})


class _Run:
    """One call of `fit` and what stands around it."""

    def __init__(self, loaded: LoadedConfig, data: Data, folder: RunFolder, options: FitOptions) -> None:
        self.loaded = loaded
        self.data = data
        self.folder = folder
        self.options = options

    def train(self) -> Outcome:
        from seqtrain.loading.feeder import TrainingFeeder
        from seqtrain.training.callbacks import build_callbacks
        from seqtrain.training.device import devices, prepare_keras
        from seqtrain.training.pace import Pace
        from seqtrain.training.recorder import Recorder
        from seqtrain.training.signals import SignalStop

        with SignalStop() as signals:
            prepare_keras(self.loaded.config)
            self.folder.add_devices(*devices())
            model, logs = _model_and_logs(self.loaded, self.data)
            model.summary(print_fn=lambda text, line_break=False: log.debug("%s", text))
            self.recorder = Recorder(self.folder, *self._watched(logs))
            own = build_callbacks(self.loaded, logs, self.folder.path, self.options.progress)
            began = time.perf_counter()
            try:
                # Workers start when nothing draws from the global random state any more: a user's class may.
                with self._training_stream() as training, _validation(self.data) as validation:
                    feeder = TrainingFeeder(training, model)
                    pace = Pace(feeder, self.data.workers.count)
                    self._fit(model, feeder, validation, [pace, self.recorder, *own, signals])
            except InterruptedRunError as interruption:
                return Outcome(self._interrupted(own, began), interruption.exit_code)
        stopped = len(self.recorder.history) < self.loaded.config.fit.epochs
        return Outcome(self._finish("early_stopped" if stopped else "completed", began))

    def _interrupted(self, own: list[Any], began: float) -> dict[str, Any]:
        for callback in own:
            if hasattr(callback, "close"):
                callback.close()
        self.recorder.save("last")
        self.recorder.hash_weights()
        return self._finish("interrupted", began)

    def _training_stream(self) -> BatchStream:
        return self.data.training_stream(end=self.data.steps_per_epoch * self.loaded.config.fit.epochs)

    def _fit(self, model: Any, feeder: Any, validation: BatchStream | None, callbacks: list[Any]) -> None:
        from seqtrain.loading.feeder import ValidationFeeder

        feeders: list[Any] = [feeder]
        if validation is not None:
            feeders.append(ValidationFeeder(validation, self.data.validation_steps, model))
        try:
            model.fit(
                feeders[0],
                epochs=self.loaded.config.fit.epochs,
                steps_per_epoch=self.data.steps_per_epoch,
                validation_data=feeders[1] if len(feeders) > 1 else None,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        except SeqtrainError:
            raise
        except Exception as error:
            for each in feeders:
                if each.error is not None:
                    raise each.error from error
            if type(error).__name__ == "ResourceExhaustedError":
                half = max(1, self.loaded.config.batch_size // 2)
                raise ResourceError(
                    "the device is out of memory", received=str(error).splitlines()[0], fix=f"try -s batch_size={half}"
                ) from error
            raise

    def _watched(self, logs: dict[str, Any]) -> tuple[str, str]:
        """The metric that says which epoch is best, and its mode: early stopping's, else the loss."""
        for callback in self.loaded.config.callbacks:
            if callback.name == "early_stopping":
                monitor = known_monitor(str(callback.arguments.get("monitor", "val_loss")), tuple(logs))
                if monitor is not None:
                    return monitor, str(callback.arguments.get("mode", "auto"))
        return ("val_loss" if "val_loss" in logs else "loss"), "min"

    def _finish(self, status: str, began: float) -> dict[str, Any]:
        from seqtrain.reports.curves import draw

        history = self.recorder.history
        result = {
            "status": status,
            "run_dir": str(self.folder.path.resolve()),
            "epochs": len(history),
            "metrics": {name: value for name, value in (history[-1] if history else {}).items() if name != "epoch"},
            "best": self.recorder.best,
            "weights_sha256": self.recorder.weights_sha256,
        }
        if history:
            draw(self.folder.history, self.folder.plots)
        self.folder.write_json("result.json", result)
        epochs = f"{len(history)} epoch{'' if len(history) == 1 else 's'}"
        log.info("%s after %s, %.1f s", status.replace("_", " "), epochs, time.perf_counter() - began)
        if self.recorder.best:
            best = self.recorder.best
            log.info("best: %s %.4f in epoch %d", best["monitor"], best["value"], best["epoch"] + 1)
        return result


def _model_and_logs(loaded: LoadedConfig, data: Data) -> tuple[Any, dict[str, float]]:
    """The compiled model, and what an epoch will log, found by testing it on one batch."""
    from seqtrain.training.model import build_model
    from seqtrain.training.recorder import scalar_logs

    first = first_batch(data.train)
    model = build_model(loaded, data, first)
    batch = first_batch(data.val) if data.val is not None else first
    try:
        tested = scalar_logs(model.test_on_batch(*batch, return_dict=True))
    except Exception as error:
        raise _misfit(loaded, model, batch, error) from error
    model.reset_metrics()
    if data.val is None:
        return model, tested
    return model, {**tested, **{f"val_{name}": value for name, value in tested.items()}}


def _misfit(loaded: LoadedConfig, model: Any, batch: tuple[Any, ...], error: Exception) -> ConfigError:
    """What to say when a model cannot be tested on a batch: mostly a loss or metric that does not fit the targets."""
    shapes = [f"{name} {array.shape} {array.dtype}" for name, array in named_leaves(batch)]
    targets = dict(named_leaves(batch)).get("y")
    fix = "choose another loss or other metrics"
    if targets is not None and targets.dtype.kind in "iu" and targets.ndim == 1:
        fix = "class indices need sparse_categorical_crossentropy; or make one-hot labels (sequence: labels: one_hot)"
    elif targets is not None and targets.ndim == 2 and targets.shape[1] > 1:
        fix = "one-hot labels need categorical_crossentropy"
    words = str(error).strip().splitlines() or [type(error).__name__]
    return ConfigError(
        "compile: the model, the loss and the metrics do not fit the batches",
        where=loaded.place("compile") if loaded.config.compile else loaded.path,
        received=f"{', '.join(shapes)}; output of the model {getattr(model, 'output_shape', 'unknown')}\n    "
        + "\n    ".join(words[:12]),
        fix=fix,
    )


def _validation(data: Data) -> Any:
    return data.validation_stream() if data.val is not None else contextlib.nullcontext()


def _already_complete(folder: RunFolder, loaded: LoadedConfig, data: Data, resume: Resume) -> dict[str, Any]:
    if resume == "never":
        raise CheckpointError("the folder holds a run already", where=folder.path, fix="name another --run-dir")
    folder.check_same(loaded.config, data.split)
    result = folder.read_result()
    if result is None or result["status"] == "interrupted":
        raise CheckpointError(
            "the folder holds an unfinished run, which this version cannot continue",
            where=folder.path,
            fix="name another --run-dir",
        )
    return {**result, "status": "already_complete"}


def _describe(data: Data) -> str:
    val = f"{len(data.split.val)} to validate" if data.val is not None else "no validation"
    return f"{len(data.split.train)} samples to train, {val}; {data.steps_per_epoch} batches an epoch"


def _log_to(path: Path) -> None:
    logging.raiseExceptions = False  # a full disk is told once, not with each message
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.debug("command: %s", " ".join(sys.argv))


def _shown(metrics: dict[str, float]) -> str:
    return " - ".join(f"{name}: {value:.4f}" for name, value in metrics.items())
