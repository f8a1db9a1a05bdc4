"""Checks, before anything is built, that a sequence of a user's own takes the samples of its side of the split."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from seqtrain.errors import Mistake
from seqtrain.registry import SAMPLES, Component
from seqtrain.signature import REQUIRED

_SOUNDS_LIKE_TARGETS = re.compile(r"label|target|mask|class|(^|_)y(_|$)", re.IGNORECASE)


def name_missing(mistakes: list[Mistake], known: Component, arguments: Collection[str], path: str) -> None:
    """Adds to mistakes about missing arguments how the run can supply them, if the sequence takes no samples yet.

    Args:
        mistakes: Those about its arguments are replaced.
        known: The sequence.
        arguments: That the config sets.
        path: Of the arguments in the config, with dots.
    """
    names = _missing(known, arguments)
    if not names or _takes_samples(known, arguments):
        return
    by_message = {f"{path}.{name}: missing of sequence '{known.name}'": name for name in names}
    for number, mistake in enumerate(mistakes):
        if (name := by_message.get(mistake.message)) is not None:
            fix = f"add `{name}:`; or, if it takes samples, let the run supply it: {_decorator(known, names)}"
            mistakes[number] = replace(mistake, fix=fix)


def mistakes_of_samples(
    known: Component, arguments: Collection[str], source: Component | None, validates: bool, place: str
) -> list[Mistake]:
    """The mistake of a sequence that takes no samples, or in a form that the source does not have.

    Args:
        known: The sequence.
        arguments: That the config sets.
        source: The source; None if it is unknown.
        validates: Whether the run has validation samples.
        place: Of the sequence's name in the config.
    """
    if not _takes_samples(known, arguments) and "training" not in known.roles.values():
        if not validates or _missing(known, arguments):
            return []
        return [
            Mistake(
                f"sequence: '{known.name}' takes no samples, so training and validation would see the same ones",
                place,
                expected="a constructor that takes `x_set` and `y_set`, or `source` and `indices`",
                received=f"({', '.join(known.signature.parameters)})",
                fix="add them to the constructor, or `indices` alone to a class that finds its samples itself; "
                "or train without validation: `split: {train: 1, val: 0}`",
                code="takes_no_samples",
            )
        ]
    wanted = set(known.roles_besides(arguments).values())
    found = []
    if source is not None and wanted & {"x_set", "y_set", "y_by_x", "dataset"} and _lacks(source, "as_columns"):
        message = f"sequence: '{known.name}' takes samples as `x_set` and `y_set`, which '{source.name}' does not give"
        fix = "use another source, such as arrays, image_folder or table, or take `source` and `indices` instead"
        found.append(Mistake(message, place, fix=fix, code="no_columns"))
    if source is not None and "data" in wanted and _lacks(source, "as_frame"):
        message = f"sequence: '{known.name}' takes a DataFrame, which '{source.name}' does not give"
        fix = "use `source: {name: table, ...}`, or take `x_set` and `y_set`, or `source` and `indices` instead"
        if usual := [name for name, role in known.roles.items() if role == "data" and name in known.usual]:
            fix = f"use `source: {{name: table, ...}}`; or say what it takes: {_decorator(known, usual)}"
        found.append(Mistake(message, place, fix=fix, code="no_columns"))
    return found


def mistakes_of_class(known: Component, place: str) -> list[Mistake]:
    """The mistakes of a class that cannot be a sequence: it lacks a length, or `__getitem__`."""
    target = known.load()
    if not inspect.isclass(target) or (_is_own(target, "__iter__") and not _is_own(target, "__getitem__")):
        return []
    found = []
    sets_it = "num_batches" in getattr(getattr(target.__init__, "__code__", None), "co_names", ())
    if not hasattr(target, "__len__") and not _is_own(target, "num_batches") and not sets_it:
        expected = "`__len__`, or a property `num_batches`, with the number of batches in an epoch"
        found.append(Mistake(f"sequence: '{known.name}' has no length", place, expected=expected, code="no_length"))
    if not _is_own(target, "__getitem__"):
        expected = "`__getitem__(self, index)`, which returns a batch `(x, y)`"
        found.append(Mistake(f"sequence: '{known.name}' has no batches", place, expected=expected, code="no_batches"))
    return found


def _takes_samples(known: Component, arguments: Collection[str]) -> bool:
    return not SAMPLES.isdisjoint(known.roles_besides(arguments).values())


def _missing(known: Component, arguments: Collection[str]) -> list[str]:
    """The parameters that the config must set, and does not."""
    parameters = known.settings_of(arguments).parameters.values()
    return [each.name for each in parameters if each.default is REQUIRED and each.name not in arguments]


def _decorator(known: Component, names: Collection[str]) -> str:
    """The line that says which parameters take the samples, to paste."""
    targets_last = sorted(names, key=lambda name: _SOUNDS_LIKE_TARGETS.search(name) is not None)
    roles = [f"{role}='{name}'" for role, name in zip(("x_set", "y_set"), targets_last, strict=False)]
    return f"@sequences.register('{known.name}', {', '.join(roles)})"


def _is_own(target: Any, name: str) -> bool:
    """Whether a class has an attribute that is not only declared in Keras's base class."""
    owner = next((each for each in target.__mro__ if name in vars(each)), None)
    return owner is not None and not owner.__module__.startswith("keras.") or hasattr(target, "__getattr__")


def _lacks(source: Component, method: str) -> bool:
    """Whether a source has neither the method nor, for samples, rows of arrays: a class without, or `Source`'s own."""
    target = source.load()
    if not inspect.isclass(target) or hasattr(target, "__getattr__"):
        return False
    methods = [method, "read_rows"] if method == "as_columns" else [method]
    found = [getattr(target, each, None) for each in methods]
    return all(each is None or each.__module__ == "seqtrain.sources.base" for each in found)
