"""Checks of class labels that are stored as numbers, and the names of their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError

_PLAUSIBLE_CLASSES = 100_000


def class_names(
    labels: npt.NDArray[np.integer[Any] | np.bool],
    names: Sequence[str] | None,
    where: Callable[[int], str],
) -> tuple[str, ...]:
    """The names of the classes: those given, or "0", "1" and so on.

    Args:
        labels: One class index per sample.
        names: The names that the config gives, if any.
        where: Returns the place of a label, for messages.

    Raises:
        DataError: when a label is negative, or too large to be the index of a class.
    """
    lowest, highest = int(labels.argmin()), int(labels.argmax())
    limit = len(names) if names else max(_PLAUSIBLE_CLASSES, len(labels))
    for row in (lowest, highest):
        if not 0 <= int(labels[row]) < limit:
            raise DataError(
                f"the label {labels[row]} is no class index",
                where=where(row),
                expected=f"whole numbers from 0 to {limit - 1}",
                fix=f"`classes` names {limit} classes: name every class, or correct the label"
                if names
                else "number the classes 0, 1, 2 ...; for regression save the targets as float32",
            )
    return tuple(names) if names else tuple(str(number) for number in range(int(labels[highest]) + 1))


def check_distinct(classes: Sequence[str]) -> None:
    """Checks that a list of class names is not empty and has no duplicates.

    Raises:
        ConfigError: when it is empty or has duplicates.
    """
    if not classes:
        raise ConfigError("classes: the list is empty", fix="name every class once, or leave classes out")
    name, count = Counter(classes).most_common(1)[0]
    if count > 1:
        raise ConfigError(f"classes: '{name}' is named twice", fix="name every class once")


def check_finite(targets: npt.NDArray[np.floating[Any]], where: Callable[[int], str]) -> None:
    """Checks for targets that would turn the loss into NaN.

    Raises:
        DataError: when a target is NaN or infinite.
    """
    bad = ~np.isfinite(targets).reshape(len(targets), -1).all(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"the label is {'NaN' if np.isnan(targets[row]).any() else 'infinite'}",
            where=where(row),
            expected="finite numbers",
            received=f"{int(bad.sum())} such rows of {len(targets)}",
            fix="correct these rows, or leave them out of the data",
        )
