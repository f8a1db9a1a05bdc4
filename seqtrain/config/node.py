"""A config as a tree that keeps the file, line and column of each value.

Every value keeps its place (`file:line:column`, or the `-s` override that set it) and the folder that its relative
paths start from, also after `extends` and overrides, so that each message can name the exact place to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Key = str | int


@dataclass
class Node:
    """One value of a config, and where it is written.

    Args:
        value: A scalar (None, bool, int, float, str), a list of nodes, or a dict of nodes by key.
        place: Where the value is written.
        folder: The folder that relative paths in it start from.
        key_places: For a dict, where each key is written.
    """

    value: Any
    place: str
    folder: Path
    key_places: dict[str, str] = field(default_factory=dict)

    @property
    def is_mapping(self) -> bool:
        """Whether the value is a dict of nodes."""
        return isinstance(self.value, dict)

    def plain(self) -> Any:
        """The value as plain scalars, lists and dicts."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def find(self, path: Sequence[Key]) -> Node:
        """The node at `path`, or its nearest existing ancestor."""
        node = self
        for key in path:
            if isinstance(node.value, dict) and str(key) in node.value:
                node = node.value[str(key)]
            elif isinstance(node.value, list) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
            else:
                break
        return node

    def holds(self, path: Sequence[Key]) -> bool:
        """Whether there is a value at `path`."""
        node = self
        for key in path:
            child = node.find([key])
            if child is node:
                return False
            node = child
        return True

    def key_place(self, path: Sequence[Key]) -> str:
        """The place of the key at the end of `path`, or of its value if it has no key (an item of a list)."""
        parent = self.find(path[:-1])
        return parent.key_places.get(str(path[-1]), self.find(path).place) if path else self.place


def merged(base: Node, over: Node) -> Node:
    """Merges `over` into `base`: mappings merge key by key, anything else is replaced.

    A mapping that names a different component replaces the mapping in `base` as a whole, since the arguments of one
    component have no meaning for another.
    """
    if not (base.is_mapping and over.is_mapping) or _names_another(base, over):
        return over
    value = dict(base.value)
    for key, child in over.value.items():
        value[key] = merged(value[key], child) if key in value else child
    return Node(value, over.place, over.folder, {**base.key_places, **over.key_places})


def _names_another(base: Node, over: Node) -> bool:
    old, new = base.value.get("name"), over.value.get("name")
    return old is not None and new is not None and old.plain() != new.plain()
