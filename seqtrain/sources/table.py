"""The source `table`: rows of numbers and categories, with one or several targets.

The whole table is read at the start and kept as arrays, four bytes per cell: ten million rows of twenty columns take
800 MB. Scaling and vocabularies are fitted in the sequence, because a source does not know the split.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.extras import require
from seqtrain.registry import sources
from seqtrain.sources.base import Source, only
from seqtrain.sources.class_numbers import other_classes
from seqtrain.sources.number_text import is_missing
from seqtrain.sources.table_file import (
    MISSING,
    Categories,
    ColumnKind,
    Columns,
    check_names,
    column_names,
    no_target,
    read_columns,
)

TargetKind = Literal["number", "class"]
_Named = dict[str, list[str] | None]  # the columns that each argument names

_FEW_VALUES = 20
_TOO_MANY_CATEGORIES = 0.5  # share of the rows
_FEW_CATEGORIES = 100

log = logging.getLogger("seqtrain")


@sources.register("table")
class Table(Source):
    """A CSV file with a header (commas, semicolons or tabs) or a Parquet file, with one sample per row.

    A column that no argument names is read as numbers if more than half of its first cells are numbers, otherwise as
    categories.

    Args:
        path: The file.
        target: The column to predict: text is a class, numbers are a number. For a few distinct whole numbers, say
            which they are with `targets`.
        targets: The columns to predict, each "number" or "class". Either this or `target`.
        numeric: Columns of numbers. Default: all others that hold numbers.
        categorical: Columns of categories, including numbers that are names, such as postcodes. Default: all others
            that hold text.
        ignore: Columns to leave out, such as row numbers, or the group of a split.
        missing: What to do about empty cells: "fill" leaves them to the sequence, or "error". An empty target is always
            an error.

    Raises:
        ConfigError: when no target is named, a column is named twice, or it is not clear whether a target is a class.
        DataError: when the file cannot be read, lacks a column, or has a row with too few or too many cells, a cell
            that is not a number in a column of numbers, or an empty target.

    Example:
        source: {name: table, path: data/flats.csv, targets: {price: number, heating: class}, ignore: [id]}
    """

    targets: dict[str, npt.NDArray[Any] | Categories]

    def __init__(
        self,
        path: Path,
        target: str | None = None,
        targets: dict[str, TargetKind] | None = None,
        numeric: list[str] | None = None,
        categorical: list[str] | None = None,
        ignore: list[str] | None = None,
        missing: Literal["fill", "error"] = "fill",
    ) -> None:
        self._path = path
        kinds = _target_kinds(target, targets)
        given: _Named = {"targets": list(kinds), "numeric": numeric, "categorical": categorical, "ignore": ignore}
        _check_once(given)
        header = column_names(path)
        for names in given.values():
            check_names(path, header, names or [])
        columns = read_columns(path, kinds | _feature_kinds(header, given), kinds)
        self._places = columns.places
        self.targets = {name: _target(name, kind, columns) for name, kind in kinds.items()}
        features = [name for name in header if name not in kinds]
        self.numeric = _listed_or_found(numeric, [name for name in features if name in columns.numbers])
        self.categorical = _listed_or_found(categorical, [name for name in features if name in columns.categories])
        if not self.numeric and not self.categorical:
            raise ConfigError("the table has no columns to predict from", received=f"the columns {', '.join(header)}")
        self.numbers = _stacked([columns.numbers.pop(name) for name in self.numeric], columns.num_rows)
        self.categories = {name: columns.categories[name] for name in self.categorical}
        if missing == "error":
            self._check_filled()
        self._log_columns(features, log_roles=numeric is None or categorical is None)

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The rows of another table; its targets may be missing, and are all zero.

        Raises:
            DataError: when the file cannot be read, or lacks a column.
        """
        other = copy.copy(self)
        other._path = only(inputs, "table")
        kinds: dict[str, ColumnKind] = dict.fromkeys(self.numeric, "number")
        columns = read_columns(other._path, kinds | dict.fromkeys(self.categorical, "category"))
        other._places = columns.places
        other.numbers = _stacked([columns.numbers.pop(name) for name in self.numeric], columns.num_rows)
        other.categories = {name: columns.categories[name] for name in self.categorical}
        other.targets = {name: _zeros_like(column, columns.num_rows) for name, column in self.targets.items()}
        return other

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row: dict[str, Any] = dict(zip(self.numeric, self.numbers[index].tolist(), strict=True))
        for name, column in {**self.categories, **self.targets}.items():
            row[name] = _cell_value(column, index)
        return row

    @property
    def inferred_arguments(self) -> Mapping[str, Any]:
        """The kinds of the columns, so that they are not inferred again from other cells."""
        kinds = {name: "class" if isinstance(column, Categories) else "number" for name, column in self.targets.items()}
        return {"target": None, "targets": kinds, "numeric": list(self.numeric), "categorical": list(self.categorical)}

    def number_like(self, known: Source) -> None:
        """Gives the classes of each target the indices that they have in `known`.

        Raises:
            DataError: when a target has a class that `known` does not have.
        """
        if not isinstance(known, Table):
            super().number_like(known)
            return
        for name, column in self.targets.items():
            known_column = known.targets[name]
            if not isinstance(column, Categories) or not isinstance(known_column, Categories):
                continue
            if not set(column.names) <= set(known_column.names):
                raise other_classes(f"the target '{name}'", known_column.names, column.names)
            codes = np.array([known_column.names.index(each) for each in column.names], dtype=np.int32)
            self.targets[name] = Categories(codes[column.codes], known_column.names)

    @property
    def labels(self) -> npt.NDArray[Any] | None:
        """The classes of the only class target, or the numbers of the only target; None for other tables."""
        classes = self._class_target
        if classes is not None:
            return classes.codes
        only = next(iter(self.targets.values())) if len(self.targets) == 1 else None
        return only if isinstance(only, np.ndarray) else None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes of the only class target."""
        return None if self._class_target is None else self._class_target.names

    def column(self, name: str) -> npt.NDArray[np.int32]:
        """Any column of the file as categories, for a split by group.

        Raises:
            DataError: when there is no such column, or it has an empty cell.
        """
        column = self.categories.get(name) or read_columns(self._path, {name: "category"}).categories[name]
        missing = column.codes == MISSING
        if missing.any():
            raise self._empty_cell(name, int(missing.argmax()), "every row belongs to a group")
        return column.codes

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The only column of categories, as text, or the numbers, (samples, columns); and the only target.

        Classes are given by their indices; NaN is a missing number, and "" a missing category.

        Raises:
            DataError: when there are numbers and categories, several columns of categories, or several targets.
        """
        if len(self.targets) > 1 or len(self.categories) > (0 if self.numeric else 1):
            raise DataError(
                "a sequence that takes `x_set` and `y_set` reads one kind of column, and one target",
                where=str(self._path),
                received=f"numbers {', '.join(self.numeric) or 'none'}; categories "
                f"{', '.join(self.categorical) or 'none'}; targets {', '.join(self.targets)}",
                fix="leave columns out with `ignore`; or let the class take a DataFrame: "
                "@sequences.register(..., data='PARAMETER')",
            )
        target = next(iter(self.targets.values()))
        y = (target.codes if isinstance(target, Categories) else target)[indices]
        if self.numeric:
            return self.numbers[indices], y
        column = next(iter(self.categories.values()))
        return np.array([*column.names, ""])[column.codes[indices]], y

    def as_frame(self, indices: npt.NDArray[np.integer]) -> Any:
        """Rows of the file as pandas reads it, with all columns and its index: the numbers of the rows, from 0 in CSV.

        Raises:
            DataError: when pandas reads another number of rows.
        """
        pandas = require("pandas", "pandas", "sequences that take a DataFrame")
        if self._path.suffix.lower() == ".parquet":
            frame = pandas.read_parquet(self._path)
        else:
            from seqtrain.sources.csv_file import CsvFile

            frame = pandas.read_csv(self._path, sep=CsvFile(self._path).delimiter, encoding="utf-8-sig")
        if len(frame) != len(self):
            raise DataError(
                "pandas reads another number of rows from this file",
                where=str(self._path),
                expected=str(len(self)),
                received=str(len(frame)),
                fix="remove rows that hold nothing but separators and blanks",
            )
        for name, column in self.targets.items():
            if name not in frame:  # a table to predict from
                frame[name] = column.names[0] if isinstance(column, Categories) else column
        return frame.iloc[indices]

    def describe(self, index: int) -> str:
        """The file and the line, counted from 1 including the header; or the row in a Parquet file, from 1."""
        return self._places.of(index)

    @property
    def _class_target(self) -> Categories | None:
        found = [column for column in self.targets.values() if isinstance(column, Categories)]
        return found[0] if len(found) == 1 else None

    def _check_filled(self) -> None:
        empty = np.isnan(self.numbers)
        if empty.any():
            row, column = np.argwhere(empty)[0]
            raise self._empty_cell(self.numeric[column], int(row), "missing: error")
        for name, categories in self.categories.items():
            if MISSING in categories.codes:
                raise self._empty_cell(name, int((categories.codes == MISSING).argmax()), "missing: error")

    def _empty_cell(self, column: str, row: int, why: str) -> DataError:
        return DataError(
            f"the cell of column '{column}' is empty",
            where=self.describe(row),
            expected=f"a value in every row ({why})",
            fix="fill the cell, leave the row out, or leave the column out with `ignore`",
        )

    def _log_columns(self, features: Sequence[str], log_roles: bool) -> None:
        if log_roles:
            used = {"numbers": self.numeric, "categories": self.categorical}
            left_out = [name for name in features if name not in {*self.numeric, *self.categorical}]
            parts = [f"{what} {', '.join(names)}" for what, names in used.items() if names]
            log.info("table: %s", "; ".join(parts + [f"left out {', '.join(left_out)}"] * bool(left_out)))
        for name, categories in self.categories.items():
            if len(categories.names) > max(_FEW_CATEGORIES, _TOO_MANY_CATEGORIES * len(self)):
                log.warning(
                    "table: the column '%s' has %d values in %d rows: most will be unknown in validation. "
                    "Leave it out with `ignore`",
                    name,
                    len(categories.names),
                    len(self),
                )


