"""Numbers for the classes of a table of objects: 1 and up, since 0 is the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seqtrain.errors import ConfigError, DataError, one_of

_HIGHEST_ID = 255  # of a mask of bytes


def object_classes(
    labels: Sequence[str], classes: Sequence[str] | None, path: Path
) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """The names of all ids, the background's first, and the id of each label.

    Args:
        labels: The classes that occur in the table, as they are written; none where it has no classes.
        classes: The names that the config gives. Numbers of the table count from 1 through them, or from 0 where a 0
            occurs, so that a class that never occurs moves no other.
        path: Of the table, for messages.

    Raises:
        ConfigError: when `classes` is empty, names a class twice, or leaves out one that occurs.
        DataError: when there are more classes than ids.
    """
    if classes is not None and (not classes or len(set(classes)) < len(classes)):
        raise ConfigError("classes: name every class once, and at least one", fix="or leave classes out")
    if not labels:
        names, ids = classes or ["object"], {"": 1}
        if len(names) > 1:
            raise ConfigError(f"classes: {path} names no classes", expected="one name", received=str(len(names)))
    elif all(label.isdecimal() for label in labels):
        names, ids = _of_numbers(labels, classes)
    else:
        names = classes or sorted(labels)
        ids = {label: names.index(label) + 1 for label in labels if label in names}
    for label in labels:
        if not 1 <= ids.get(label, 0) <= len(names):
            raise ConfigError(
                f"classes: {path} has the class '{label}'", expected=one_of(names), fix="name every class of the table"
            )
    if len(names) > _HIGHEST_ID:
        raise DataError(f"there are {len(names)} classes", where=path, expected=f"at most {_HIGHEST_ID}, in one byte")
    return ("background", *names), ids


def _of_numbers(labels: Sequence[str], classes: Sequence[str] | None) -> tuple[Sequence[str], dict[str, int]]:
    numbers = sorted({int(label) for label in labels})
    if classes is None:
        return [str(number) for number in numbers], {label: numbers.index(int(label)) + 1 for label in labels}
    first = min(1, numbers[0])
    return classes, {label: int(label) - first + 1 for label in labels}
