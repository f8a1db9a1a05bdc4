"""Saves and checks the preprocessing that a model depends on: classes, ids, scales and vocabularies.

They follow from the training data, which may change later: a folder is renamed, a row is appended. So a run saves them
when it starts. Afterwards, scales and vocabularies are loaded from the run folder; classes and ids follow from the
source, and must equal the saved ones. Otherwise the model would get other inputs than in training, or its outputs
other names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import CheckpointError
from seqtrain.loading.pipeline import Data, open_data
from seqtrain.sequences.fitted import Scale, scales_of
from seqtrain.sources.fingerprint import fingerprint
from seqtrain.text import listed

FITTED = "fitted.json"
_SPLIT = "split.json"
_MOST_LISTED = 12


def data_record(data: Data) -> dict[str, Any]:
    """The facts about a run's data for `split.json`."""
    return {
        "num_samples": len(data.source),
        "data_sha256": _sha256(data),
        "known": data.source.known_names,
        "has_fitted": bool(data.train.fitted()),
    }


def read_fitted(path: Path) -> dict[str, Any] | None:
    """The values that a run's sequence fitted on the training samples; None if it fitted nothing.

    Args:
        path: The run folder.

    Raises:
        CheckpointError: when the file is damaged or missing.
    """
    return read_document(path / FITTED) if (path / FITTED).is_file() or read_split(path).get("has_fitted") else None


def target_scales(data: Data) -> dict[str, Scale]:
    """The mean and std of each target that is scaled, by its column."""
    scales = scales_of(data.train.fitted())
    return {name: scales[name] for name in data.source.targets if name in scales}


def read_split(path: Path) -> dict[str, Any]:
    """The content of a run folder's `split.json`.

    Raises:
        CheckpointError: when it is damaged or missing.
    """
    split = read_document(path / _SPLIT)
    if not isinstance(split.get("sha256"), str) or not isinstance(split.get("known", {}), dict):
        raise CheckpointError("has been changed since it was written", where=path / _SPLIT, fix="bring it back")
    return split


def open_run_data(path: Path, loaded: LoadedConfig) -> Data:
    """Opens the data of a config with the scales and vocabularies of a run, instead of fitting new ones.

    Args:
        path: The run folder; one of an early version that saved nothing is not checked.
        loaded: The run's own config, or one with the same kind of samples.

    Raises:
        CheckpointError: when classes, ids or columns are not those that the run's model was trained on.
        SeqtrainError: see `open_data`.
    """
    data = open_data(loaded, read_fitted(path), trains=False)
    kept, now = read_split(path).get("known", {}), data.source.known_names
    for name, written in kept.items():
        expected = list(map(str, written)) if isinstance(written, list) else written
        if expected != now.get(name):
            raise CheckpointError(
                f"the {name.replace('_', ' ')} are not those that the run's model was trained on",
                where=path / _SPLIT,
                expected=_listed(expected),
                received=_listed(now.get(name)),
                fix="bring the data back to what it was, or train anew",
            )
    return data


def is_same_data(path: Path, data: Data) -> bool:
    """Whether data equals the data that a run was started with, in whatever folder; False without `data_sha256`."""
    return bool(read_split(path).get("data_sha256") == _sha256(data))


def require_same_data(path: Path, data: Data, or_else: str) -> None:
    """Raises an error if the data has changed since the run was started.

    Args:
        path: The run folder; a run of an early version without `data_sha256` is not checked.
        data: The current data.
        or_else: What the user can do instead of restoring the data, for the message.

    Raises:
        CheckpointError: when samples, names or labels have changed.
    """
    kept = read_split(path)
    if "data_sha256" in kept and not is_same_data(path, data):
        raise CheckpointError(
            "the data has changed since the run began, so its training and validation samples are others",
            where=path / _SPLIT,
            expected=f"{kept.get('num_samples')} samples, data_sha256 {kept['data_sha256']}",
            received=f"{len(data.source)} samples, data_sha256 {_sha256(data)}",
            fix=f"bring back the same files, names and labels; or {or_else}",
        )


def _sha256(data: Data) -> str:
    return fingerprint(data.source, data.config.source.arguments)


def _listed(names: Any) -> str:
    if not isinstance(names, list):
        return str(names or "none")
    return listed(names, _MOST_LISTED, rest=" ... ({total} in all)")


def read_document(path: Path, fix: str = "name another run folder") -> dict[str, Any]:
    """The mapping in a JSON file of a run folder.

    Raises:
        CheckpointError: when it cannot be read; with the fix.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(document, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be read: {error}", where=path, fix=fix) from error
    return document
