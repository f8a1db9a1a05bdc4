"""Flattens a config: every value, defaults included, by its dotted key, with its `file:line:column` and its meaning.

`compare`, `diff` and `explain` all use these keys: `fit.epochs`, `model.filters`, `callbacks.early_stopping.patience`.
They are the keys that `-s` accepts. The second of two callbacks with the same name is `NAME (2)`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from seqtrain import keras_api
from seqtrain.config.components import arguments_path
from seqtrain.config.node import Key, Node
from seqtrain.config.schema import ComponentConfig, RunConfig
from seqtrain.registry import FAMILIES
from seqtrain.signature import REQUIRED, Parameter, Signature

Names = tuple[str, ...]

_KINDS: Mapping[str, keras_api.Kind] = {
    "optimizer": "optimizer",
    "loss": "loss",
    "metrics": "metric",
    "weighted_metrics": "metric",
    "learning_rate": "schedule",
}


@dataclass(frozen=True)
class FlatValue:
    """One value of a config.

    Args:
        keys: Its key, as a path.
        value: The value, as read from YAML; for a component, its name.
        place: Its `file:line:column` or override; for a default, where it could be set.
        is_default: Whether the value is the default, since it is not set anywhere.
        meaning: Its description in the schema or in the component's docstring.
        path: The keys that lead to it in the tree.
    """

    keys: Names
    value: Any
    place: str
    is_default: bool
    meaning: str
    path: tuple[Key, ...]

    @property
    def key(self) -> str:
        """The dotted key."""
        return ".".join(self.keys)


def flattened(config: RunConfig, root: Node) -> Iterator[FlatValue]:
    """Every value of a config, in the order of the schema.

    Args:
        config: The config.
        root: The tree that it was made from.
    """
    return _of_section((), config, root, ())


def component_parameters(keys: Names, name: str) -> Mapping[str, Parameter]:
    """The parameters of the component `name` at `keys`; empty if it is unknown."""
    return _signature(keys, name).parameters


def _flat(keys: Names, value: Any, meaning: str, root: Node, path: tuple[Key, ...]) -> Iterator[FlatValue]:
    if isinstance(value, ComponentConfig):
        yield from _of_component(keys, value, meaning, root, path)
    elif isinstance(value, BaseModel):
        yield from _of_section(keys, value, root, path)
    elif isinstance(value, dict) and keys[-1] == "learning_rate" and isinstance(value.get("name"), str):
        arguments = {name: item for name, item in value.items() if name != "name"}
        yield from _of_component(keys, ComponentConfig.of(value["name"], arguments), meaning, root, path)
    elif isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _flat((*keys, str(name)), item, meaning, root, (*path, str(name)))
    elif keys == ("callbacks",) or (isinstance(value, list) and any(isinstance(i, ComponentConfig) for i in value)):
        yield from _of_list(keys, value, meaning, root, path)
    else:
        yield FlatValue(keys, _plain(value), root.find(path).place, not root.holds(path), meaning, path)


def _of_section(keys: Names, section: BaseModel, root: Node, path: tuple[Key, ...]) -> Iterator[FlatValue]:
    short = root.holds(path) and root.find(path).value is not None and not root.find(path).is_mapping
    for name, field in type(section).model_fields.items():
        written_short = short and name in section.model_fields_set  # as `split: 0.8` for `split: {train: 0.8}`
        own_path = path if written_short else (*path, name)
        meaning = " ".join((field.description or "").split())
        yield from _flat((*keys, name), getattr(section, name), meaning, root, own_path)


def _of_component(
    keys: Names, component: ComponentConfig, meaning: str, root: Node, path: tuple[Key, ...]
) -> Iterator[FlatValue]:
    signature = _signature(keys, component.name)
    name_path = (*path, "name")
    place = root.find(name_path).place
    yield FlatValue(keys, component.name, place, not root.holds(path), signature.summary or meaning, path)
    inner = arguments_path(root, path, component.name)
    defaults = {name: p.default for name, p in signature.parameters.items() if p.default is not REQUIRED}
    for name, argument in {**defaults, **component.arguments}.items():
        argument_meaning = signature.parameters[name].meaning if name in signature.parameters else ""
        # The key "name" is the component's name, so an argument called "name" cannot be set.
        own_path = (*inner, name, "") if (*inner, name) == name_path else (*inner, name)
        yield from _flat((*keys, name), argument, argument_meaning, root, own_path)


def _of_list(
    keys: Names, components: list[ComponentConfig], meaning: str, root: Node, path: tuple[Key, ...]
) -> Iterator[FlatValue]:
    if keys != ("callbacks",):
        names = [component.name for component in components]
        yield FlatValue(keys, names, root.find(path).place, not root.holds(path), meaning, path)
    for index, name in enumerate(_numbered(component.name for component in components)):
        yield from _flat((*keys, name), components[index], "", root, (*path, index))


def _numbered(names: Iterable[str]) -> Iterator[str]:
    """The names; the second occurrence of a name and later ones get a number, as in `tqdm (2)`."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield f"{name} ({seen[name]})" if seen[name] > 1 else name


def _signature(keys: Names, name: str) -> Signature:
    """The signature of the component at `keys`; an empty one if the component is unknown."""
    in_keras = "learning_rate" if keys[-1] == "learning_rate" else keys[1] if keys[0] == "compile" else ""
    keras_kind = _KINDS.get(in_keras)
    family = keras_kind or keys[0]
    registry = next((known for known in FAMILIES.values() if family in (known.singular, known.family)), None)
    if registry is not None and name in registry:
        return registry.get(name).possible_settings
    offer = keras_api.find(keras_kind, name) if keras_kind is not None else None
    return Signature({}) if offer is None else offer.signature


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
