"""Compares the config that a run was started with to the one that it is resumed with.

Both are flattened (`fit.epochs`, `model.filters`, `callbacks.early_stopping.patience`), every value with its
`file:line:column`, and compared key by key. Missing keys have their default on both sides, so a key that a later
version added does not count as changed.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seqtrain.config.compare import Change, by_key, changes, other_order
from seqtrain.config.flat import Names, component_parameters
from seqtrain.config.load import LoadedConfig
from seqtrain.config.mistakes import mistakes_of
from seqtrain.config.node import Node
from seqtrain.config.reader import read_file
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError, ConfigError, Mistake

_SAME_BATCHES = "the batches are the same with any"
_SHOWS = "it shows or logs, and changes no weight"
_STOPS = "it says when a run ends, not what a step does"
_BEYOND_THE_END = "it takes effect only where the run would have ended, so that no step before it depends on it"
_WRITES = "it says where, when or how weights are written, and changes none"

# The keys that may change when a run is resumed, each with the reason. A key includes the keys below it; * matches any
# one name. Keys that affect the weights, the history or the choice of the best epoch must not be listed, such as
# - the monitor of early_stopping: its best value so far belongs to the old metric;
# - early_stopping as a whole: its monitor also decides which epoch is best;
# - the folder of backup_and_restore: it loads weights from there;
# - the metrics: they are columns of the history and part of the checkpoint;
# - the options of compiling: they change the rounding.
FREE: Mapping[str, str] = {
    "fit.epochs": "more epochs continue a run and fewer end it sooner; no step depends on their number",
    "fit.workers": _SAME_BATCHES,
    "fit.use_multiprocessing": _SAME_BATCHES,
    "fit.max_queue_size": _SAME_BATCHES,
    "fit.worker_timeout_s": _SAME_BATCHES,
    "cache": "cached pixels are those that decoding gives",
    "checkpoint": "it says when a run is saved, not what is saved",
    "on_bad_sample": _BEYOND_THE_END,
    "on_nan": _BEYOND_THE_END,
    "imports": "they register names; what is used of them is compared by name and arguments",
    "callbacks.*.verbose": _SHOWS,
    "callbacks.tqdm": _SHOWS,
    "callbacks.csv_logger": _SHOWS,
    "callbacks.tensorboard": _SHOWS,
    "callbacks.remote_monitor": _SHOWS,
    "callbacks.early_stopping.patience": _STOPS,
    "callbacks.model_checkpoint.filepath": _WRITES,
    "callbacks.model_checkpoint.save_freq": _WRITES,
    "callbacks.model_checkpoint.save_weights_only": _WRITES,
    "callbacks.orbax_checkpoint.directory": _WRITES,
    "callbacks.orbax_checkpoint.save_freq": _WRITES,
    "callbacks.orbax_checkpoint.save_weights_only": _WRITES,
    "callbacks.orbax_checkpoint.max_to_keep": _WRITES,
    "callbacks.orbax_checkpoint.save_on_background": _WRITES,
}
FREE_PATHS_OF_SOURCE = "the data may lie elsewhere now; its fingerprint says whether it is the same"


@dataclass(frozen=True)
class Difference:
    """A value that has changed since the run was started.

    Args:
        key: The dotted key.
        old: The value that the run was started with, as text; None if there was none.
        new: The current value, as text; None if there is none.
        old_place: The `file:line:column` of the old value in the run folder's config.yaml.
        new_place: The `file:line:column` of the new value in the current config, or the override.
        reason: Why it may change; None if it must not change.
    """

    key: str
    old: str | None
    new: str | None
    old_place: str
    new_place: str
    reason: str | None = None

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.key}: added" if self._is_callback else f"{self.key}: {self.new} is new"
        if self.new is None:
            return f"{self.key}: removed" if self._is_callback else f"{self.key}: {self.old} is gone"
        return f"{self.key}: {self.old} -> {self.new}"

    def mistake(self) -> Mistake:
        """The mistake to report if it must not change."""
        what = "is not what the run in this folder began with"
        if self._is_callback and self.old is None:
            what = "was added since the run in this folder began"
        elif self._is_callback and self.new is None:
            what = "was removed since the run in this folder began"
        return Mistake(
            f"{self.key}: {what}",
            self.new_place,
            expected=f"{self.old or 'nothing'}, as in {self.old_place}",
            received=self.new or "nothing",
            fix="bring back what it was, or name another --run-dir",
        )

    @property
    def _is_callback(self) -> bool:
        return self.key.startswith("callbacks.") and self.key.count(".") == 1


def differences(path: Path, new: LoadedConfig) -> tuple[list[Difference], list[Difference]]:
    """Compares a run folder's config.yaml with the current config.

    Args:
        path: The config.yaml.
        new: The current config.

    Returns:
        The differences that are forbidden, and those that are allowed.

    Raises:
        CheckpointError: when the config.yaml cannot be read.
    """
    old_config, old_root = _read(path)
    before, after = by_key(old_config, old_root), by_key(new.config, new.root)
    every = [_difference(change, old_root, new) for change in changes(before, after)]
    orders = other_order(before, after, lambda keys: not _reason(keys, new.config))
    if orders is not None:
        places = old_root.find(["callbacks"]).place, new.place("callbacks")
        every.append(Difference("callbacks", _as_text(orders[0]), _as_text(orders[1]), *places))
    return [each for each in every if each.reason is None], [each for each in every if each.reason is not None]


def _read(path: Path) -> tuple[RunConfig, Node]:
    try:
        root = read_file(path, [])
        return RunConfig.model_validate_json(json.dumps(root.plain())), root
    except ConfigError as error:
        raise CheckpointError(error.mistakes) from error
    except ValidationError as error:
        raise CheckpointError(mistakes_of(error, root, schema=RunConfig)) from error


def _difference(change: Change, old_root: Node, new: LoadedConfig) -> Difference:
    before, after = change.before, change.after
    return Difference(
        ".".join(change.keys),
        _as_text(before.value) if before else None,
        _as_text(after.value) if after else None,
        before.place if before else old_root.find(change.keys).place,
        after.place if after else new.root.find(change.keys).place,
        _reason(change.keys, new.config),
    )


def _reason(keys: Names, config: RunConfig) -> str | None:
    """Why a key may change, or None."""
    bare = [key.partition(" (")[0] for key in keys]  # treat `tqdm (2)` like `tqdm`
    for pattern, reason in FREE.items():
        parts = pattern.split(".")
        if len(parts) <= len(keys) and all(part in ("*", key) for part, key in zip(parts, bare, strict=False)):
            return reason
    if keys[0] == "source" and len(keys) > 1:
        parameter = component_parameters(keys[:1], config.source.name).get(keys[1])
        if parameter and (parameter.annotation is Path or Path in typing.get_args(parameter.annotation)):
            return FREE_PATHS_OF_SOURCE
    return None


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:97]}..."
