"""Lists every value of a config with its origin and its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtrain.config.flat import FlatValue, flattened
from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Node
from seqtrain.config.schema import RunConfig
from seqtrain.errors import ConfigError, did_you_mean, one_of

Origin = Literal["default", "file", "extends", "command line"]


@dataclass(frozen=True)
class Explained:
    """One value of a config.

    Args:
        key: Its dotted key, as `-s` accepts it.
        value: The effective value; for a component, its name.
        origin: "default", "file" (the config itself), "extends" (a config that it extends) or "command line".
        places: `file:line:column` or overrides, the effective one first; empty for a default.
        meaning: Its description in the schema or in the component's docstring.
    """

    key: str
    value: Any
    origin: Origin
    places: tuple[str, ...]
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """The value as a JSON document."""
        return {
            "key": self.key,
            "value": self.value,
            "origin": self.origin,
            "places": list(self.places),
            "meaning": self.meaning,
        }


def explain(loaded: LoadedConfig, key: str = "") -> list[Explained]:
    """Every value of a config, defaults included, in the order of the schema.

    Args:
        loaded: The config.
        key: Only this key and the keys below it; all keys if empty.

    Raises:
        ConfigError: when there is no such key.
    """
    flat = list(flattened(loaded.config, loaded.root))
    chosen = [value for value in flat if not key or f"{value.key}.".startswith(f"{key}.")]
    if not chosen:
        keys = [*RunConfig.model_fields, *(value.key for value in flat)]
        raise ConfigError(
            f"the config has no '{key}'",
            where=loaded.path,
            expected=one_of(RunConfig.model_fields) + "; or a key below one, such as fit.epochs",
            fix=did_you_mean(key, keys),
        )
    return [_explained(value, loaded) for value in chosen]


def section_meanings() -> dict[str, str]:
    """The description of each top-level key of a config."""
    return {name: " ".join((field.description or "").split()) for name, field in RunConfig.model_fields.items()}


def _explained(value: FlatValue, loaded: LoadedConfig) -> Explained:
    if value.is_default:
        return Explained(value.key, value.value, "default", (), value.meaning)
    inner = _overrides_in(loaded.root.find(value.path)) if isinstance(value.value, list) else ()
    places = (value.place, *dict.fromkeys(place for place in inner if place != value.place))
    return Explained(value.key, value.value, _origin(value.place, loaded.path), places, value.meaning)


def _origin(place: str, path: Path) -> Origin:
    if place.startswith("-s "):
        return "command line"
    return "file" if place.rsplit(":", 2)[0] == str(path) else "extends"


def _overrides_in(node: Node) -> Iterator[str]:
    """The overrides that changed items of a list."""
    items = node.value if isinstance(node.value, list) else []
    yield from (item.place for item in items if item.place.startswith("-s "))