def _target_kinds(target: str | None, targets: dict[str, TargetKind] | None) -> dict[str, ColumnKind]:
    if (target is None) == (not targets):
        raise ConfigError(
            "the table needs `target` or `targets`, and not both",
            expected="target: price, or targets: {price: number, heating: class}",
            fix="name the column, or the columns, that the model is to predict",
        )
    if target is not None:
        return {target: "either"}
    return {name: "number" if kind == "number" else "category" for name, kind in (targets or {}).items()}


def _check_once(given: _Named) -> None:
    seen: dict[str, str] = {}
    for role, names in given.items():
        for name in names or []:
            if name in seen:
                twice = f"twice in {role}" if seen[name] == role else f"in {seen[name]} and in {role}"
                raise ConfigError(f"the column '{name}' is named {twice}", fix="name each column once")
            seen[name] = role


def _feature_kinds(header: Sequence[str], given: _Named) -> dict[str, ColumnKind]:
    """The kind of each feature; columns in no list are read too, unless both `numeric` and `categorical` are given."""
    kinds: dict[str, ColumnKind] = {name: "number" for name in given["numeric"] or []}
    kinds |= {name: "category" for name in given["categorical"] or []}
    if given["numeric"] is None or given["categorical"] is None:
        named = {name for names in given.values() for name in names or []}
        kinds |= {name: "either" for name in header if name not in named}
    return kinds


