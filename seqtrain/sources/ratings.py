"""The source `ratings`: who rated what and how, from a table like MovieLens's.

The whole table is parsed at the start, some millions of rows per second, and kept as three arrays of 12 bytes a row in
all: ids can be mapped to dense indices only when all of them are known.
"""

from __future__ import annotations

import copy
import csv
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import MOST_LISTED, ConfigError, DataError, Mistake, did_you_mean, one_of, without_repeats
from seqtrain.registry import sources
from seqtrain.sources.base import Source, only

_ROW = {"user": np.int64, "item": np.int64, "rating": np.float32}
_DEFAULT_COLUMNS = ("userId", "movieId", "rating")
_BLOCK = 1 << 24
_LONGEST_ID = 20  # characters


@sources.register("ratings")
class Ratings(Source):
    """Ratings of items by users: a CSV with a header, or MovieLens's tab-separated `u.data` without one.

    Ids are whole numbers; each gets an index, from 0, in the order of the ids. Without a header the columns are user,
    item and rating, in this order.

    Args:
        path: The table.
        user_column: The header's name for the user.
        item_column: The header's name for the item.
        rating_column: The header's name for the rating.

    Raises:
        DataError: when the file is missing or empty, lacks a column, or has a row that is ragged, is no number, or has
            a rating that is NaN or infinite.
        ConfigError: when columns are named for a table without a header.

    Source:
        Harper and Konstan, 2015, The MovieLens Datasets: History and Context; the README files of its releases.

    Example:
        source: {name: ratings, path: data/ratings.csv}
    """

    groups: npt.NDArray[np.int32]
    labels: npt.NDArray[np.float32]

    def __init__(
        self, path: Path, user_column: str = "userId", item_column: str = "movieId", rating_column: str = "rating"
    ) -> None:
        self._columns = (user_column, item_column)
        self._layout = _layout(path, (user_column, item_column, rating_column))
        table = _parse(self._layout)
        self.user_ids, self.groups = _dense(table["user"])
        self.item_ids, self.items = _dense(table["item"])
        self.labels = np.ascontiguousarray(table["rating"])

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The users and items of one other table, which needs no ratings, by this one's indices.

        Raises:
            DataError: see the class.
        """
        other = copy.copy(self)
        other._layout = _layout(only(inputs, "table"), self._columns)
        table = _parse(other._layout)
        other.user_ids, other.groups = _dense(table["user"])
        other.item_ids, other.items = _dense(table["item"])
        other.labels = np.zeros(len(table), np.float32)
        other.take_ids_of(self)
        return other

    def take_ids_of(self, known: Ratings) -> None:
        """Counts users and items as another table does, that a model was trained on; those it lacks are -1."""
        self.groups = _renumbered(self.groups, self.user_ids, known.user_ids)
        self.items = _renumbered(self.items, self.item_ids, known.item_ids)
        self.user_ids, self.item_ids = known.user_ids, known.item_ids

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"user": self.groups[index], "item": self.items[index], "rating": self.labels[index]}

    @property
    def users(self) -> npt.NDArray[np.int32]:
        """The user's index of each rating; they are the groups too."""
        return self.groups

    @property
    def num_users(self) -> int:
        """How many users there are."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """How many items there are."""
        return len(self.item_ids)

    def column(self, name: str) -> npt.NDArray[np.int32]:
        """The users or the items, by the name of their column, for a split by group.

        Raises:
            ConfigError: when it is another column.
        """
        columns = dict(zip(self._columns, (self.groups, self.items), strict=True))
        if name not in columns:
            raise ConfigError(f"ratings are grouped by user or by item, not by '{name}'", expected=one_of(columns))
        return columns[name]

    def describe(self, index: int) -> str:
        """The file and the row, counted from 1 with the header."""
        return f"{self._layout.path}:{index + self._layout.first_row}"


@dataclass(frozen=True)
class _Layout:
    """How a table is written.

    Args:
        path: The file.
        delimiter: Between columns.
        num_columns: Of every row.
        columns: The positions of user, item and, where it is read, rating.
        first_row: The number of the first line that is no header, from 1.
    """

    path: Path
    delimiter: str
    num_columns: int
    columns: tuple[int, ...]
    first_row: int


def _layout(path: Path, names: tuple[str, ...]) -> _Layout:
    line = _first_line(path)
    delimiter = "\t" if "\t" in line else ","
    fields = [field.strip().strip('"') for field in line.split(delimiter)]
    if not _is_number(fields[0]):
        return _Layout(path, delimiter, len(fields), _positions(path, fields, names), first_row=2)
    if names != _DEFAULT_COLUMNS[: len(names)]:
        raise ConfigError(
            f"the columns {names} cannot be found by name: {path} has no header",
            fix="leave the column names out (the order is user, item, rating), or add a header",
        )
    if len(fields) < len(names):
        expected = ", ".join([*_ROW][: len(names)])
        raise DataError(f"the row has {len(fields)} columns", where=f"{path}:1", expected=expected, fix="add a column")
    return _Layout(path, delimiter, len(fields), tuple(range(len(names))), first_row=1)


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline(_BLOCK).strip("\r\n")
    except FileNotFoundError as error:
        raise DataError("does not exist", where=path, fix="check the path; relative to the config file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as text: {error}", where=path, fix="save it as CSV in UTF-8") from error
    if not line.strip():
        raise DataError("is empty", where=path, expected="a table of user, item and rating", fix="check the path")
    if "::" in line:
        raise DataError(
            "is separated by '::'", where=f"{path}:1", expected="commas or tabs", fix="sed 's/::/\\t/g' OLD > NEW"
        )
    return line


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _positions(path: Path, header: list[str], names: tuple[str, ...]) -> tuple[int, ...]:
    for name in names:
        if name not in header:
            raise DataError(
                f"has no column '{name}'",
                where=f"{path}:1",
                expected=one_of(header),
                fix=did_you_mean(name, header) or "set user_column, item_column and rating_column",
            )
    return tuple(header.index(name) for name in names)


def _parse(layout: _Layout) -> npt.NDArray[Any]:
    """Rows of the fields of `_ROW`, or of the first ones."""
    row = [*_ROW.items()][: len(layout.columns)]
    try:
        with warnings.catch_warnings(action="error"):  # no row; 1.5 taken for the id 1
            table = np.loadtxt(
                layout.path,
                row,
                comments=None,
                delimiter=layout.delimiter,
                skiprows=layout.first_row - 1,
                usecols=layout.columns,
                ndmin=1,
                encoding="utf-8-sig",
                quotechar='"',
            )
    except (ValueError, OverflowError, Warning) as error:
        _refuse(layout, str(error))
    num_lines, num_delimiters = _count(layout)
    are_plain = num_delimiters == num_lines * (layout.num_columns - 1)  # else some may stand in quotes
    are_finite = len(row) < len(_ROW) or np.isfinite(table["rating"]).all()
    if len(table) != num_lines - layout.first_row + 1 or not are_plain or not are_finite:
        _check_rows(layout)
    return table


def _count(layout: _Layout) -> tuple[int, int]:
    """Lines and delimiters of the file, those lines left out that are blank at its end."""
    lines, delimiters, tail = 0, 0, b""
    with layout.path.open("rb") as file:
        while block := file.read(_BLOCK):
            block = tail + block
            text = block.rstrip()
            lines += text.count(b"\n")
            delimiters += text.count(layout.delimiter.encode())
            tail = block[len(text) :]
    return lines + 1, delimiters


def _refuse(layout: _Layout, reason: str) -> NoReturn:
    if _count(layout)[0] < layout.first_row:
        raise DataError("holds no ratings, only a header", where=layout.path, fix="check that it was copied whole")
    _check_rows(layout)
    raise DataError(f"cannot be read as a table: {reason}", where=layout.path, fix="save it as plain CSV in UTF-8")


def _check_rows(layout: _Layout) -> None:
    """Reads the table once more, slowly, to tell which rows are wrong, if any are."""
    mistakes, num_rows = [], 0
    for num_rows, message, line in _read_slowly(layout):
        if message is not None:
            mistakes.append(
                Mistake(
                    message,
                    where=f"{layout.path}:{layout.first_row + num_rows - 1}",
                    expected="whole numbers for the user and the item, a finite number for the rating",
                    received=repr(line.rstrip("\r\n")[:80]),
                    fix="correct the row or delete it",
                )
            )
            if len(mistakes) == MOST_LISTED:
                break
    if mistakes:
        raise DataError(without_repeats(mistakes, num_rows))


def _read_slowly(layout: _Layout) -> Iterator[tuple[int, str | None, str]]:
    """The number of each row from 1, what is wrong with it, and its text; without blank lines at the end."""
    blank = 0
    with layout.path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
        for row, line in enumerate(islice(file, layout.first_row - 1, None), start=1):
            if not line.strip():
                blank += 1
                continue
            yield from ((number, "the row is blank", "") for number in range(row - blank, row))
            blank = 0
            try:
                fields = next(csv.reader([line], delimiter=layout.delimiter))
            except csv.Error as error:
                yield row, f"the row cannot be read: {error}", line
            else:
                yield row, _mistake(fields, layout), line


def _mistake(fields: list[str], layout: _Layout) -> str | None:
    if len(fields) != layout.num_columns:
        return f"the row has {len(fields)} columns, others have {layout.num_columns}"
    user, item, *rating = (fields[column].strip() for column in layout.columns)
    for name, text in (("user", user), ("item", item)):
        if not text.removeprefix("-").isdecimal() or len(text) > _LONGEST_ID or not -(2**63) <= int(text) < 2**63:
            return f"the {name} is no whole number"
    if not all(map(_is_number, rating)):
        return "the rating is no number"
    return None if all(map(math.isfinite, map(float, rating))) else "the rating is NaN or infinite"


def _dense(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The distinct ids in ascending order, and for each rating the position of its id among them."""
    distinct, positions = np.unique(ids, return_inverse=True)
    return distinct, positions.astype(np.int32)


def _renumbered(
    positions: npt.NDArray[np.int32], ids: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """For each position among `ids`, that of the same id among `known`, or -1; both ascend."""
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    found: npt.NDArray[np.int32] = np.where(known[places] == ids, places, -1).astype(np.int32)[positions]
    return found
