"""Lists what a config may name, for a person and for a script."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from seqtrain.registry import FAMILIES, REQUIRED, Component, annotation_name

_WIDTH = 110

Lists = Mapping[str, list[dict[str, Any]]]


def component_lists(families: Iterable[str]) -> Lists:
    """Name, summary and arguments of every component, by family."""
    return {family: [_document(FAMILIES[family].get(name)) for name in FAMILIES[family].names()] for family in families}


def components_text(lists: Lists) -> str:
    """The same for a terminal."""
    lines = []
    for family, components in lists.items():
        lines += [f"{family}:"]
        for component in components:
            lines += ["", *_wrapped(f"{component['name']}: {component['summary']}", 2)]
            for name, argument in component["arguments"].items():
                default = "required" if argument["required"] else f"default {_shown(argument['default'])}"
                meaning = f"  {argument['meaning']}" if argument["meaning"] else ""
                lines += _wrapped(f"{name} ({argument['type']}, {default}){meaning}", 6)
        lines += [""]
    return "\n".join(lines).rstrip()


def _document(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "summary": component.summary,
        "arguments": {
            name: {
                "type": annotation_name(parameter.annotation),
                "required": parameter.default is REQUIRED,
                **({} if parameter.default is REQUIRED else {"default": _json(parameter.default)}),
                "meaning": parameter.meaning,
            }
            for name, parameter in component.arguments.items()
        },
    }


def _json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str, dict)) else str(value)


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value) if value != "" else "''"


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=space, subsequent_indent=space + "    ")
