"""Columns of text made arrays, block by block: numbers, categories, times, and whatever a column turns out to hold.

Text takes ten times the memory of what it says. A table is therefore never held as text: a block of rows is read, its
columns become numbers or codes, and the text is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, GatheredErrors, Mistake, without_repeats

ColumnKind = Literal["number", "category", "time", "either"]
"""What a column is to be read as; "either" is a number or a category, by what most of its first cells are."""

MISSING = -1  # the code of an empty cell in a column of categories
_NO_NUMBER = frozenset({"", "na", "n/a", "nan", "null"})
WITH_COMMA = re.compile(r"[+-]?[0-9]+(\.[0-9]{3})*,[0-9]+")  # as Excel writes them in much of Europe
_LONGEST_SHOWN = 40
_MEND = "correct the cell; or leave it empty where the value is missing, if `missing` allows that"
_MEND_TARGET = "correct the cell, or leave the row out; where all are names, the target is a `class`"
_MEND_OR_LIST = f"{_MEND}; where all are names and no amounts, list the column under `categorical`"

Place = Callable[[int], str]


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Args:
        codes: For each row the position of its name, or -1 where the cell is empty; int32.
        names: The distinct values, sorted: as numbers where all are whole numbers, else as text.
    """

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]


class Cells(Protocol):
    """A column that is being read."""

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes the cells of a block of rows; `place` names the row of one of them."""
        ...

    def finish(self) -> npt.NDArray[Any] | Categories:
        """The whole column."""
        ...

    def is_missing(self, cell: str) -> bool:
        """Whether a cell has no value."""
        ...


class NumberCells:
    """Numbers in float32; NaN where the cell is empty, or says NA, N/A, NaN or null.

    Args:
        name: Of the column, for messages.
        fix: What to do about a cell that is no number.
    """

    def __init__(self, name: str, fix: str) -> None:
        self._name, self._fix = name, fix
        self._blocks: list[npt.NDArray[np.float32]] = []
        self._is_told = False  # that a whole block is something else

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes a block.

        Raises:
            DataError: when cells are no numbers, or infinite as a float32.
        """
        if self._is_told:
            return
        try:
            numbers = np.fromiter(map(float, cells), np.float64, len(cells))
            are_wrong = np.zeros(len(cells), np.bool_)
        except ValueError:
            numbers = np.array([float(cell) if _is_number(cell) else np.nan for cell in cells])
            are_wrong = np.array([not (is_missing(cell) or _is_number(cell)) for cell in cells])
        are_infinite = np.abs(numbers) > np.finfo(np.float32).max
        if (are_wrong | are_infinite).any():
            mistakes = self._mistakes(are_wrong, are_infinite, cells, place)
            self._is_told = len(mistakes) == len(cells)
            raise DataError(without_repeats(mistakes, len(cells)))
        self._blocks.append(numbers.astype(np.float32))

    def finish(self) -> npt.NDArray[np.float32]:
        """The numbers of all rows."""
        return np.concatenate(self._blocks)

    def is_missing(self, cell: str) -> bool:
        """Whether a cell has no number."""
        return is_missing(cell)

    def _mistakes(
        self,
        are_wrong: npt.NDArray[np.bool_],
        are_infinite: npt.NDArray[np.bool_],
        cells: Sequence[str],
        place: Place,
    ) -> list[Mistake]:
        return [
            Mistake(
                f"the cell of column '{self._name}' is {'infinite' if are_infinite[row] else 'no number'}",
                where=place(row),
                expected="a finite number such as 12.5",
                received=repr(cells[row][:_LONGEST_SHOWN]),
                fix=self._fix,
            )
            for row in np.flatnonzero(are_wrong | are_infinite).tolist()
        ]


class CategoryCells:
    """Categories as codes; only the empty cell is missing, for "NA" may well be a name."""

    def __init__(self) -> None:
        self._codes = {"": MISSING}
        self._blocks: list[npt.NDArray[np.int32]] = []

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes a block; anything is a category."""
        codes = self._codes
        block = (codes.setdefault(cell.strip(), len(codes) - 1) for cell in cells)
        self._blocks.append(np.fromiter(block, np.int32, len(cells)))

    def finish(self) -> Categories:
        """The codes of all rows, in the order of the names."""
        return sorted_categories(np.concatenate(self._blocks), list(self._codes)[1:])

    def is_missing(self, cell: str) -> bool:
        """Whether a cell is empty."""
        return not cell.strip()


class EitherCells:
    """Numbers or categories: what more than half of the filled cells in the first block are.

    The first block decides, so that one wrong cell among a million numbers is told as such, and does not turn the
    column into a million categories.

    Args:
        name: Of the column.
        fix: What mends a cell that is no number.
    """

    def __init__(self, name: str, fix: str) -> None:
        self._name = name
        self._fix = fix
        self._cells: Cells | None = None
        self._is_told = False  # that it holds numbers with a comma

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes a block.

        Raises:
            DataError: when a cell of a column of numbers is none, or most have a decimal comma.
        """
        if self._is_told:
            return
        if self._cells is None:
            filled = [cell for cell in cells if not is_missing(cell)]
            are_numbers = 2 * sum(map(_is_number, filled)) > len(filled) or not filled
            if filled and 2 * sum(WITH_COMMA.fullmatch(cell.strip()) is not None for cell in filled) > len(filled):
                self._is_told = True
                raise self._refusal(cells, place)
            self._cells = NumberCells(self._name, self._fix) if are_numbers else CategoryCells()
        self._cells.add(cells, place)

    def _refusal(self, cells: Sequence[str], place: Place) -> DataError:
        row = next(row for row, cell in enumerate(cells) if WITH_COMMA.fullmatch(cell.strip()))
        return DataError(
            f"the column '{self._name}' holds numbers with a comma",
            where=place(row),
            expected="a decimal point, such as 12.5",
            received=repr(cells[row][:_LONGEST_SHOWN]),
            fix="save the file with decimal points; where these are names and no amounts, say that it is a category",
        )

    def finish(self) -> npt.NDArray[Any] | Categories:
        """The column as what it is."""
        assert self._cells is not None
        return self._cells.finish()

    def is_missing(self, cell: str) -> bool:
        """As what it is sees it; where it is neither, one cell says so."""
        return self._cells is not None and self._cells.is_missing(cell)


