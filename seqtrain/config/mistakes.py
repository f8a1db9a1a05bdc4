"""Converts pydantic's errors into `Mistake`s with `file:line:column`, in the terms of the config."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from seqtrain.config.node import Key, Node
from seqtrain.errors import Mistake, did_you_mean, one_of

_WORDS = {
    "a valid array": "a list",
    "an object": "a mapping",
    "a valid dictionary": "a mapping",
    "a valid integer": "a whole number",
    "a valid boolean": "true or false",
    "a valid string": "text",
    "a valid number": "a number",
}


def mistakes_of(
    error: ValidationError,
    root: Node,
    path: tuple[Key, ...] = (),
    title: str = "",
    schema: type[BaseModel] | None = None,
) -> list[Mistake]:
    """The mistakes that a validation found; several errors for one value are joined into one mistake.

    Args:
        error: The error that pydantic raised.
        root: The config's tree.
        path: The keys that lead to the validated value in the tree.
        title: The component whose arguments were validated, if any.
        schema: The section that was validated, for the names of its keys.
    """
    expectations: dict[tuple[Key, ...], list[Any]] = {}
    for item in error.errors():
        place = (*path, *_steps(root.find(path), item["loc"], item["type"]))
        expectations.setdefault(place, []).append(item)
    deepest = [p for p in expectations if not any(len(q) > len(p) and q[: len(p)] == p for q in expectations)]
    return [_mistake(root, place, expectations[place], title, schema) for place in deepest]


def _steps(node: Node, location: Iterable[Key], kind: str) -> tuple[Key, ...]:
    """The keys of a pydantic location, without the names of union members that pydantic inserts."""
    steps: list[Key] = []
    *inner, last = tuple(location) or ("",)
    for step in inner:
        if node.find([step]) is not node:
            node = node.find([step])
            steps.append(step)
    if last != "" and (kind in ("missing", "extra_forbidden") or node.find([last]) is not node):
        steps.append(last)
    return tuple(steps)


def _mistake(
    root: Node, path: tuple[Key, ...], items: list[Any], title: str, schema: type[BaseModel] | None
) -> Mistake:
    dotted = ".".join(map(str, path))
    if items[0]["type"] == "missing" and isinstance(path[-1], int):
        parent = root.find(path[:-1])
        return Mistake(
            f"{'.'.join(map(str, path[:-1]))}: too few items",
            parent.place,
            expected=f"at least {path[-1] + 1}",
            received=json.dumps(parent.plain()),
            code="wrong_value",
        )
    if items[0]["type"] == "missing":
        of = f" of {title}" if title else ""
        return Mistake(
            f"{dotted}: missing{of}", root.find(path[:-1]).place, fix=f"add `{path[-1]}:`", code="missing_key"
        )
    if items[0]["type"] == "extra_forbidden":
        return _unknown_key(root, path, schema)
    expected = " or ".join(dict.fromkeys(_expected(item) for item in items)).replace(
        "a whole number or a number", "a number"
    )
    value = root.find(path).plain()
    received = json.dumps(value, default=str)
    choices = [choice for item in items if item["type"] == "literal_error" for choice in _choices(item)]
    return Mistake(
        f"{dotted}: wrong value" if path else "wrong value",
        root.find(path).place,
        expected=expected,
        received=received if len(received) < 100 else received[:97] + "...",
        fix=did_you_mean(value, choices) if isinstance(value, str) else None,
        code="wrong_value",
    )


def _choices(item: Any) -> list[str]:
    return re.findall(r"'([^']*)'", item["ctx"]["expected"])


def _expected(item: Any) -> str:
    message: str = item["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return _WORDS.get(message, message)


def _unknown_key(root: Node, path: tuple[Key, ...], schema: type[BaseModel] | None) -> Mistake:
    dotted = ".".join(map(str, path))
    sections = _sections(schema) if schema else {}
    names = sections.get(path[:-1], ())
    elsewhere = [".".join(map(str, (*section, path[-1]))) for section, keys in sections.items() if path[-1] in keys]
    fix = did_you_mean(str(path[-1]), names)
    if elsewhere:
        fix = f"write it as {' or '.join(elsewhere)}"
    expected = one_of(names) if names else None
    return Mistake(f"{dotted}: unknown key", root.key_place(path), expected, fix=fix, code="unknown_key")


def _sections(schema: type[BaseModel]) -> dict[tuple[Key, ...], tuple[str, ...]]:
    """The keys of a schema and of its nested sections."""
    sections: dict[tuple[Key, ...], tuple[str, ...]] = {(): tuple(schema.model_fields)}
    for name, field in schema.model_fields.items():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel) and "arguments" not in part.model_fields:
                sections[(name,)] = tuple(part.model_fields)
    return sections
