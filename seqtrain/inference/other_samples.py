"""Samples that a run was not trained on, made what its model knows.

Decoding and resizing come from the config. What was fitted on the training part (scales, vocabularies) must stay what
it was: a sequence made anew would fit it on the new samples, and a model would see another scale than it learned. So a
sequence that has fitted something is copied, and the copy reads from the new source.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqtrain.config.load import LoadedConfig
from seqtrain.errors import DataError
from seqtrain.loading.pipeline import Data, build_source, validating_sequence
from seqtrain.sequences.fitted import Vocabulary
from seqtrain.sources.base import Source
from seqtrain.sources.ratings import Ratings
from seqtrain.sources.table import Table
from seqtrain.sources.table_file import Categories
from seqtrain.splits import Indices
from seqtrain.text import listed

log = logging.getLogger("seqtrain")

_MOST_LISTED = 12


def open_other_source(named: LoadedConfig, data: Data, where: str) -> Source:
    """Another source than the run's, whose samples and classes are of the same kind.

    Args:
        named: The run's config with the other source in it.
        data: Of the run.
        where: The settings that name it, for messages.

    Raises:
        ConfigError: when the source cannot be made.
        DataError: when its samples cannot be listed, or its classes or columns are others than the run's.
    """
    component = named.config.source
    if isinstance(data.source, Table):
        arguments = {**component.arguments, **_pinned(data.source)}
        component = component.model_copy(update={"arguments": arguments})
    source = build_source(named, component)
    _check_form(data.source, source, where)
    if isinstance(source, Table) and isinstance(data.source, Table):
        source.targets = {
            name: _renumbered(name, column, data.source.targets[name], where) for name, column in source.targets.items()
        }
    else:
        _check_classes(data.source, source, where)
    if isinstance(source, Ratings) and isinstance(data.source, Ratings):
        source.take_ids_of(data.source)
    return source


def as_the_run_sees(loaded: LoadedConfig, data: Data, source: Source, indices: Indices) -> Any:
    """Some samples of a source in their order and without augmentation, as validation sees the run's own.

    Args:
        loaded: The run's config.
        data: Of the run.
        source: Whose samples look as the run's do.
        indices: Of the source.
    """
    own = validating_sequence(loaded, data, data.split.train) if data.train.fitted() else None
    if own is None:
        return validating_sequence(loaded, dataclasses.replace(data, source=source), indices)
    other = copy.copy(own)
    other.source, other.indices = source, indices
    if hasattr(own, "vocabularies"):
        columns: dict[str, Categories] = getattr(source, "categories")  # noqa: B009 - of tables alone
        other.vocabularies = {
            name: Vocabulary.of(own.vocabularies[name].names, column) for name, column in columns.items()
        }
        for name, column in columns.items():
            ids = other.vocabularies[name].apply(column.codes)
            if num_unknown := np.count_nonzero(ids == Vocabulary.UNKNOWN):
                log.warning("%d of %d rows have a '%s' that training never saw", num_unknown, len(ids), name)
    return other


def _pinned(own: Table) -> dict[str, Any]:
    """What the run found each column to be, so that it is not judged anew by other cells."""
    kinds = {name: "class" if isinstance(column, Categories) else "number" for name, column in own.targets.items()}
    return {"target": None, "targets": kinds, "numeric": list(own.numeric), "categorical": list(own.categorical)}


def _renumbered(name: str, column: Any, own: Any, where: str) -> Any:
    """A target with the run's class indices; other targets stay."""
    if not isinstance(column, Categories):
        return column
    unknown = [each for each in column.names if each not in own.names]
    if unknown:
        raise _other_classes(f"the target '{name}'", own.names, column.names, where)
    codes = np.array([own.names.index(each) for each in column.names], dtype=np.int32)
    return Categories(codes[column.codes], own.names)


def _check_classes(own: Source, other: Source, where: str) -> None:
    """Refuses classes that are not the run's; where some are missing, the others get the run's indices."""
    names, received = own.classes, other.classes
    if names == received:
        return
    if names and received and set(received) <= set(names) and {"classes", "labels"} <= vars(other).keys():
        numbers = np.array([names.index(each) for each in received], dtype=np.int64)
        other.labels, other.classes = numbers[vars(other)["labels"]], names  # type: ignore[misc]
        return
    if names is None or received is None or names[: len(received)] != received:
        raise _other_classes("the source", names, received, where)
    with contextlib.suppress(AttributeError):  # where the source works them out each time
        other.classes = names  # type: ignore[misc]


def _check_form(own: Source, other: Source, where: str) -> None:
    for name, expected in own.form.items():
        received = other.form.get(name)
        if expected != received:
            raise DataError(
                f"the {name.replace('_', ' ')} of this source are not those that the run was trained on",
                where=where,
                expected=str(expected),
                received=str(received),
                fix="name a source of the same form",
            )


def _other_classes(what: str, expected: Any, received: Any, where: str) -> DataError:
    return DataError(
        f"{what} has other classes than the run was trained on",
        where=where,
        expected=_listed(expected),
        received=_listed(received),
        fix="name the class folders or labels as in the run, and in its order (`classes:` of the source)",
    )


def _listed(classes: Sequence[str] | None) -> str:
    return listed(classes, _MOST_LISTED, rest=" ... ({total} classes)") if classes else "no classes"
