"""Finds the byte offsets of the items in a JSON file, so that a single item can be read again later.

A file of annotations may have hundreds of megabytes, and several times that as Python objects. Here each item of a list
is parsed, yielded with its offset, and released; the caller keeps the offset and the few numbers that it needs.

`json.JSONDecoder` is used, because no JSON library returns the byte offsets of values.

The bytes are decoded as Latin-1, in which each character is one byte, so that offsets in the text are offsets in the
file. JSON's own syntax is ASCII, and `unmangled` restores the text of strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError, unreadable

_SPACE = re.compile(r"[ \t\n\r]*")
_BYTE_ORDER_MARK = "\xef\xbb\xbf"


@dataclass(frozen=True)
class JSONItem:
    """An item of a list in a JSON file.

    Args:
        key: The name of the list in the file's object.
        value: The item.
        start: The byte at which it begins.
        length: The number of its bytes.
    """

    key: str
    value: Any
    start: int
    length: int


def json_items(path: Path, keys: Collection[str]) -> Iterator[JSONItem]:
    """The items of some lists in the object of a JSON file, in the order of the file.

    Raises:
        DataError: when the file is missing or not a JSON object, or one of `keys` is missing or not a list.
    """
    try:
        text = path.read_bytes().decode("latin-1")
    except OSError as error:
        raise unreadable(path, error) from error
    found: set[str] = set()
    try:
        yield from _walk(text, keys, found)
    except json.JSONDecodeError as error:
        raise DataError(
            f"the file is no JSON object: {error.msg}",
            where=f"{path}:{error.lineno}:{error.colno}",
            fix="check that the file was copied whole",
        ) from error
    for key in keys:
        if key not in found:
            raise DataError(f"there is no list '{key}'", where=path, expected=f"lists of {', '.join(sorted(keys))}")


def read_item(path: Path, start: int, length: int) -> Any:
    """Reads one item again."""
    with path.open("rb") as file:
        file.seek(start)
        return json.loads(file.read(length))


def decoded_text(text: str) -> str:
    """The text of a string in an item of `json_items`, decoded as UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text  # it was written with escapes


def _walk(text: str, keys: Collection[str], found: set[str]) -> Iterator[JSONItem]:
    decoder = json.JSONDecoder()
    position = _after(text, len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0, "{")
    while text[position : position + 1] != "}":
        key, position = decoder.raw_decode(text, position)
        position = _after(text, position, ":")
        if key in keys and text[position : position + 1] == "[":
            found.add(key)
            position = yield from _items(text, key, position)
        else:
            _, position = decoder.raw_decode(text, position)
        position = _next(text, position, "}")


def _items(text: str, key: str, position: int) -> Generator[JSONItem, None, int]:
    """Yields the items of the list that begins at `position`, and returns its end."""
    decoder = json.JSONDecoder()
    position = _after(text, position, "[")
    while text[position : position + 1] != "]":
        value, end = decoder.raw_decode(text, position)
        yield JSONItem(key, value, position, end - position)
        position = _next(text, end, "]")
    return position + 1


def _next(text: str, position: int, close: str) -> int:
    """The position of the next member, or of the closing bracket."""
    position = _skip_space(text, position)
    return position if text[position : position + 1] == close else _after(text, position, ",")


def _after(text: str, position: int, character: str) -> int:
    """The position after a character that must come next, and after the space that follows it."""
    position = _skip_space(text, position)
    if text[position : position + 1] != character:
        raise json.JSONDecodeError(f"expected '{character}'", text, position)
    return _skip_space(text, position + 1)


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position
