"""What a config sets otherwise than by default: what people look for in a resolved one, which holds every value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from seqtrain.config.compare import by_key, changes, is_callback
from seqtrain.config.flat import FlatValue
from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Node
from seqtrain.config.schema import ComponentConfig

_NAMES = (("source",), ("sequence",), ("model",), ("compile", "optimizer"), ("compile", "loss"))


def departures(loaded: LoadedConfig) -> list[FlatValue]:
    """The components that were chosen, and the values that are not what they are by default, in the schema's order."""
    nothing = Node(None, "", Path())
    whole = by_key(loaded.config, nothing)
    differing = {change.keys for change in changes(by_key(_bare(loaded.config), nothing), whole)}
    return [value for keys, value in whole.items() if keys in differing or keys in _NAMES or is_callback(keys)]


def _bare(value: Any) -> Any:
    """The same components with no arguments, and each other value as it is by default; none where it has to be set."""
    if isinstance(value, ComponentConfig):
        return ComponentConfig.of(value.name, {})
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _bare_field(value, name) for name in type(value).model_fields})
    return value


def _bare_field(section: BaseModel, name: str) -> Any:
    value, field = getattr(section, name), type(section).model_fields[name]
    if isinstance(value, BaseModel) or (isinstance(value, list) and value and isinstance(value[0], BaseModel)):
        return _bare(value)
    return None if field.is_required() else field.get_default(call_default_factory=True)
