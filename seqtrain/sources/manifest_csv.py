"""A CSV file with a header, read whole: the columns that are wanted, and the line on which each row stands.

Stricter than `csv.DictReader`, which fills short rows with None, drops the end of long ones, and lets the last of two
equal columns win: all of that is data lost without a word.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import DataError, GatheredErrors, did_you_mean, one_of

_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Table:
    """Some columns of a CSV file.

    Args:
        columns: The cells of each wanted column, in the order of the request.
        lines: The line of the file on which each row ends, from 1; the header is usually line 1.
    """

    columns: tuple[list[str], ...]
    lines: list[int]


def read_table(path: Path, names: Sequence[str]) -> Table:
    """Reads the columns called `names`.

    Raises:
        DataError: when the file is missing, empty or not UTF-8, when a column is missing, or when rows are ragged.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = max(_DELIMITERS, key=first.count)
            lines = itertools.chain([first], file)
            return _read(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True), path, names)
    except UnicodeDecodeError as error:
        raise DataError(
            "the file is not UTF-8", where=f"{path}:{_undecodable_line(path)}", fix="save it with the encoding UTF-8"
        ) from error
    except FileNotFoundError as error:
        raise DataError("no such file", where=path, expected="a CSV file with a header") from error
    except IsADirectoryError as error:
        raise DataError("is a folder", where=path, expected="a CSV file with a header") from error
    except OSError as error:
        raise DataError(f"the file cannot be read: {error.strerror}", where=path) from error


def _read(reader: Any, path: Path, names: Sequence[str]) -> Table:
    rows = _rows(reader, path)
    header_line, header = next(rows, (1, []))
    header = [name.strip() for name in header]
    if not header:
        raise DataError("the file is empty", where=path, expected=f"a header with the columns {', '.join(names)}")
    positions = [_position(name, header, f"{path}:{header_line}") for name in names]
    columns: tuple[list[str], ...] = tuple([] for _ in names)
    lines: list[int] = []
    errors = GatheredErrors()
    for line, row in rows:
        if len(row) != len(header):
            errors.add(ragged(f"{path}:{line}", len(row), len(header)))
            continue
        lines.append(line)
        for column, position in zip(columns, positions, strict=True):
            column.append(row[position].strip())
    errors.tell()
    if not lines:
        raise DataError("the file has a header and no rows", where=path, fix="add a row for each image")
    return Table(columns, lines)


def _rows(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the line on which it ends."""
    line = 0
    try:
        for row in reader:
            line = reader.line_num
            if row:
                yield line, row
    except csv.Error as error:
        raise DataError(
            f"the row cannot be read: {error}", where=f"{path}:{line + 1}", fix="check its quotes"
        ) from error


def _position(name: str, header: list[str], where: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    if name in header:
        raise DataError(f"two columns are called '{name}'", where=where, fix="rename or remove one of them")
    raise DataError(
        f"there is no column '{name}'",
        where=where,
        expected=one_of(header),
        fix=did_you_mean(name, header) or "name the column in the config, or add a header to the file",
    )


def ragged(where: str, received: int, expected: int) -> DataError:
    """What is wrong with a row of another number of cells than the header."""
    return DataError(
        "the row does not have one cell for each column",
        where=where,
        expected=f"{expected} cells, as in the header",
        received=f"{received}",
        fix="put a cell that holds the separator in double quotes; an empty cell still needs its separator",
    )


def _undecodable_line(path: Path) -> int:
    """The first line that is not UTF-8; the reader itself decodes in blocks and cannot tell."""
    with path.open("rb") as file:
        for line, content in enumerate(file, start=1):
            try:
                content.decode()
            except UnicodeDecodeError:
                return line
    return 1
