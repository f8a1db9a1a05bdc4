"""Shows explained and compared configs as tables for the terminal."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.config.compare import Change
from seqtrain.config.explain import Explained, section_meanings
from seqtrain.config.flat import FlatValue
from seqtrain.reports.terminal import UNLIMITED, columns, indented, styled
from seqtrain.text import GAP, counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_WIDEST_VALUE = 20
_WIDEST_PLACE = 34
_WIDEST_COMPARED = 50
_NARROWEST_MEANING = 44
_TYPE_ALONE = re.compile(  # the type with which Keras's descriptions of arguments begin
    r"^(an? |optional |\(optional\) )?(floats?|bool(ean)?|str(ing)?s?|int(eger)?s?|lists?|tuples?|functions?|dicts?)\b"
    r"([^.]|\.(?=\S))*\.\s+(?=[A-Z])",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.;]) (?=[A-Z])")

Row = tuple[str, str, str, str]


def explained(path: Path, values: Sequence[Explained], width: int = UNLIMITED, *, whole: bool) -> list[RenderableType]:
    """Key, value, origin and meaning of each value, arranged like the config.

    Args:
        path: The config.
        values: The values in the order of the schema.
        width: The width of the terminal.
        whole: Whether to show the whole meanings, not only their first sentences.
    """
    rows = list(_rows(values, whole))
    limits = (width, width, width) if width == UNLIMITED else (width, _WIDEST_VALUE, _WIDEST_PLACE)
    widths = [min(limit, max(len(row[column]) for row in rows)) for column, limit in enumerate(limits)]
    is_narrow = width - sum(widths) - len(widths) * len(GAP) < _NARROWEST_MEANING
    parts: list[RenderableType] = [_summary(path, values)]
    for section in _sections(rows):
        parts.append("")
        if is_narrow:
            for key, value, origin, meaning in section:
                line = f"{key:<{widths[0]}}{GAP}{value:<{widths[1]}}{GAP}{origin}".rstrip()
                parts.append(styled(line, "dim" if origin == "default" else ""))
                parts.append(indented(styled(meaning, "dim", wraps=True), len(key) - len(key.lstrip()) + 4))
        else:
            parts.append(_table(section, widths))
    return parts


def _table(rows: Sequence[Row], widths: Sequence[int]) -> Table:
    table = columns((), [""] * 4, min_widths=[*widths, 0])
    for column, width in zip(table.columns, widths, strict=False):
        column.max_width = width
    for row in rows:
        table.add_row(*row, style="dim" if row[2] == "default" else None)
    return table


def _sections(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows of each top-level key."""
    starts = [place for place, row in enumerate(rows) if not row[0].startswith(" ")]
    yield from (list(rows[start:end]) for start, end in pairwise([*starts, len(rows)]))


def differences(first: Path, second: Path, found: Sequence[Change]) -> list[RenderableType]:
    """Each key that differs, with its value and place in both configs, in the style of `diff`.

    Args:
        first: The first config or run folder.
        second: The second one.
        found: The values that differ.
    """
    if not found:
        return [f"{first} and {second} mean the same"]
    sides = [(("- ", "red", change.before), ("+ ", "green", change.after)) for change in found]
    shown = {id(value): _shown(value.value) for pair in sides for *_, value in pair if value is not None}
    widest = min(_WIDEST_COMPARED, max(map(len, shown.values())))
    parts: list[RenderableType] = [f"--- {first}", f"+++ {second}"]
    for change, pair in zip(found, sides, strict=True):
        parts += ["", ".".join(change.keys)]
        for mark, color, value in pair:
            text = "(nothing)" if value is None else f"{shown[id(value)]:<{widest}}{GAP}{_place(value)}"
            parts.append(styled(f"  {mark}{text}", color))
    return [*parts, "", counted(len(found), "difference")]


def _place(value: FlatValue) -> str:
    return "default" if value.is_default else value.place


def _rows(values: Sequence[Explained], whole: bool) -> Iterator[Row]:
    """A row for each value, and one for each section without a value of its own."""
    meanings = section_meanings()
    seen: set[str] = set()
    for value in values:
        parents, _, name = value.key.rpartition(".")
        for depth, section in enumerate(_prefixes(parents)):
            if section not in seen:
                yield (_indented(section.rpartition(".")[2], depth), "", "", meanings.get(section, ""))
            seen.add(section)
        seen.add(value.key)
        meaning = value.meaning if whole else _brief(value.meaning)
        shown = _shown(value.value)
        yield (_indented(name, value.key.count(".")), "" if shown == name else shown, _origin(value), meaning)


def _prefixes(key: str) -> Iterator[str]:
    parts = key.split(".") if key else []
    yield from (".".join(parts[: length + 1]) for length in range(len(parts)))


def _indented(name: str, depth: int) -> str:
    return "  " * depth + name


def _origin(value: Explained) -> str:
    """The places of a value; `-s key=value` is shortened to `-s`, since key and value are in the same row."""
    short = ("-s" if place.startswith(f"-s {value.key}=") else place for place in value.places)
    return ", ".join(short) or "default"


def _brief(meaning: str) -> str:
    """The first sentence, after removing a sentence that only states the type."""
    return _SENTENCE_END.split(_TYPE_ALONE.sub("", meaning))[0]


def _summary(path: Path, values: Iterable[Explained]) -> str:
    counts: dict[str, int] = {}
    for value in values:
        source = value.places[0] if value.places else "default"
        name = "-s" if source.startswith("-s ") else source.rsplit(":", 2)[0]
        counts[name] = counts.get(name, 0) + 1
    files = {name: count for name, count in counts.items() if name not in ("-s", "default", str(path))}
    origins = [f"{counts.get(str(path), 0)} here", *(f"{count} from {name} (extends)" for name, count in files.items())]
    origins += [f"{counts['-s']} by -s"] if "-s" in counts else []
    return f"{path}: {', '.join(origins)}, {counts.get('default', 0)} by default"


def _shown(value: Any) -> str:
    """A value as in YAML; a path is relative to the working directory if that is shorter."""
    if isinstance(value, str) and value.startswith("/"):
        near = os.path.relpath(value)
        return near if len(near) < len(value) else value
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return value if isinstance(value, str) and value == value.strip() != "" else json.dumps(value, ensure_ascii=False)
