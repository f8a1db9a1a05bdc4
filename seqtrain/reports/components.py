"""Lists the components that a config may name, as text and as JSON."""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from seqtrain.config.imports import import_module_or_file
from seqtrain.errors import ConfigError, did_you_mean
from seqtrain.registry import FAMILIES, Component
from seqtrain.signature import REQUIRED, annotation_name, docstring_section

_WIDTH = 110
_SUPPLIED = {
    "x_set": "the samples of its side (x_set)",
    "y_set": "their targets (y_set)",
    "y_by_x": "a dict of the samples to their targets (y_by_x)",
    "dataset": "the samples of its side with their targets: dataset[i] is (x, y)",
    "data": "the rows of its side as a pandas DataFrame (data)",
    "source": "the source",
    "indices": "the samples of its side, as indices of the source",
    "training_indices": "the samples that train, as indices of the source",
    "training": "whether it is trained on",
}

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
    found = _named(name)
    if not found:
        _import_for(name, folder)
        found = _named(name)
    if not found:
        names = [*FAMILIES, *(each for registry in FAMILIES.values() for each in registry.names())]
        raise ConfigError(
            f"there is no family and no component '{name}'",
            expected=f"a family ({', '.join(FAMILIES)}), or a name that `seqtrain list` prints",
            fix=did_you_mean(name, names)
            or "`seqtrain list` prints them all; for one of your own, run it in the folder of a config that names it",
        )
    return [
        {
            "family": component.family,
            **_document(component),
            "supplied": {each: _SUPPLIED.get(role, role) for each, role in component.roles.items()},
            "about": re.split(r"^\w+:\n", component.signature.docstring, maxsplit=1, flags=re.MULTILINE)[0].strip(),
            "shapes": docstring_section(component.signature.docstring, "Shapes"),
            "example": docstring_section(component.signature.docstring, "Example"),
            "configs": [str(path) for path in sorted(folder.glob("*.yaml")) if _uses(path, component.family, name)],
        }
        for component in found
    ]


def details_text(components: Iterable[Mapping[str, Any]]) -> str:
    """The facts as text for the terminal."""
    lines: list[str] = []
    for component in components:
        lines += [f"{component['family']} {component['name']}", "", *component["about"].splitlines(), ""]
        lines += ["arguments:", *_arguments(component, 2), ""] if component["arguments"] else []
        supplied = [f"  {name}: {what}" for name, what in component["supplied"].items()]
        lines += ["supplied by the run:", *supplied, ""] if supplied else []
        for title in ("shapes", "example", "configs"):
            text = component[title]
            within = text if isinstance(text, list) else text.splitlines()
            lines += [f"{title}:", *(f"  {line}" for line in within), ""] if within else []
    return "\n".join(lines).rstrip()


def _named(name: str) -> list[Component]:
    return [registry.get(name) for registry in FAMILIES.values() if name in registry]


def _import_for(name: str, folder: Path) -> None:
    """Imports what the configs of a folder import, until there is a component of the name: first those that use it."""
    configs = sorted(folder.glob("*.yaml"))
    configs.sort(key=lambda path: not any(_uses(path, family.singular, name) for family in FAMILIES.values()))
    for config in configs:
        for each in _imports(config):
            if not each.endswith(".py") or _mentions(config.parent / each, name):
                with contextlib.suppress(ConfigError):  # `check` of that config says what is wrong
                    import_module_or_file(each, config.parent, str(config))
        if _named(name):
            return


def _mentions(file: Path, name: str) -> bool:
    """Whether a file of Python code may register a name."""
    try:
        return name in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _imports(config: Path) -> list[str]:
    try:
        return [each for each in yaml.safe_load(config.read_text(encoding="utf-8"))["imports"] if isinstance(each, str)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return []


def _uses(config: Path, family: str, name: str) -> bool:
    """Whether a config, or a part of one, names a component of a family."""
    try:
        document = yaml.safe_load(config.read_text(encoding="utf-8"))
        compiled = document.get("compile") or {}
        named = {"loss": compiled.get("loss"), "metric": compiled.get("metrics"), "callback": document.get("callbacks")}
        return name in _names({**document, **named}.get(family))
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
