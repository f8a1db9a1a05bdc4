"""Reads YAML by the core schema of YAML 1.2 into nodes that know their line and column.

PyYAML's own constructors follow YAML 1.1, in which `1e-3` is a string, `no` is False and the later of two equal keys
silently wins. Here the composed tree is read instead: `1e-3` is a number, `no` stays a string (a bool argument accepts
it as false), and a repeated key is a mistake.

Source: YAML 1.2.2, chapter 10.3 (Core Schema), for the forms of numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from seqtrain.config.node import Node
from seqtrain.errors import ConfigError, Mistake, did_you_mean

_MAX_DIGITS = 1000
_MAX_LEVELS = 100
_MAX_VALUES = 100_000  # of one file, after aliases are expanded
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def scalar(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) < _MAX_DIGITS and _INTEGER.fullmatch(text):
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read_file(path: Path, mistakes: list[Mistake]) -> Node:
    """The tree of a file.

    Args:
        path: The file, as the user wrote it.
        mistakes: A mistake for each repeated key is added to this list.

    Raises:
        ConfigError: when the file cannot be read as one mapping.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError("no such config file", where=path, fix=_nearest_file(path)) from error
    except IsADirectoryError as error:
        raise ConfigError("is a folder", where=path, expected="a YAML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not text: byte {error.start} is not UTF-8", where=path, expected="a YAML file in UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from error
    node = read_text(text, str(path), path.resolve().parent, mistakes)
    if not node.is_mapping:
        raise ConfigError(
            "is not a config",
            where=path,
            expected="a mapping with keys such as source, sequence and model",
            received=_kind(node.value),
            fix="see the example in the README, or configs/digits.yaml",
        )
    return node


def read_text(text: str, name: str, folder: Path, mistakes: list[Mistake]) -> Node:
    """The tree of a YAML document.

    Args:
        text: The document.
        name: The name of the document in places, which are `name:line:column`.
        folder: The folder that relative paths in it start from.
        mistakes: A mistake for each repeated key is added to this list.

    Raises:
        ConfigError: when it is not YAML, or not one document, or its aliases expand without end.
    """
    try:
        composed = yaml.compose(text, Loader=yaml.SafeLoader)
        return _Builder(name, folder, mistakes).build(composed) if composed else Node(None, f"{name}:1:1", folder)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        context = f" ({error.context})" if error.context else ""
        raise ConfigError(
            f"is not valid YAML: {error.problem}{context}", where=where, fix=_yaml_hint(str(error.problem))
        ) from error
    except yaml.reader.ReaderError as error:
        raise ConfigError(
            f"is not YAML: character {error.position} is unprintable (#x{error.character:04x})",
            where=name,
            expected="a YAML text file",
        ) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", where=name) from error


class _Builder:
    """Turns PyYAML's nodes into ours, and counts them: aliases may expand to billions."""

    def __init__(self, name: str, folder: Path, mistakes: list[Mistake]) -> None:
        self.name = name
        self.folder = folder
        self.mistakes = mistakes
        self.count = 0

    def build(self, composed: yaml.Node, level: int = 0) -> Node:
        self.count += 1
        if level > _MAX_LEVELS:
            raise RecursionError
        if self.count > _MAX_VALUES:
            raise ConfigError(
                "its aliases expand to too much",
                where=self.place(composed),
                expected=f"at most {_MAX_VALUES:,} values",
                fix="write the repeated part once, without aliases within aliases",
            )
        node = Node(None, self.place(composed), self.folder)
        if isinstance(composed, yaml.MappingNode):
            node.value = {}
            self.fill_mapping(node, composed, level + 1)
        elif isinstance(composed, yaml.SequenceNode):
            node.value = [self.build(item, level + 1) for item in composed.value]
        elif isinstance(composed, yaml.ScalarNode):
            node.value = self.scalar(composed)
        return node

    def fill_mapping(self, node: Node, composed: yaml.MappingNode, level: int) -> None:
        merges = [value for key, value in composed.value if key.value == "<<" and not key.style]
        for key, value in composed.value:
            place = self.place(key)
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError("a key must be a word", where=place, received=_kind(key.value))
            if key.value == "<<" and not key.style:
                continue
            if key.value in node.value:
                self.mistakes.append(
                    Mistake(
                        f"'{key.value}' is given twice",
                        place,
                        received=f"the first at {node.key_places[key.value]}",
                        fix="remove one of the two",
                    )
                )
            node.value[key.value] = self.build(value, level)
            node.key_places[key.value] = place
        for merge in merges:
            for base in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
                if not isinstance(base, yaml.MappingNode):
                    raise ConfigError("'<<' needs a mapping to merge", where=self.place(base))
                built = self.build(base, level)
                node.value = {**built.value, **node.value}
                node.key_places = {**built.key_places, **node.key_places}

    def scalar(self, composed: yaml.ScalarNode) -> Any:
        if composed.tag.startswith("!") or composed.tag.startswith("tag:yaml.org,2002:python"):
            raise ConfigError(
                f"the tag {composed.tag} is not allowed", where=self.place(composed), expected="plain values"
            )
        if any("\ud800" <= character <= "\udfff" for character in composed.value):
            raise ConfigError("holds half a character (a lone surrogate)", where=self.place(composed))
        return composed.value if composed.style else scalar(composed.value)

    def place(self, composed: yaml.Node) -> str:
        return f"{self.name}:{composed.start_mark.line + 1}:{composed.start_mark.column + 1}"


def _kind(value: Any) -> str:
    if value is None:
        return "an empty document"
    kinds: dict[type, str] = {dict: "a mapping", list: "a list", str: "text", bool: "a switch"}
    return kinds.get(type(value), "a number")


def _yaml_hint(problem: str) -> str | None:
    if "\\t" in problem or "tab" in problem:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in problem:
        return "quote a value that holds ': ', or check the indentation"
    return None


def _nearest_file(path: Path) -> str | None:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    return did_you_mean(path.name, (file.name for file in folder.iterdir() if file.suffix in (".yaml", ".yml")))
