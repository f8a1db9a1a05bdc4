"""Gives another source the class indices that a model was trained with, or raises an error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtrain.errors import DataError
from seqtrain.text import listed

if TYPE_CHECKING:
    from seqtrain.sources.base import Source

_MOST_LISTED = 12


def check_form(source: Source, known: Source) -> None:
    """Checks that a source has the same `form`, such as the same window length.

    Raises:
        DataError: when it has another one.
    """
    for name, expected in known.form.items():
        received = source.form.get(name)
        if expected != received:
            raise DataError(
                f"the {name.replace('_', ' ')} of this source are not those that the run was trained on",
                expected=str(expected),
                received=str(received),
                fix="name a source of the same form",
            )


def number_classes(source: Source, known: Source) -> None:
    """Gives the classes of a source the indices that they have in `known`; some classes may be missing.

    Raises:
        DataError: when the source has other classes.
    """
    names, received = known.classes, source.classes
    if names == received:
        return
    if names and received and set(received) <= set(names) and {"classes", "labels"} <= vars(source).keys():
        numbers = np.array([names.index(each) for each in received], dtype=np.int64)
        source.labels, source.classes = numbers[vars(source)["labels"]], names  # type: ignore[misc]
        return
    if names is None or received is None or names[: len(received)] != received:
        raise other_classes("the source", names, received)
    with contextlib.suppress(AttributeError):  # if `classes` is a property
        source.classes = names  # type: ignore[misc]


def other_classes(what: str, expected: Any, received: Any) -> DataError:
    """The error for classes that a model was not trained on."""
    return DataError(
        f"{what} has other classes than the run was trained on",
        expected=_listed(expected),
        received=_listed(received),
        fix="name the class folders or labels as in the run, and in its order (`classes:` of the source)",
    )


def _listed(classes: Any) -> str:
    return listed(classes, _MOST_LISTED, rest=" ... ({total} classes)") if classes else "no classes"
