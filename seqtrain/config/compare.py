"""Compares two configs key by key, with all defaults filled in on both sides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seqtrain.config.flat import FlatValue, Names, flattened
from seqtrain.config.load import LoadedConfig, load_config
from seqtrain.config.node import Node
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError

log = logging.getLogger("seqtrain")

Flat = Mapping[Names, FlatValue]


@dataclass(frozen=True)
class Change:
    """A value that differs between two configs.

    Args:
        keys: The value's key, as a path.
        before: The value in the first config; None if it has no such key.
        after: The value in the second config, likewise.
    """

    keys: Names
    before: FlatValue | None
    after: FlatValue | None

    def to_json(self) -> dict[str, Any]:
        """A JSON document; `place` is null for a default or a missing value."""
        return {"key": ".".join(self.keys), "a": _side(self.before), "b": _side(self.after)}


def compare(first: Path, second: Path) -> list[Change]:
    """Compares two configs, each of which may be the one of a run folder.

    Data and imports need not exist, so runs can be compared on another machine.

    Args:
        first: A config, or a run folder.
        second: Another one.

    Raises:
        ConfigError: when one of them is wrong.
        CheckpointError: when one of them is a folder without a config.
    """
    old, new = (_loaded(config_file(path)) for path in (first, second))
    before, after = by_key(old.config, old.root), by_key(new.config, new.root)
    found = changes(before, after)
    orders = other_order(before, after)
    if orders is not None:
        sides = zip((old, new), orders, strict=True)
        callbacks = (_callbacks(side, names) for side, names in sides)
        found.append(Change(("callbacks",), *callbacks))
    return found


def config_file(path: Path) -> Path:
    """The path of a config; for a run folder, the path of its config.yaml.

    Raises:
        CheckpointError: when it is a folder without a config.
    """
    if not path.is_dir():
        return path
    if not (path / "config.yaml").is_file():
        raise CheckpointError(
            "holds no config.yaml", where=path, expected="a config, or a run folder", fix="name a folder below runs/"
        )
    return path / "config.yaml"


def by_key(config: RunConfig, root: Node) -> dict[Names, FlatValue]:
    """Every value of a config by its key."""
    return {value.keys: value for value in flattened(config, root)}


def changes(before: Flat, after: Flat) -> list[Change]:
    """The values that differ; if a component was replaced, only its name and the arguments that a config sets."""
    before, after = with_mappings(before, after), with_mappings(after, before)
    found: dict[Names, Change] = {}
    for keys in dict.fromkeys([*after, *before]):
        pair = before.get(keys), after.get(keys)
        is_below_another = any(keys[:length] in found for length in range(1, len(keys)))
        are_written = all(value is not None and not value.is_default for value in pair)
        if (are_written or not is_below_another) and not _is_same(*pair):
            found[keys] = Change(keys, *pair)
    return list(found.values())


def with_mappings(side: Flat, other: Flat) -> Flat:
    """Adds a combined value for keys that are mappings in `side` but single values in `other`, such as the loss.

    Args:
        side: Every value of a config by its key.
        other: Every value of the other config.
    """
    whole: dict[Names, FlatValue] = {}
    for keys, value in side.items():
        for length in range(1, len(keys)):
            head = keys[:length]
            if head in other and other[head].value is not None and head not in side and head not in whole:
                whole[head] = replace(value, keys=head, value=_below(side, head), path=value.path[:length])
        whole[keys] = value
    return whole


def _below(side: Flat, head: Names) -> dict[str, Any]:
    """The values below a key, without the arguments of components."""
    length = len(head)
    found = [each for each in side if each[:length] == head]
    tops = (each for each in found if not any(each[:at] in side for at in range(length + 1, len(each))))
    return {".".join(each[length:]): side[each].value for each in tops}


def other_order(
    before: Iterable[Names], after: Iterable[Names], counts: Callable[[Names], bool] = lambda keys: True
) -> tuple[list[str], list[str]] | None:
    """The callbacks that both configs have, in the order of each, if the orders differ: callbacks may depend on it.

    Args:
        before: The keys of the first config.
        after: The keys of the second config.
        counts: Whether the position of a callback matters.
    """
    first, second = ([keys[1] for keys in side if is_callback(keys) and counts(keys)] for side in (before, after))
    old, new = ([name for name in order if name in first and name in second] for order in (first, second))
    return (old, new) if old != new else None


def is_callback(keys: Names) -> bool:
    """Whether a key is that of a callback, not of one of its arguments."""
    return keys[0] == "callbacks" and len(keys) == 2


def _loaded(path: Path) -> LoadedConfig:
    loaded = load_config(path, needs_files=False)
    for mistake in loaded.missing:
        log.warning("warning: %s\n  compared without it", replace(mistake, fix=None))
    return loaded


def _callbacks(side: LoadedConfig, names: list[str]) -> FlatValue:
    is_default = not side.root.holds(("callbacks",))
    return FlatValue(("callbacks",), names, side.place("callbacks"), is_default, "", ("callbacks",))


def _side(value: FlatValue | None) -> dict[str, Any]:
    if value is None:
        return {"value": None, "place": None}
    return {"value": value.value, "place": None if value.is_default else value.place}


def _is_same(old: FlatValue | None, new: FlatValue | None) -> bool:
    if _is_nothing(old) or _is_nothing(new):
        return _is_nothing(old) and _is_nothing(new)
    values = [value.value for value in (old, new) if value is not None]
    # In Python True == 1; here they differ, while 1 and 1.0 are equal.
    return values[0] == values[1] and isinstance(values[0], bool) is isinstance(values[1], bool)


def _is_nothing(value: FlatValue | None) -> bool:
    return value is None or value.value is None
