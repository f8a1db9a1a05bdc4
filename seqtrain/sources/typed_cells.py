"""The columns of a CSV made arrays: numbers, categories, times, and whatever a column turns out to hold.

Text takes ten times the memory of what it says. A table is therefore never held as text: the columns of a block of rows
become numbers or codes, and the text is gone.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from seqtrain.errors import DataError, GatheredErrors, Mistake, without_repeats
from seqtrain.sources.csv_file import CsvFile
from seqtrain.sources.number_text import NO_NUMBER, NUMBER, WHOLE_NUMBER, WITH_COMMA, is_number
from seqtrain.sources.table_file import (
    MISSING,
    Categories,
    ColumnKind,
    Columns,
    RowPlaces,
    check_names,
    no_rows,
    no_target,
    sorted_categories,
)

Place = Callable[[int], str]
Mask = npt.NDArray[np.bool_]

_DECIDING = 4096  # rows, by which a column of either numbers or categories is judged
_LONGEST_SHOWN = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIX = "correct the cell; or leave it empty where the value is missing, if `missing` allows that"
_FIX_OR_LIST = f"{_FIX}; where all are names and no amounts, list the column under `categorical`"
_FIX_TARGET = "correct the cell, or leave the row out; where all are names, the target is a `class`"


def read_csv(
    file: CsvFile, kinds: Mapping[str, ColumnKind], targets: Collection[str] = (), fix: str | None = None
) -> Columns:
    """Reads columns as they are wanted; see `read_columns`. `fix` is what to do about a wrong cell."""
    check_names(file.header, file.names, kinds)
    columns, errors, num_rows = Columns(RowPlaces(file.path)), GatheredErrors(), 0
    typed = {name: _typed_column(name, kind, name in targets, fix) for name, kind in kinds.items()}
    for block in file.blocks(kinds, errors):
        columns.places.add(num_rows, block.lines)
        for column, cells in zip(typed.values(), block.cells, strict=True):
            mistakes = column.add(cells, columns.places.after(num_rows))
            if mistakes:
                errors.add(DataError(mistakes))
        num_rows += len(block.lines)
    errors.tell()
    if num_rows == 0:
        raise no_rows(file.path)
    for name, column in typed.items():
        columns.put(name, column.finish())
    return columns


class TypedColumn(ABC):
    """A column that is being read.

    Args:
        name: For messages.
        is_target: Whether a cell without a value is a mistake.
        fix: What to do about a wrong cell.
    """

    expected: str
    """What a cell should hold."""

    def __init__(self, name: str, is_target: bool = False, fix: str = _FIX) -> None:
        self._name, self._is_target, self._fix = name, is_target, fix
        self._blocks: list[Any] = []
        self._told: set[str] = set()  # what was wrong with all cells of a block

    def add(self, cells: Any, place: Place) -> list[Mistake]:
        """Takes the cells of a block of rows.

        Args:
            cells: An Arrow array of text.
            place: Names the row of one of them.

        Returns:
            What is wrong with cells; where all of a block are wrong, one of them, and no later ones.
        """
        values, wrong, missing = self.convert(cells)
        self._blocks.append(values)
        mistakes = [
            Mistake(
                f"the cell of column '{self._name}' is {what}",
                where=place(row),
                expected=self.expected,
                received=repr(cells[row].as_py()[:_LONGEST_SHOWN]),
                fix=self._fix,
            )
            for what, rows in wrong.items()
            for row in np.flatnonzero(rows).tolist()
        ]
        empty = [no_target(self._name, place(row)) for row in np.flatnonzero(missing).tolist() if self._is_target]
        return self._once("wrong", mistakes, len(cells)) + self._once("empty", empty, len(cells))

    @abstractmethod
    def convert(self, cells: Any) -> tuple[Any, Mapping[str, Mask], Mask]:
        """The values of cells, which of them are wrong, by what they are, and which have no value."""

    def finish(self) -> Any:
        """The whole column."""
        return np.concatenate(self._blocks)

    def _once(self, kind: str, mistakes: list[Mistake], num_rows: int) -> list[Mistake]:
        if kind in self._told:
            return []
        if len(mistakes) == num_rows:
            self._told.add(kind)
        return without_repeats(mistakes, num_rows)


class NumberColumn(TypedColumn):
    """Numbers in float32; NaN where the cell is empty, or says NA, N/A, NaN or null."""

    expected = "a finite number such as 12.5"

    def convert(self, cells: Any) -> tuple[npt.NDArray[np.float32], Mapping[str, Mask], Mask]:
        """Numbers; a cell may be no number, or infinite as a float32."""
        numbers, are_numbers = to_numbers(cells)
        are_wrong = ~are_numbers
        if are_wrong.any():
            are_wrong &= ~_are_missing(cells)
        are_infinite = np.abs(numbers) > np.finfo(np.float32).max
        with np.errstate(over="ignore"):
            values = numbers.astype(np.float32)
        return values, {"no number": are_wrong, "infinite": are_infinite}, np.isnan(numbers) & ~are_wrong


class WholeColumn(TypedColumn):
    """Whole numbers in int64, such as ids; none is missing."""

    expected = "a whole number"

    def convert(self, cells: Any) -> tuple[npt.NDArray[np.int64], Mapping[str, Mask], Mask]:
        """Whole numbers; a cell may be none, or have too many digits."""
        nothing = np.zeros(len(cells), np.bool_)
        letters = np.frombuffer(cells.buffers()[2] or b"", np.uint8) | 32
        with contextlib.suppress(pa.ArrowInvalid):
            if not (letters == ord("x")).any():  # pyarrow knows numbers in base 16
                return cells.cast("int64").to_numpy(), {}, nothing
        are_whole = _matches(cells, WHOLE_NUMBER)
        numbers = [int(cell) if is_whole else 0 for cell, is_whole in zip(cells.to_pylist(), are_whole, strict=True)]
        fit = np.array([-(2**63) <= number < 2**63 for number in numbers])
        values = np.array([number if fits else 0 for number, fits in zip(numbers, fit, strict=True)], np.int64)
        return values, {"no whole number": ~(are_whole & fit)}, nothing


class CategoryColumn(TypedColumn):
    """Categories as codes; only the empty cell is missing, for "NA" may well be a name."""

    def __init__(self, name: str, is_target: bool = False) -> None:
        super().__init__(name, is_target)
        self._codes = {"": MISSING}

    def convert(self, cells: Any) -> tuple[npt.NDArray[np.int32], Mapping[str, Mask], Mask]:
        """Codes; anything is a category."""
        encoded = pc.utf8_trim_whitespace(cells).dictionary_encode()
        names, known = encoded.dictionary.to_pylist(), self._codes
        codes = np.array([known.setdefault(name, len(known) - 1) for name in names], np.int32)
        codes = codes[encoded.indices.to_numpy()]
        return codes, {}, codes == MISSING

    def finish(self) -> Categories:
        """The codes of all rows, in the order of the names."""
        return sorted_categories(np.concatenate(self._blocks), list(self._codes)[1:])


class TimeColumn(TypedColumn):
    """Times in float64, only for their order: numbers as they are, ISO 8601 in microseconds since 1970."""

    def __init__(self, name: str, is_target: bool = False) -> None:
        super().__init__(name, is_target, "write all times as numbers, or all as ISO 8601")

    _parse: Callable[[Any], tuple[npt.NDArray[np.float64], Mask]] | None = None

    def convert(self, cells: Any) -> tuple[npt.NDArray[np.float64], Mapping[str, Mask], Mask]:
        """Times; a cell may be none, or of another form than the first."""
        if self._parse is None:
            filled = cells.filter(pa.array(~_are_missing(cells)))
            are_numbers = len(filled) > 0 and is_number(filled[0].as_py())
            self._parse = to_numbers if are_numbers else _to_microseconds
            self.expected = "a number, as in the first row" if are_numbers else "such as 2024-03-31 18:00"
        times, are_times = self._parse(cells)
        return times, {"no time": ~are_times}, np.isnan(times)


class TextColumn(TypedColumn):
    """Text without the blanks around it."""

    def convert(self, cells: Any) -> tuple[list[str], Mapping[str, Mask], Mask]:
        """Text as it is."""
        text = pc.utf8_trim_whitespace(cells).to_pylist()
        return text, {}, np.zeros(len(text), np.bool_)

    def finish(self) -> list[str]:
        """The text of all rows."""
        return [cell for block in self._blocks for cell in block]


class EitherColumn:
    """Numbers or categories: what more than half of the filled cells among the first rows are.

    The first rows decide, so that one wrong cell among a million numbers is told as such, and does not turn the
    column into a million categories.

    Args:
        name: For messages.
        is_target: Whether a cell without a value is a mistake.
    """

    def __init__(self, name: str, is_target: bool) -> None:
        self._name, self._is_target = name, is_target
        self._column: TypedColumn | None = None
        self._is_refused = False

    def add(self, cells: Any, place: Place) -> list[Mistake]:
        """Takes the cells of a block of rows; see `TypedColumn`. Numbers with a decimal comma are told once."""
        if self._is_refused:
            return []
        if self._column is None:
            first = cells[:_DECIDING]
            filled = first.filter(pa.array(~_are_missing(first)))
            if 2 * np.count_nonzero(_matches(filled, WITH_COMMA)) > len(filled):
                self._is_refused = True
                row = int(_matches(first, WITH_COMMA).argmax())
                return [_decimal_comma(self._name, cells[row].as_py(), place(row))]
            are_numbers = 2 * np.count_nonzero(to_numbers(filled)[1]) > len(filled) or len(filled) == 0
            self._column = (
                NumberColumn(self._name, self._is_target, _FIX_TARGET if self._is_target else _FIX_OR_LIST)
                if are_numbers
                else CategoryColumn(self._name, self._is_target)
            )
        return self._column.add(cells, place)

    def finish(self) -> Any:
        """The column as what it is."""
        assert self._column is not None
        return self._column.finish()


def to_numbers(cells: Any) -> tuple[npt.NDArray[np.float64], Mask]:
    """The numbers in cells, NaN where there is none; and which cells are numbers, "nan" and "inf" among them.

    pyarrow reads what our grammar allows, but for blanks around a number, which it refuses, and `nan(...)`.
    """
    try:
        numbers = cells.cast("float64").to_numpy()
        if not np.isnan(numbers).any():
            return numbers, np.ones(len(cells), np.bool_)
    except pa.ArrowInvalid:
        pass
    are_numbers = _matches(cells, NUMBER)
    text = pc.if_else(pa.array(are_numbers), pc.utf8_trim_whitespace(cells), pa.scalar(None, pa.string()))
    return text.cast("float64").to_numpy(zero_copy_only=False), are_numbers


def _typed_column(name: str, kind: ColumnKind, is_target: bool, fix: str | None) -> TypedColumn | EitherColumn:
    if kind == "number":
        return NumberColumn(name, is_target, fix or (_FIX_TARGET if is_target else _FIX))
    if kind == "whole":
        return WholeColumn(name, is_target, fix or _FIX)
    if kind == "either":
        return EitherColumn(name, is_target)
    column: TypedColumn = {"category": CategoryColumn, "time": TimeColumn, "text": TextColumn}[kind](name, is_target)
    return column


def _to_microseconds(cells: Any) -> tuple[npt.NDArray[np.float64], Mask]:
    """The times in cells, NaN where there is none; and which cells are times. pyarrow knows the commonest forms."""
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            times = cells.cast(type_).cast("int64").to_numpy().astype(np.float64)
        except pa.ArrowInvalid:
            continue
        return times, np.ones(len(cells), np.bool_)
    times = np.array([_microseconds(cell.strip()) for cell in cells.to_pylist()])
    return times, ~np.isnan(times)


def _microseconds(cell: str) -> float:
    try:
        time = datetime.fromisoformat(cell)
    except ValueError:
        return np.nan
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _are_missing(cells: Any) -> Mask:
    folded = pc.ascii_lower(pc.utf8_trim_whitespace(cells))
    return np.asarray(pc.is_in(folded, pa.array(sorted(NO_NUMBER))))


def _matches(cells: Any, pattern: str) -> Mask:
    """Which cells are as a pattern says, blanks around them left out."""
    return np.asarray(pc.match_substring_regex(pc.utf8_trim_whitespace(cells), f"^(?:{pattern})$"))


def _decimal_comma(name: str, cell: str, where: str) -> Mistake:
    return Mistake(
        f"the column '{name}' holds numbers with a comma",
        where=where,
        expected="a decimal point, such as 12.5",
        received=repr(cell[:_LONGEST_SHOWN]),
        fix="save the file with decimal points; where these are names and no amounts, say that it is a category",
    )
