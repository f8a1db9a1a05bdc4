"""Reads columns of a table, CSV or Parquet, as typed arrays; all sources of tables use it.

A CSV file is read once, in blocks; numbers and categories take four bytes each. All mistakes in rows and cells are
reported together, with line and column. pyarrow is imported only when a table is read, because the import is slow.
"""

from __future__ import annotations

import csv
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, Mistake, did_you_mean, one_of

ColumnKind = Literal["number", "whole", "category", "time", "text", "either"]
"""What a column is read as; "either" is a number or a category, depending on most of its first cells."""

_MOST_NAMES, _LONGEST_NAME = 40, 64  # most names in a message, and most characters of each
TABLE_EXTENSIONS = (".csv", ".parquet")
_LONGEST_CELL = 1 << 24  # characters; a longer cell is reported as an unclosed quote
MISSING = -1  # the code of an empty cell in a column of categories


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Args:
        codes: The position of each row's name in `names`, or -1 if the cell is empty; int32.
        names: The distinct values, sorted as numbers if all are whole numbers, otherwise as text.
    """

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]


class RowPlaces:
    """The line of each row of a file: in a CSV file, cells may contain line breaks, and blank lines are not rows.

    Only the rows at which the difference between line and row changes are stored.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows, self._shifts = array("q", [0]), array("q", [1])  # without lines, rows count from 1

    def add(self, row: int, lines: npt.NDArray[np.int64]) -> None:
        """Adds the lines on which the next rows end; `row` is the first of them."""
        shifts = lines - np.arange(row, row + len(lines))
        for place in np.flatnonzero(np.diff(shifts, prepend=self._shifts[-1])).tolist():
            if row + place == 0:
                self._rows, self._shifts = array("q"), array("q")
            self._rows.append(row + place)
            self._shifts.append(int(shifts[place]))

    def after(self, before: int) -> Callable[[int], str]:
        """A function that returns the place of a row of a block, which begins after `before` rows."""
        return lambda row: self.of(before + row)

    def of(self, row: int) -> str:
        """The file and the line; or the row, if the file has no lines."""
        return f"{self._path}:{row + self._shifts[bisect_right(self._rows, row) - 1]}"


@dataclass
class Columns:
    """Columns of a file.

    Args:
        places: The line of each row.
        numbers: Columns of numbers, float32, NaN if missing; and of times, float64.
        categories: Columns of categories.
        texts: Columns of text.
        num_rows: The number of the file's rows.
    """

    places: RowPlaces
    numbers: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    categories: dict[str, Categories] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    num_rows: int = 0

    def put(self, name: str, column: npt.NDArray[Any] | Categories | list[str]) -> None:
        """Adds a column to the columns of its kind."""
        if isinstance(column, Categories):
            self.categories[name] = column
        elif isinstance(column, list):
            self.texts[name] = column
        else:
            self.numbers[name] = column
        self.num_rows = len(column.codes if isinstance(column, Categories) else column)

    def take(self, name: str) -> npt.NDArray[Any] | Categories:
        """Removes and returns a column of numbers or categories."""
        return self.numbers.pop(name) if name in self.numbers else self.categories.pop(name)


def column_names(path: Path) -> list[str]:
    """The names of a file's columns, in order.

    Raises:
        DataError: when the file cannot be read, is empty, or has two columns with the same name.
    """
    names, where = _header(path)
    check_names(where, names, names)
    return names


def read_columns(path: Path, kinds: Mapping[str, ColumnKind], targets: Collection[str] = ()) -> Columns:
    """Reads columns as arrays of the given kinds.

    Args:
        path: A CSV file with a header, separated by commas, semicolons or tabs; or a Parquet file.
        kinds: The kind of each column to read.
        targets: The columns whose empty cells in a CSV file are mistakes.

    Raises:
        DataError: when the file cannot be read or has no rows, when a column is missing, a row has another number of
            cells than the header, or a cell is not of its column's kind.
    """
    if is_parquet(path):
        from seqtrain.sources.parquet_columns import read_parquet

        return read_parquet(path, kinds)
    from seqtrain.sources.csv_file import CsvFile
    from seqtrain.sources.typed_cells import read_csv

    return read_csv(CsvFile(path), kinds, targets)


def read_texts(path: Path, names: Sequence[str]) -> Columns:
    """Reads columns as text, such as those of a manifest."""
    return read_columns(path, dict.fromkeys(names, "text"))


def no_rows(path: Path) -> DataError:
    """The error for a table that has only a header."""
    return DataError("has a header and no rows", where=path, fix="check that the file was copied whole")


def csv_reader(lines: Iterable[str], delimiter: str, strict: bool = False) -> Iterator[list[str]]:
    """Splits lines into cells, which may be as long as the runs of a large mask."""
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def place_of(path: Path, start: int) -> str:
    """The file and the number of the line that begins at byte `start`, from 1."""
    number = 1
    with path.open("rb") as file:
        while block := file.read(min(1 << 20, start - file.tell())):
            number += block.count(b"\n")
    return f"{path}:{number}"


def is_parquet(path: Path) -> bool:
    """Whether a file's name says that it is Parquet."""
    return path.suffix.lower() == ".parquet"


def check_names(
    where: object, header: Sequence[str], names: Iterable[str], keys: Mapping[str, str] | None = None
) -> None:
    """Checks that the file has exactly one column with each name.

    Args:
        where: The place of the header, for messages.
        header: The names of the columns.
        names: The names to check.
        keys: The config's key for a column, by name, if its default is the usual cause of the mistake.

    Raises:
        DataError: when it does not; the error lists the columns and suggests the nearest.
    """
    for name in names:
        if name not in header:
            fix = f"set `{keys[name]}` to one of them" if keys and name in keys else did_you_mean(name, header)
            shown = [each[:_LONGEST_NAME] for each in header[:_MOST_NAMES]] + ["..."] * (len(header) > _MOST_NAMES)
            raise DataError(
                f"there is no column '{name}'",
                where=where,
                expected=one_of(shown),
                fix=fix or "name another in the config, or add the column to the file",
            )
        if header.count(name) > 1:
            raise DataError(f"two columns are called '{name}'", where=where, fix="rename or remove one of them")


def no_target(name: str, where: str, received: str | None = None) -> Mistake:
    """The mistake of a row whose target is missing."""
    return Mistake(
        f"the target '{name}' is missing",
        where=where,
        expected="a target in every row",
        received=received,
        fix="leave these rows out of the file",
    )


def sorted_categories(codes: npt.NDArray[np.int32], names: Sequence[str]) -> Categories:
    """Categories with sorted names, so that the codes do not depend on the order of the rows."""
    are_whole = all(name.removeprefix("-").isdecimal() for name in names)
    order = sorted(range(len(names)), key=lambda code: (int(names[code]) if are_whole else 0, names[code]))
    new_codes = np.empty(len(names) + 1, np.int32)  # the last element is for the code -1
    new_codes[order] = np.arange(len(names), dtype=np.int32)
    new_codes[MISSING] = MISSING
    return Categories(new_codes[codes], tuple(names[code] for code in order))


def _header(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and the place of the header."""
    if is_parquet(path):
        from seqtrain.sources.parquet_columns import parquet_names

        return parquet_names(path), str(path)
    from seqtrain.sources.csv_file import CsvFile

    file = CsvFile(path)
    return file.names, file.header
