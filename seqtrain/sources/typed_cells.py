"""Converts the text columns of a CSV to arrays: numbers, categories, times, or a kind decided by the first rows.

Text takes ten times the memory of numbers. So the columns of each block of rows are converted to numbers or codes, and
the text is released.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

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

Mask = npt.NDArray[np.bool_]

_DECIDING = 4096  # the kind of a column is decided from this many rows
_LONGEST_SHOWN = 40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIX = "correct the cell; or leave it empty where the value is missing, if `missing` allows that"
_FIX_OR_LIST = f"{_FIX}; where all are names and no amounts, list the column under `categorical`"
_FIX_TARGET = "correct the cell, or leave the row out; where all are names, the target is a `class`"
_FIX_COMMA = "save the file with decimal points; where these are names and no amounts, say that it is a category"
_FIX_TIME = "write all times as numbers, or all as ISO 8601"


def read_csv(
    file: CsvFile, kinds: Mapping[str, ColumnKind], targets: Collection[str] = (), fix: str | None = None
) -> Columns:
    """Reads columns as arrays of the given kinds; see `read_columns`. `fix` is what to do about a wrong cell."""
    check_names(file.header, file.names, kinds)
    columns, errors, num_rows = Columns(RowPlaces(file.path)), GatheredErrors(), 0
    typed = {name: TypedColumn(name, kind, name in targets, fix) for name, kind in kinds.items()}
    for block in file.blocks(kinds, errors):
        columns.places.add(num_rows, block.lines)
        for column, cells in zip(typed.values(), block.cells, strict=True):
            mistakes = column.add(cells, columns.places.after(num_rows))
            if mistakes:
                errors.add(DataError(mistakes))
        num_rows += len(block.lines)
    errors.raise_if_any()
    if num_rows == 0:
        raise no_rows(file.path)
    for name, column in typed.items():
        columns.put(name, column.finish())
    return columns


class Converted(NamedTuple):
    """The values of the cells of a block.

    Args:
        values: An array, or a list of text.
        missing: Which cells have no value.
        wrong: Which cells are invalid, by what is wrong with them.
    """

    values: Any
    missing: Mask
    wrong: Mapping[str, Mask] = {}


class TypedColumn:
    """A column that is read block by block.

    The kind of an "either" column is decided from its first rows: numbers, if more than half of the cells that are not
    empty are numbers. Later rows do not count, so that one wrong cell among a million numbers is a mistake, and does
    not turn the column into a million categories.

    Args:
        name: The column's name, for messages.
        kind: The kind of its cells.
        is_target: Whether a cell without a value is a mistake.
        fix: What to do about a wrong cell. Default: depends on the kind.
    """

    def __init__(self, name: str, kind: ColumnKind, is_target: bool, fix: str | None = None) -> None:
        self._name, self._kind, self._is_target = name, kind, is_target
        self._fix = fix or (_FIX_TARGET if is_target else _FIX_OR_LIST if kind == "either" else _FIX)
        self._blocks: list[Any] = []
        self._convert: Callable[[Any], Converted] | None = None
        self._expected = ""
        self._reported: set[str] = set()  # mistakes that all cells of a block had
        self._has_decimal_commas = False

    def add(self, cells: Any, place: Callable[[int], str]) -> list[Mistake]:
        """Converts the cells of a block of rows.

        Args:
            cells: An Arrow array of text.
            place: Returns the place of a cell, for messages.

        Returns:
            The mistakes in the cells; if all cells of a block are wrong, only one mistake, and none for later blocks.
        """
        if self._has_decimal_commas:
            return []
        if self._kind == "either" and (mistake := self._decide_kind(cells[:_DECIDING], place)):
            self._has_decimal_commas = True
            return [mistake]
        if self._convert is None:
            self._convert, self._expected = _converter(self._kind, cells)
            self._fix = _FIX_TIME if self._kind == "time" else self._fix
        converted = self._convert(cells)
        self._blocks.append(converted.values)
        wrong = [
            Mistake(
                f"the cell of column '{self._name}' is {what}",
                where=place(row),
                expected=self._expected,
                received=repr(cells[row].as_py()[:_LONGEST_SHOWN]),
                fix=self._fix,
            )
            for what, rows in converted.wrong.items()
            for row in np.flatnonzero(rows).tolist()
        ]
        empty = np.flatnonzero(converted.missing).tolist() if self._is_target else []
        no_targets = [no_target(self._name, place(row)) for row in empty]
        return self._report_once("wrong", wrong, len(cells)) + self._report_once("empty", no_targets, len(cells))

    def finish(self) -> npt.NDArray[Any] | Categories | list[str]:
        """The whole column."""
        if self._kind == "text":
            return [cell for block in self._blocks for cell in block]
        if self._kind == "category":
            return to_categories(pa.chunked_array(self._blocks))
        return np.concatenate(self._blocks)

    def _decide_kind(self, cells: Any, place: Callable[[int], str]) -> Mistake | None:
        """Decides between numbers and categories; returns a mistake if most cells are numbers with a decimal comma."""
        filled = cells.filter(pa.array(~_are_missing(cells)))
        if 2 * np.count_nonzero(_matches(filled, WITH_COMMA)) > len(filled):
            row = int(_matches(cells, WITH_COMMA).argmax())
            return Mistake(
                f"the column '{self._name}' holds numbers with a comma",
                where=place(row),
                expected="a decimal point, such as 12.5",
                received=repr(cells[row].as_py()[:_LONGEST_SHOWN]),
                fix=_FIX_COMMA,
            )
        num_numbers = np.count_nonzero(to_numbers(filled)[1])
        self._kind = "number" if 2 * num_numbers > len(filled) or len(filled) == 0 else "category"
        return None

    def _report_once(self, kind: str, mistakes: list[Mistake], num_rows: int) -> list[Mistake]:
        if kind in self._reported:
            return []
        if len(mistakes) == num_rows:
            self._reported.add(kind)
        return without_repeats(mistakes, num_rows)


def to_numbers(cells: Any) -> tuple[npt.NDArray[np.float64], Mask]:
    """The numbers in cells, or NaN; and which cells are numbers, including "nan" and "inf".

    pyarrow accepts the same numbers as our grammar, but rejects blanks around a number and accepts `nan(...)`.
    """
    with contextlib.suppress(pa.ArrowInvalid):
        numbers = cells.cast("float64").to_numpy()
        if not np.isnan(numbers).any():
            return numbers, np.ones(len(cells), np.bool_)
    are_numbers = _matches(cells, NUMBER)
    text = pc.if_else(pa.array(are_numbers), pc.utf8_trim_whitespace(cells), pa.scalar(None, pa.string()))
    return text.cast("float64").to_numpy(zero_copy_only=False), are_numbers


def encoded(text: Any) -> Any:
    """Dictionary-encodes text; empty text becomes null."""
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text).dictionary_encode()


def to_categories(text: Any) -> Categories:
    """Converts dictionary-encoded text, whose chunks may have different dictionaries, to a column of categories."""
    if text.num_chunks == 0:
        return Categories(np.empty(0, np.int32), ())
    chunks = text.unify_dictionaries().chunks
    codes = np.concatenate([chunk.indices.fill_null(MISSING).to_numpy() for chunk in chunks])
    return sorted_categories(codes.astype(np.int32), chunks[0].dictionary.to_pylist())


def _converter(kind: ColumnKind, cells: Any) -> tuple[Callable[[Any], Converted], str]:
    """The function that converts a column with these first cells, and the description of a valid cell."""
    if kind == "time":
        filled = cells.filter(pa.array(~_are_missing(cells)))
        if len(filled) and is_number(filled[0].as_py()):
            return _numbered_times, "a number, as in the first row"
        return _iso_times, "such as 2024-03-31 18:00"
    if kind == "number":
        return _float32, "a finite number such as 12.5"
    if kind == "whole":
        return _int64, "a whole number"
    return (_text if kind == "text" else _category), ""


def _float32(cells: Any) -> Converted:
    """Converts cells to numbers; NaN if the cell is empty, or says NA, N/A, NaN or null."""
    numbers, are_numbers = to_numbers(cells)
    are_wrong = ~are_numbers
    if are_wrong.any():
        are_wrong &= ~_are_missing(cells)
    are_infinite = np.abs(numbers) > np.finfo(np.float32).max
    with np.errstate(over="ignore"):
        values = numbers.astype(np.float32)
    return Converted(values, np.isnan(numbers) & ~are_wrong, {"no number": are_wrong, "infinite": are_infinite})


def _int64(cells: Any) -> Converted:
    """Converts cells to whole numbers, such as ids; none may be missing."""
    none_missing = np.zeros(len(cells), np.bool_)
    letters = np.frombuffer(cells.buffers()[2] or b"", np.uint8) | 32
    with contextlib.suppress(pa.ArrowInvalid):
        if not (letters == ord("x")).any():  # pyarrow accepts hexadecimal numbers
            return Converted(cells.cast("int64").to_numpy(), none_missing)
    texts = pc.utf8_trim_whitespace(cells).to_pylist()
    are_whole = _matches(cells, WHOLE_NUMBER).tolist()
    numbers = [int(text) if is_whole else 2**63 for text, is_whole in zip(texts, are_whole, strict=True)]
    fit = np.array([-(2**63) <= number < 2**63 for number in numbers])
    values = np.array([number if fits else 0 for number, fits in zip(numbers, fit, strict=True)], np.int64)
    return Converted(values, none_missing, {"no whole number": ~fit})


def _category(cells: Any) -> Converted:
    """Converts cells to categories; only empty cells are missing, since "NA" may be a name."""
    text = encoded(pc.utf8_trim_whitespace(cells))
    return Converted(text, np.asarray(text.is_null()))


def _text(cells: Any) -> Converted:
    """Strips the blanks around text."""
    return Converted(pc.utf8_trim_whitespace(cells).to_pylist(), np.zeros(len(cells), np.bool_))


def _numbered_times(cells: Any) -> Converted:
    """Converts times that are numbers."""
    times, are_times = to_numbers(cells)
    return Converted(times, np.isnan(times), {"no time": ~are_times})


def _iso_times(cells: Any) -> Converted:
    """Converts ISO 8601 times to microseconds since 1970; pyarrow parses the most common formats."""
    for type_ in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        with contextlib.suppress(pa.ArrowInvalid):
            times = cells.cast(type_).cast("int64").to_numpy().astype(np.float64)
            return Converted(times, np.zeros(len(cells), np.bool_))
    times = np.array([_microseconds(cell.strip()) for cell in cells.to_pylist()])
    return Converted(times, np.isnan(times), {"no time": np.isnan(times)})


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
    """Which cells match a pattern, ignoring the blanks around them."""
    return np.asarray(pc.match_substring_regex(pc.utf8_trim_whitespace(cells), f"^(?:{pattern})$"))
