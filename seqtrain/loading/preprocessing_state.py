"""What a model knows of its data besides its weights: classes, ids, scales and vocabularies.

They follow from the training data, which may have changed since: a folder renamed, a row appended. So a run writes them
down as it begins. Scales and vocabularies are then taken from there; classes and ids, which follow from the source,
must be what they were. Else a model would be given other numbers than it learned, or its outputs other names.
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


def record_of(data: Data) -> dict[str, Any]:
    """What `split.json` holds of a run's data."""
    return {
        "num_samples": len(data.source),
        "data_sha256": _sha256(data),
        "known": data.source.known_names,
        "has_fitted": bool(fitted_by(data)),
    }


def fitted_by(data: Data) -> dict[str, Any]:
    """What the training sequence fitted; a class written for Keras need not tell."""
    fitted: dict[str, Any] = data.train.fitted()
    return fitted


def fitted_of(path: Path) -> dict[str, Any] | None:
    """What the sequence of a run fitted on its training part; None where it fitted nothing.

    Args:
        path: The run folder.

    Raises:
        CheckpointError: when it is damaged, or missing.
    """
    return read_document(path / FITTED) if (path / FITTED).is_file() or split_of(path).get("has_fitted") else None


def target_scales(data: Data) -> dict[str, Scale]:
    """The mean and std of each target that was scaled by the training part, by its column."""
    scales = scales_of(fitted_by(data))
    return {name: scales[name] for name in data.source.targets if name in scales}


def split_of(path: Path) -> dict[str, Any]:
    """What `split.json` of a run folder holds.

    Raises:
        CheckpointError: when it is damaged or missing.
    """
    split = read_document(path / _SPLIT)
    if not isinstance(split.get("sha256"), str) or not isinstance(split.get("known", {}), dict):
        raise CheckpointError("has been changed since it was written", where=path / _SPLIT, fix="bring it back")
    return split


def open_known(path: Path, loaded: LoadedConfig) -> Data:
    """The data of a config, with what a run knows in place of what it would fit itself.

    Args:
        path: The run folder; runs of versions that wrote none of it down are taken as they are.
        loaded: The run's own config, or one whose samples look alike.

    Raises:
        CheckpointError: when classes, ids or columns are not those that the run's model knows.
        SeqtrainError: see `open_data`.
    """
    data = open_data(loaded, fitted_of(path), trains=False)
    kept, now = split_of(path).get("known", {}), data.source.known_names
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
    """Whether data is what a run began with, wherever it lies; of a run without `data_sha256` nobody knows."""
    return bool(split_of(path).get("data_sha256") == _sha256(data))


def require_same_data(path: Path, data: Data, else_: str) -> None:
    """Refuses data that has changed, where the samples of a side are needed.

    Args:
        path: The run folder; a run of a version without `data_sha256` is taken as it is.
        data: As it is now.
        else_: What may be done beside bringing the data back.

    Raises:
        CheckpointError: when samples, names or labels have changed.
    """
    kept = split_of(path)
    if "data_sha256" in kept and not is_same_data(path, data):
        raise CheckpointError(
            "the data has changed since the run began, so its training and validation samples are others",
            where=path / _SPLIT,
            expected=f"{kept.get('num_samples')} samples, data_sha256 {kept['data_sha256']}",
            received=f"{len(data.source)} samples, data_sha256 {_sha256(data)}",
            fix=f"bring back the same files, names and labels; or {else_}",
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
        CheckpointError: when it cannot be read; with what may be done.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(document, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be read: {error}", where=path, fix=fix) from error
    return document
