"""What a model knows of its data besides its weights: classes, ids, scales and vocabularies.

They follow from the training data, which may have changed since: a folder renamed, a row appended. So a run writes them
down as it begins. Scales and vocabularies are then taken from there; classes and ids, which follow from the source,
must be what they were. Else a model would be given other numbers than it learned, or its outputs other names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError
from seqtrain.loading.pipeline import Data
from seqtrain.sequences.fitted import scales_of
from seqtrain.sources.base import Source, classes_of
from seqtrain.sources.fingerprint import fingerprint
from seqtrain.sources.ratings import Ratings

FITTED = "fitted.json"
_SPLIT = "split.json"
_MOST_LISTED = 12


def record_of(data: Data) -> dict[str, Any]:
    """What `split.json` holds of a run's data."""
    return {
        "num_samples": len(data.source),
        "data_sha256": fingerprint(data.source, data.config.source.arguments),
        "known": _known(data.source),
    }


def fitted_of(path: Path) -> dict[str, Any] | None:
    """What the sequence of a run fitted on its training part; None where it fitted nothing.

    Args:
        path: The run folder.

    Raises:
        CheckpointError: when it is damaged.
    """
    return _read(path / FITTED) if (path / FITTED).is_file() else None


def deviations_of(data: Data) -> dict[str, float]:
    """The standard deviation of each target that was scaled by the training part, by its column."""
    scales = scales_of(getattr(data.train, "fitted", dict)())
    targets = list(getattr(data.source, "targets", ()))
    return {name: scales[name]["deviation"] for name in targets if "deviation" in scales.get(name, {})}


def split_of(path: Path) -> dict[str, Any]:
    """What `split.json` of a run folder holds.

    Raises:
        CheckpointError: when it is damaged or missing.
    """
    return _read(path / _SPLIT)


def require_known(path: Path, source: Source) -> None:
    """Refuses data whose classes or ids are not those that the model of a run knows.

    Args:
        path: The run folder; runs of versions that wrote none of it down are taken as they are.
        source: The run's own, as it is now.

    Raises:
        CheckpointError: with what has changed.
    """
    kept, now = split_of(path).get("known", {}), _known(source)
    for name, expected in kept.items():
        if expected != now.get(name):
            raise CheckpointError(
                f"the {name.replace('_', ' ')} of the run's data are no longer those that its model was trained on",
                where=path / _SPLIT,
                expected=_listed(expected),
                received=_listed(now.get(name)),
                fix="bring the data back to what it was, or train anew",
            )


def require_same_data(path: Path, data: Data, else_: str) -> None:
    """Refuses data that has changed, where the samples of a side are needed.

    Args:
        path: The run folder; a run of a version without `data_sha256` is taken as it is.
        data: As it is now.
        else_: What may be done beside bringing the data back.

    Raises:
        CheckpointError: when samples, names or labels have changed.
    """
    kept, now = split_of(path), record_of(data)
    if kept.get("data_sha256", now["data_sha256"]) != now["data_sha256"]:
        raise CheckpointError(
            "the data has changed since the run began, so its training and validation samples are others",
            where=path / _SPLIT,
            expected=f"{kept.get('num_samples')} samples, data_sha256 {kept['data_sha256']}",
            received=f"{now['num_samples']} samples, data_sha256 {now['data_sha256']}",
            fix=f"bring back the same files, names and labels; or {else_}",
        )


def _known(source: Source) -> dict[str, Any]:
    """As JSON holds it."""
    names = {"classes": classes_of(source), "label_classes": getattr(source, "label_classes", None)}
    known: dict[str, Any] = {name: list(value) for name, value in names.items() if value is not None}
    if isinstance(source, Ratings):
        known |= {"users": _digest(source.user_ids), "items": _digest(source.item_ids)}
    return known


def _digest(ids: Any) -> str:
    return f"{len(ids)}, sha256 {hashlib.sha256(ids.tobytes()).hexdigest()}"


def _listed(names: Any) -> str:
    if not isinstance(names, list):
        return str(names or "none")
    more = f" ... ({len(names)} in all)" if len(names) > _MOST_LISTED else ""
    return ", ".join(map(str, names[:_MOST_LISTED])) + more


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, Mapping):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be read: {error}", where=path, fix="name another run folder") from error
    return dict(document)