def _listed_or_found(listed: list[str] | None, found: list[str]) -> tuple[str, ...]:
    return tuple(found if listed is None else listed)


def _target(name: str, kind: ColumnKind, columns: Columns) -> npt.NDArray[np.float32] | Categories:
    """A column to predict.

    Raises:
        ConfigError: when it is not clear whether it is a class or a number.
        DataError: when a cell is empty.
    """
    column = columns.take(name)
    missing = column.codes == MISSING if isinstance(column, Categories) else np.isnan(column)
    if missing.any():
        received = f"{np.count_nonzero(missing)} rows of {len(missing)} without"
        raise DataError([no_target(name, columns.places.of(int(missing.argmax())), received)])
    if isinstance(column, Categories):
        for code, each in enumerate(column.names):
            if is_missing(each):
                message = "table: the target '%s' has a class '%s' (%d rows); leave these rows out if it means no value"
                log.warning(message, name, each, np.count_nonzero(column.codes == code))
    elif kind == "either":
        _check_unambiguous(name, column)
    return column


def _check_unambiguous(name: str, numbers: npt.NDArray[np.float32]) -> None:
    values = np.unique(numbers)
    if len(values) <= _FEW_VALUES and (values == np.round(values)).all():
        raise ConfigError(
            f"target: '{name}' holds {len(values)} whole numbers, which may be classes or amounts",
            fix=f"write `targets: {{{name}: class}}` or `targets: {{{name}: number}}`",
        )


def _stacked(columns: list[npt.NDArray[np.float32]], num_rows: int) -> npt.NDArray[np.float32]:
    """Stacks columns to an array (rows, columns); each column is deleted after it is copied."""
    table = np.empty((num_rows, len(columns)), np.float32)
    for position in reversed(range(len(columns))):
        table[:, position] = columns.pop()
    return table


def _zeros_like(column: npt.NDArray[Any] | Categories, num_rows: int) -> npt.NDArray[Any] | Categories:
    if isinstance(column, Categories):
        return Categories(np.zeros(num_rows, np.int32), column.names)
    return np.zeros(num_rows, column.dtype)


def _cell_value(column: npt.NDArray[Any] | Categories, index: int) -> Any:
    if isinstance(column, Categories):
        code = int(column.codes[index])
        return None if code == MISSING else column.names[code]
    return column[index].item()
