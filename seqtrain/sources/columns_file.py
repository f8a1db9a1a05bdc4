"""Some columns of a CSV or Parquet file, as typed arrays.

A CSV is read once, in blocks, at about half a million rows of ten columns a second; a number
takes four bytes then, and so does a category. Parquet is read a column at a time, about six times as fast.
"""

from __future__ import annotations

import contextlib
import csv
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy.typing as npt

from seqtrain.errors import DataError, GatheredErrors, did_you_mean, one_of
from seqtrain.sources.cells import Categories, ColumnKind, cells_of
from seqtrain.sources.manifest_csv import ragged

TABLE_EXTENSIONS = (".csv", ".parquet")
_ROWS_IN_A_BLOCK = 4096
_DELIMITERS = (",", ";", "\t")
_LONGEST_HEADER = 1 << 24


class RowPlaces:
    """Where each row of a file stands: in a CSV cells may hold line breaks, and blank lines are no rows.

    Only where the distance from row to line changes is kept.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows, self._shifts = array("q", [0]), array("q", [1])  # without lines, rows count from 1

    def add(self, row: int, line: int) -> None:
        """Says that a row, one after those before, ends on a line."""
        if line - row != self._shifts[-1]:
            if row == 0:
                self._rows, self._shifts = array("q"), array("q")
            self._rows.append(row)
            self._shifts.append(line - row)

    def after(self, before: int) -> Callable[[int], str]:
        """Names the rows of a block that begins after so many."""
        return lambda row: self.of(before + row)

    def of(self, row: int) -> str:
        """The file and the line, or the row where there are no lines."""
        return f"{self._path}:{row + self._shifts[bisect_right(self._rows, row) - 1]}"


@dataclass
class Columns:
    """Columns of a file.

    Args:
        places: Names the line of each row.
        numbers: Columns of numbers, float32, NaN where one is missing; of times, float64.
        categories: Columns of categories.
        num_rows: Of the file.
    """

    places: RowPlaces
    numbers: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    categories: dict[str, Categories] = field(default_factory=dict)
    num_rows: int = 0

    def put(self, name: str, column: npt.NDArray[Any] | Categories) -> None:
        """Adds a column where it belongs."""
        if isinstance(column, Categories):
            self.categories[name] = column
            self.num_rows = len(column.codes)
        else:
            self.numbers[name] = column
            self.num_rows = len(column)

    def take(self, name: str) -> npt.NDArray[Any] | Categories:
        """A column, which is no longer kept here."""
        return self.numbers.pop(name) if name in self.numbers else self.categories.pop(name)


def column_names(path: Path) -> list[str]:
    """The names of a file's columns, in order.

    Raises:
        DataError: when the file cannot be read, is empty, or has two columns of one name.
    """
    if is_parquet(path):
        from seqtrain.sources.parquet_columns import parquet_names

        return _checked(parquet_names(path), path)
    with _opened(path) as file:
        return _checked(_header(file, path)[0], path)


def read_columns(path: Path, kinds: Mapping[str, ColumnKind], targets: Collection[str] = ()) -> Columns:
    """Reads columns as they are wanted.

    Args:
        path: A CSV with a header, separated by commas, semicolons or tabs; or a Parquet file.
        kinds: What each wanted column is to be read as.
        targets: Those of them of which an empty cell of a CSV is to be told with what else is wrong.

    Raises:
        DataError: when the file cannot be read or has no rows, when a column is missing, a row has another number of
            cells than the header, or a cell is not of its column's kind.
        ConfigError: when a Parquet file is to be read without pyarrow.
    """
    check_names(path, column_names(path), kinds)
    if is_parquet(path):
        from seqtrain.sources.parquet_columns import read_parquet

        columns = Columns(RowPlaces(path))
        for name, column in read_parquet(path, kinds):
            columns.put(name, column)
    else:
        with _opened(path) as file:
            columns = _read_csv(file, path, kinds, targets)
    if kinds and columns.num_rows == 0:
        raise DataError("has a header and no rows", where=path, fix="check that the file was copied whole")
    return columns


def is_parquet(path: Path) -> bool:
    """Whether a file is read as Parquet: by its name."""
    return path.suffix.lower() == ".parquet"


def check_names(path: Path, header: Sequence[str], names: Mapping[str, Any] | Sequence[str]) -> None:
    """Refuses names that the file has no columns for.

    Raises:
        DataError: it lists the columns and suggests the nearest.
    """
    for name in names:
        if name not in header:
            raise DataError(
                f"has no column '{name}'",
                where=path,
                expected=one_of(header),
                fix=did_you_mean(name, header) or "add the column to the file, or name another in the config",
            )


def _read_csv(file: TextIO, path: Path, kinds: Mapping[str, ColumnKind], targets: Collection[str]) -> Columns:
    header, delimiter = _header(file, path)
    wanted = [(header.index(name), name, cells_of(name, kind, name in targets)) for name, kind in kinds.items()]
    columns = Columns(RowPlaces(path))
    num_rows, errors = 0, GatheredErrors()
    for rows in _blocks(file, path, delimiter, len(header), columns.places, errors):
        cells = list(zip(*rows, strict=True))
        for position, _, column in wanted:
            try:
                column.add(cells[position], columns.places.after(num_rows))
            except DataError as error:
                errors.add(error)
        num_rows += len(rows)
    errors.tell()
    if num_rows:
        for _, name, column in wanted:
            columns.put(name, column.finish())
    return columns


def _blocks(
    file: TextIO, path: Path, delimiter: str, width: int, places: RowPlaces, errors: GatheredErrors
) -> Iterator[list[list[str]]]:
    """The rows that are not blank, some thousands at a time; `places` learns where each stands, `errors` of others."""
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: list[list[str]] = []
    num_rows = 0
    try:
        for row in reader:
            if not row:
                continue
            places.add(num_rows, reader.line_num + 1)
            if len(row) != width:
                errors.add(ragged(places.of(num_rows), len(row), width))
                continue
            num_rows += 1
            rows.append(row)
            if len(rows) == _ROWS_IN_A_BLOCK:
                yield rows
                rows = []
    except csv.Error as error:
        where = f"{path}:{reader.line_num + 1}"
        errors.add(DataError(f"the row cannot be read: {error}", where=where, fix="check its quotes"))
    except UnicodeDecodeError:
        errors.tell()  # what was found before it
        raise
    if rows:
        yield rows


def _header(file: TextIO, path: Path) -> tuple[list[str], str]:
    """The names in the first line, and what separates them."""
    line = file.readline(_LONGEST_HEADER).strip("\r\n")
    if not line.strip():
        raise DataError("is empty", where=path, expected="a header with the names of the columns", fix="check the path")
    delimiter = max(_DELIMITERS, key=line.count)
    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))], delimiter


def _checked(names: list[str], path: Path) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"two columns are called '{twice}'", where=path, fix="rename or remove one of them")
    return names


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError("is not text in UTF-8", where=path, fix="save it as CSV with the encoding UTF-8") from error
    except FileNotFoundError as error:
        raise DataError("no such file", where=path, expected="a CSV with a header, or a Parquet file") from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path, fix="name a CSV or a Parquet file") from error
