"""Builds the callbacks of the config, and reports a monitor that is not logged."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import keras

from seqtrain.config.build import build_component
from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import ListedComponentConfig
from seqtrain.errors import ConfigError, Mistake, did_you_mean, one_of
from seqtrain.loading.pipeline import Data
from seqtrain.metric_names import known_monitor, watched_metric
from seqtrain.registry import callbacks

_RUN_DIR = "{run_dir}"
_PACKAGES = {"tensorboard": "tensorboard", "remote_monitor": "requests"}


def build_callbacks(
    loaded: LoadedConfig, data: Data, names: Collection[str], run_dir: Path, progress: str
) -> list[Any]:
    """The callbacks in the config's order.

    Args:
        loaded: The config.
        data: The run's data, for callbacks that need its sequences.
        names: The names that an epoch logs: `loss`, `val_loss`, metrics.
        run_dir: Replaces `{run_dir}` in paths.
        progress: The value of `--progress`, for callbacks that show progress.

    Raises:
        ConfigError: when a callback monitors a name that is not logged, or rejects its arguments.
    """
    known = (*names, *_added_logs(loaded.config.callbacks))
    mistakes: list[Mistake] = []
    listed = [
        (index, _with_known_monitor(loaded, index, callback, known, mistakes))
        for index, callback in enumerate(loaded.config.callbacks)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    for index, callback in listed:
        _require_package(loaded, index, callback)
    supplied = {
        "run_dir": run_dir,
        "progress": progress,
        "watched_metric": watched(loaded.config.callbacks, names)[0],
        "train_sequence": data.train,
        "val_sequence": data.val,
        "validation_steps": data.validation_steps if data.val is not None else None,
    }
    return [
        build_component(loaded, callbacks, _in_run_dir(callback, run_dir), ("callbacks", index), supplied)
        for index, callback in listed
    ]


def close_callbacks(built: Iterable[Any]) -> None:
    """Closes the progress bars and files of callbacks, also after an interruption."""
    for callback in built:
        if hasattr(callback, "close"):
            callback.close()
        if isinstance(callback, keras.callbacks.CSVLogger) and callback.csv_file is not None:
            callback.csv_file.close()


def watched(listed: Sequence[ListedComponentConfig], names: Collection[str]) -> tuple[str, str]:
    """The metric that decides which epoch is best, and its mode.

    Args:
        listed: The callbacks of the config.
        names: The names that an epoch logs without the callbacks.
    """
    stops = [callback.arguments for callback in listed if callback.name == "early_stopping"]
    return watched_metric(stops, (*names, *_added_logs(listed)))


def _added_logs(listed: Iterable[ListedComponentConfig]) -> list[str]:
    """The names that callbacks add to the logs of an epoch, from their attribute `adds_logs`."""
    return [name for each in listed for name in getattr(callbacks.get(each.name).load(), "adds_logs", ())]


def _with_known_monitor(
    loaded: LoadedConfig,
    index: int,
    callback: ListedComponentConfig,
    known: tuple[str, ...],
    mistakes: list[Mistake],
) -> ListedComponentConfig:
    """The callback, with a short monitor such as `val_acc` replaced by the logged name `val_accuracy`."""
    monitor = callback.arguments.get("monitor")
    if not isinstance(monitor, str) or monitor in known or not _uses_monitor(callback):
        return callback
    alias = known_monitor(monitor, known)
    if alias is not None:
        return callback.model_copy(update={"arguments": {**callback.arguments, "monitor": alias}})
    fix = did_you_mean(monitor, known) or "add the metric to compile.metrics"
    if monitor.removeprefix("val_") in known and monitor.startswith("val_"):
        fix = "this run has no validation (split.val is 0): watch the metric without val_"
    mistakes.append(
        Mistake(
            f"callbacks.{callback.name}.monitor: nothing will log '{monitor}'",
            loaded.argument_place(("callbacks", index), callback.name, "monitor"),
            expected=one_of(known),
            fix=fix,
        )
    )
    return callback


def _require_package(loaded: LoadedConfig, index: int, callback: ListedComponentConfig) -> None:
    """Checks that a callback's package is installed, because Keras raises only when the callback is called."""
    package = _PACKAGES.get(callback.name)
    if package and importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"callbacks.{callback.name} needs the package {package}, which is not installed",
            where=loaded.place("callbacks", index),
            fix=f"pip install {package}",
        )


def _uses_monitor(callback: ListedComponentConfig) -> bool:
    """Whether a callback uses its monitor: ModelCheckpoint does so only with `save_best_only`."""
    return bool(callback.arguments.get("save_best_only", True))


def _in_run_dir(callback: ListedComponentConfig, run_dir: Path) -> ListedComponentConfig:
    """The callback, with `{run_dir}` in its paths replaced."""

    def replaced(value: Any) -> Any:
        if isinstance(value, (str, Path)) and _RUN_DIR in str(value):
            return str(run_dir) + str(value).partition(_RUN_DIR)[2]
        return str(value) if isinstance(value, Path) else value

    arguments = {name: replaced(value) for name, value in callback.arguments.items()}
    return callback.model_copy(update={"arguments": arguments})
