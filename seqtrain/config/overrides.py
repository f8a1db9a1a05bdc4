"""Applies `-s a.b=value`, which sets one value of a config from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from seqtrain.config.node import Node
from seqtrain.config.reader import read_text
from seqtrain.errors import ConfigError, Mistake, did_you_mean, one_of


def apply_override(root: Node, text: str, mistakes: list[Mistake]) -> None:
    """Sets one value in the tree.

    The path goes through keys and, in lists, through positions or component names: `fit.epochs=3`,
    `callbacks.early_stopping.patience=5`, `compile.metrics.0=accuracy`. A path below a plain component name turns it
    into a mapping: `compile.optimizer.learning_rate=0.01` works on `optimizer: adam`.

    Args:
        root: The tree; changed in place.
        text: The override, `path=value`; the value is YAML.
        mistakes: A mistake for each repeated key in the value is added to this list.

    Raises:
        ConfigError: when the override does not have that form, or its path does not exist.
    """
    place = f"-s {text}"
    path, equals, value_text = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError("is not an override", where=place, expected="path=value, such as fit.epochs=3")
    value = read_text(value_text, place, Path.cwd(), mistakes)
    _set_places(value, place)
    node = root
    for key in keys[:-1]:
        node = _descend(node, key, place)
    _set(node, keys[-1], value, place)


def _descend(node: Node, key: str, place: str) -> Node:
    if isinstance(node.value, list):
        return _item(node, key, place)
    _make_mapping(node, key, place)
    if key not in node.value:
        node.value[key] = Node({}, place, node.folder)
        node.key_places[key] = place
    child: Node = node.value[key]
    return child


def _set(node: Node, key: str, value: Node, place: str) -> None:
    if isinstance(node.value, list):
        target = _item(node, key, place)
        target.__dict__.update(value.__dict__)
        return
    _make_mapping(node, key, place)
    node.value[key] = value
    node.key_places[key] = place


def _make_mapping(node: Node, key: str, place: str) -> None:
    """Turns a plain component name, or an empty value, into a mapping that can contain `key`."""
    if isinstance(node.value, str):
        node.value = {"name": Node(node.value, node.place, node.folder)}
        node.key_places = {"name": node.place}
    if node.value is None:
        node.value = {}
    if not node.is_mapping:
        raise ConfigError(f"'{key}' leads into a value that has no parts", where=place, received=repr(node.value))


def _item(node: Node, key: str, place: str) -> Node:
    """An item of a list of components, by position or by name; if by name, the node with its arguments."""
    items: list[Node] = node.value
    for index, item in enumerate(items):
        if key in (str(index), item.value) or (item.is_mapping and item.find(["name"]).value == key):
            return item
        if item.is_mapping and list(item.value) == [key]:
            return cast(Node, item.value[key])
    names = [_label(item) for item in items]
    raise ConfigError(
        f"the list has no '{key}'",
        where=place,
        expected=one_of([*names, f"0 to {len(names) - 1}"]) if names else "an empty list to be set whole",
        fix=did_you_mean(key, names),
    )


def _label(item: Node) -> str:
    if not item.is_mapping:
        return str(item.value)
    return str(item.value["name"].value) if "name" in item.value else next(iter(item.value), "{}")


def _set_places(node: Node, place: str) -> None:
    node.place = place
    node.key_places = dict.fromkeys(node.key_places, place)
    children = node.value.values() if node.is_mapping else node.value if isinstance(node.value, list) else ()
    for child in children:
        _set_places(child, place)