class TimeCells:
    """Times in float64, only for their order: numbers as they are, ISO 8601 in microseconds since 1970.

    Args:
        name: Of the column, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._blocks: list[npt.NDArray[np.float64]] = []
        self._parse: Callable[[str], float] | None = None
        self._is_told = False  # that a whole block is something else

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes a block.

        Raises:
            DataError: when cells are no times, or of another form than the first.
        """
        if self._is_told:
            return
        first = next((cell for cell in cells if not is_missing(cell)), "")
        self._parse = self._parse or (float if _is_number(first) else _microseconds)
        times, mistakes = np.empty(len(cells)), []
        for row, cell in enumerate(cells):
            try:
                times[row] = self._parse(cell.strip())
            except ValueError:
                mistakes.append(self._mistake(cell, place(row)))
        if mistakes:
            self._is_told = len(mistakes) == len(cells)
            raise DataError(without_repeats(mistakes, len(cells)))
        self._blocks.append(times)

    def finish(self) -> npt.NDArray[np.float64]:
        """The times of all rows."""
        return np.concatenate(self._blocks)

    def is_missing(self, cell: str) -> bool:
        """Whether a cell has no time."""
        return is_missing(cell)

    def _mistake(self, cell: str, where: str) -> Mistake:
        return Mistake(
            f"the cell of column '{self._name}' is no time",
            where=where,
            expected="a number, as in the first row" if self._parse is float else "such as 2024-03-31 18:00",
            received=repr(cell[:_LONGEST_SHOWN]),
            fix="write all times as numbers, or all as ISO 8601",
        )


class RequiredCells:
    """A column without empty cells.

    Args:
        name: Of the column, for messages.
        cells: What it is read as.
    """

    def __init__(self, name: str, cells: Cells) -> None:
        self._name = name
        self._cells = cells
        self._is_told = False  # that a whole block is empty

    def add(self, cells: Sequence[str], place: Place) -> None:
        """Takes a block.

        Raises:
            DataError: when a cell is empty, or is not of the column's kind.
        """
        errors = GatheredErrors()
        try:
            self._cells.add(cells, place)
        except DataError as error:
            errors.add(error)
        missing = [row for row, cell in enumerate(cells) if self.is_missing(cell)]
        if missing and not self._is_told:
            self._is_told = len(missing) == len(cells)
            shown = missing[:1] if self._is_told else missing
            errors.add(DataError(no_target(self._name, place(row)) for row in shown))
        errors.tell()

    def finish(self) -> npt.NDArray[Any] | Categories:
        """The whole column."""
        return self._cells.finish()

    def is_missing(self, cell: str) -> bool:
        """Whether a cell has no value of the column's kind."""
        return self._cells.is_missing(cell)


def no_target(name: str, where: str, received: str | None = None) -> Mistake:
    """What is wrong with a row whose target is missing."""
    return Mistake(
        f"the target '{name}' is missing",
        where=where,
        expected="a target in every row",
        received=received,
        fix="leave these rows out of the file",
    )


def cells_of(name: str, kind: ColumnKind, is_required: bool = False) -> Cells:
    """An empty column of a kind; one that is required has no empty cell."""
    cells: Cells
    if kind == "category":
        cells = CategoryCells()
    elif kind == "time":
        cells = TimeCells(name)
    elif kind == "number":
        cells = NumberCells(name, _MEND_TARGET if is_required else _MEND)
    else:
        cells = EitherCells(name, _MEND_TARGET if is_required else _MEND_OR_LIST)
    return RequiredCells(name, cells) if is_required else cells


def sorted_categories(codes: npt.NDArray[np.int32], names: Sequence[str]) -> Categories:
    """Categories with their names in order, so that codes depend on what occurs and not on where."""
    whole = all(name.removeprefix("-").isdecimal() for name in names)
    order = sorted(range(len(names)), key=lambda code: (int(names[code]) if whole else 0, names[code]))
    new_codes = np.empty(len(names) + 1, np.int32)  # its last place is that of -1
    new_codes[order] = np.arange(len(names), dtype=np.int32)
    new_codes[MISSING] = MISSING
    return Categories(new_codes[codes], tuple(names[code] for code in order))


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no number."""
    return cell.strip().lower() in _NO_NUMBER


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _microseconds(cell: str) -> float:
    time = datetime.fromisoformat(cell)
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return time.timestamp() * 1e6
