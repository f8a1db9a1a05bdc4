"""Lists the components that a config may name, as text and as JSON."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from seqtrain.errors import ConfigError, did_you_mean
from seqtrain.registry import FAMILIES, Component
from seqtrain.signature import REQUIRED, annotation_name, docstring_section

_WIDTH = 110

Lists = Mapping[str, list[dict[str, Any]]]


def component_lists(families: Iterable[str]) -> Lists:
    """Name, summary and arguments of every component, by family."""
    return {family: [_document(FAMILIES[family].get(name)) for name in FAMILIES[family].names()] for family in families}


def components_text(lists: Lists) -> str:
    """The lists as text for the terminal."""
    lines = []
    for family, components in lists.items():
        lines += [f"{family}:"]
        for component in components:
            lines += ["", *_wrapped(f"{component['name']}: {component['summary']}", 2), *_arguments(component, 6)]
        lines += [""]
    return "\n".join(lines).rstrip()


def component_details(name: str, folder: Path) -> list[dict[str, Any]]:
    """All facts about the components with a name, which may be in several families.

    Args:
        name: The name in configs.
        folder: The folder that is searched for configs that use it.

    Raises:
        ConfigError: when there is no component with this name.
    """
    found = [registry.get(name) for registry in FAMILIES.values() if name in registry]
    if not found:
        names = [*FAMILIES, *(each for registry in FAMILIES.values() for each in registry.names())]
        raise ConfigError(
            f"there is no family and no component '{name}'",
            expected=f"a family ({', '.join(FAMILIES)}), or a name that `seqtrain list` prints",
            fix=did_you_mean(name, names) or "`seqtrain list` prints them all",
        )
    return [
        {
            "family": component.family,
            **_document(component),
            "about": re.split(r"^\w+:\n", component.signature.docstring, maxsplit=1, flags=re.MULTILINE)[0].strip(),
            "shapes": docstring_section(component.signature.docstring, "Shapes"),
            "example": docstring_section(component.signature.docstring, "Example"),
            "configs": [str(path) for path in sorted(folder.glob("*.yaml")) if _uses(path, component)],
        }
        for component in found
    ]


def details_text(components: Iterable[Mapping[str, Any]]) -> str:
    """The facts as text for the terminal."""
    lines: list[str] = []
    for component in components:
        lines += [f"{component['family']} {component['name']}", "", *component["about"].splitlines(), ""]
        lines += ["arguments:", *_arguments(component, 2), ""] if component["arguments"] else []
        for title in ("shapes", "example", "configs"):
            text = component[title]
            within = text if isinstance(text, list) else text.splitlines()
            lines += [f"{title}:", *(f"  {line}" for line in within), ""] if within else []
    return "\n".join(lines).rstrip()


def _uses(config: Path, component: Component) -> bool:
    """Whether a config names a component."""
    try:
        document = yaml.safe_load(config.read_text(encoding="utf-8"))
        compiled = document.get("compile") or {}
        named = {"loss": compiled.get("loss"), "metric": compiled.get("metrics"), "callback": document.get("callbacks")}
        return component.name in _names({**document, **named}.get(component.family))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError):
        return False


def _names(value: Any) -> set[str]:
    """The component names in a value of a config, which may be one component, a list, or one for each output."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {value["name"]} if "name" in value else set(value).union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


def _arguments(component: Mapping[str, Any], indent: int) -> list[str]:
    lines = []
    for name, argument in component["arguments"].items():
        default = "required" if argument["required"] else f"default {_shown(argument['default'])}"
        meaning = f"  {argument['meaning']}" if argument["meaning"] else ""
        lines += _wrapped(f"{name} ({argument['type']}, {default}){meaning}", indent)
    return lines


def _document(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "summary": component.signature.summary,
        "arguments": {
            name: {
                "type": annotation_name(parameter.annotation),
                "required": parameter.default is REQUIRED,
                **({} if parameter.default is REQUIRED else {"default": _json(parameter.default)}),
                "meaning": parameter.meaning,
            }
            for name, parameter in component.settings.parameters.items()
        },
    }


def _json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str, dict)) else str(value)


def _shown(value: Any) -> str:
    names = {None: "null", True: "true", False: "false"}
    return names[value] if value is None or isinstance(value, bool) else str(value) if value != "" else "''"


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, _WIDTH, initial_indent=space, subsequent_indent=space + "    ")
