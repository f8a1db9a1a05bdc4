"""A fingerprint of a data set, so that a run is not resumed on other data than it was started with.

It covers the number of samples, the relative names of all their files, labels, groups and classes, the shapes and
dtypes of arrays, and sizes of files. Modification times and absolute paths are left out, so that data that was
downloaded again, or is in another folder or on another machine, has the same fingerprint.

No sample is read, so a changed file with the same name and size is not detected. A million files take about three
seconds: the sizes of only some thousand, evenly spaced, are read. That detects a folder that was converted or resized
again, without a million requests to a network drive.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqtrain.sources.base import Paths, Source
from seqtrain.sources.packed_paths import PackedPaths

_MOST_SIZES = 4096


def fingerprint(source: Source, arguments: Mapping[str, Any]) -> str:
    """The SHA-256 of what is known about a source's samples without reading them.

    Args:
        source: Any source, including a user's.
        arguments: The source's arguments; those that are paths of files may hold the samples.

    Example:
        fingerprint(data.source, data.config.source.arguments)
    """
    digest = hashlib.sha256(f"{len(source)} samples\n".encode())
    _add_json(digest, {name: [list(field.shape), field.dtype] for name, field in sorted(source.fields.items())})
    _add_json(digest, source.classes)
    temporary = copy.copy(source)  # so that cached labels and groups do not stay in the source that trains
    _add_array(digest, "labels", temporary.labels)
    _add_array(digest, "groups", temporary.groups)
    if source.files is not None:
        for paths in source.files:
            _add_files(digest, paths)
    elif Path(source.describe(0)).is_file():
        _add_files(digest, PackedPaths("", map(source.describe, range(len(source)))))
        return digest.hexdigest()
    tables = {name: value for name, value in arguments.items() if isinstance(value, Path) and value.is_file()}
    _add_json(digest, {name: table.stat().st_size for name, table in sorted(tables.items())})
    return digest.hexdigest()


def _add_json(digest: Any, value: Any) -> None:
    digest.update(json.dumps(value, default=str).encode() + b"\n")


def _add_array(digest: Any, name: str, values: Any) -> None:
    if values is None:
        return
    array = np.asarray(values)
    if array.dtype.hasobject:
        _add_json(digest, [name, [str(value) for value in array.tolist()]])
        return
    digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")


def _add_files(digest: Any, paths: Paths) -> None:
    """Adds the names relative to the folder that contains all files, and some sizes."""
    folder = os.path.dirname(next(iter(paths)))  # noqa: PTH120 - a Path for each of a million files is slow
    for path in paths:
        while not path.startswith(f"{folder}/") and folder:
            folder = os.path.dirname(folder) if folder != "/" else ""  # noqa: PTH120
    start = len(folder) + 1 if folder else 0
    for path in paths:
        digest.update(os.fsencode(path[start:]) + b"\0")
    every = -(-len(paths) // _MOST_SIZES)
    _add_json(digest, [_size(paths[index]) for index in range(0, len(paths), every)])


def _size(name: str) -> int | None:
    try:
        return os.stat(name).st_size  # noqa: PTH116
    except OSError:
        return None
