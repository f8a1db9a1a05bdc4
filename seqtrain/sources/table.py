"""The source `table`: rows of numbers and categories, with one or several targets.

The whole table is read at the start and kept as arrays, four bytes a cell: ten million rows of twenty columns take
800 MB, and the text of the file is never held. What is fitted (scaling, vocabularies) is not fitted here: a source
knows nothing of the split.
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
_Named = dict[str, list[str] | None]  # the columns that the config names, by the list that names them

_FEW_VALUES = 20
_TOO_MANY_CATEGORIES = 0.5  # of the rows
_PATIENCE_WITH_SMALL_TABLES = 100

log = logging.getLogger("seqtrain")


@sources.register("table")
class Table(Source):
    """A CSV with a header (commas, semicolons or tabs) or a Parquet file: a sample a row.

    A column that no list names is read as what more than half of its first cells are, numbers or categories.

    Args:
        path: The file.
        target: The column to predict: text is a class; numbers are a number, unless they are few whole ones: then say
            which with `targets`.
        targets: The columns to predict, each "number" or "class". Either this or `target`.
        numeric: Columns of numbers. Default: all others that hold numbers.
        categorical: Columns of categories, numbers that are names (postcodes) among them. Default: all others that
            hold text.
        ignore: Columns to leave out, such as row numbers, or the group of a split.
        missing: What an empty cell is: "fill" leaves it to the sequence, "error" refuses it. A target is never
            missing.

    Raises:
        ConfigError: when no target is named, a column is named for two things, or it is not clear what a target is.
        DataError: when the file cannot be read, lacks a column, or has a row that is ragged, a cell that is no number
            among numbers, or no target.

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
        self.numeric = _chosen(numeric, [name for name in features if name in columns.numbers])
        self.categorical = _chosen(categorical, [name for name in features if name in columns.categories])
        if not self.numeric and not self.categorical:
            raise ConfigError("the table has no columns to predict from", received=f"the columns {', '.join(header)}")
        self.numbers = _stacked([columns.numbers.pop(name) for name in self.numeric], columns.num_rows)
        self.categories = {name: columns.categories[name] for name in self.categorical}
        if missing == "error":
            self._check_filled()
        self._tell(features, told=numeric is None or categorical is None)

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The rows of one other table, whose columns to predict need not be there; these are all zero.

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
            row[name] = _cell(column, index)
        return row

    @property
    def settled_arguments(self) -> Mapping[str, Any]:
        """What each column was found to be, so that it is not judged anew by other cells."""
        kinds = {name: "class" if isinstance(column, Categories) else "number" for name, column in self.targets.items()}
        return {"target": None, "targets": kinds, "numeric": list(self.numeric), "categorical": list(self.categorical)}

    def number_like(self, known: Source) -> None:
        """Gives the classes of each target the indices that they have in `known`.

        Raises:
            DataError: when a target has a class that `known` has not.
        """
        if not isinstance(known, Table):
            super().number_like(known)
            return
        for name, column in self.targets.items():
            own = known.targets[name]
            if not isinstance(column, Categories) or not isinstance(own, Categories):
                continue
            if not set(column.names) <= set(own.names):
                raise other_classes(f"the target '{name}'", own.names, column.names)
            codes = np.array([own.names.index(each) for each in column.names], dtype=np.int32)
            self.targets[name] = Categories(codes[column.codes], own.names)

    @property
    def labels(self) -> npt.NDArray[Any] | None:
        """The classes of the only class target, else the numbers of the only target; None for other tables."""
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
        """Any column of the file as categories, for a split by group; read now, where it is no feature.

        Raises:
            DataError: when there is no such column, or it has an empty cell.
        """
        column = self.categories.get(name) or read_columns(self._path, {name: "category"}).categories[name]
        missing = column.codes == MISSING
        if missing.any():
            raise self._empty(name, int(missing.argmax()), "every row belongs to a group")
        return column.codes

    def describe(self, index: int) -> str:
        """The file and the line, counted from 1 with the header; in a Parquet file the row, from 1."""
        return self._places.of(index)

    @property
    def _class_target(self) -> Categories | None:
        found = [column for column in self.targets.values() if isinstance(column, Categories)]
        return found[0] if len(found) == 1 else None

    def _check_filled(self) -> None:
        empty = np.isnan(self.numbers)
        if empty.any():
            row, column = np.argwhere(empty)[0]
            raise self._empty(self.numeric[column], int(row), "missing: error")
        for name, categories in self.categories.items():
            if MISSING in categories.codes:
                raise self._empty(name, int((categories.codes == MISSING).argmax()), "missing: error")

    def _empty(self, column: str, row: int, why: str) -> DataError:
        return DataError(
            f"the cell of column '{column}' is empty",
            where=self.describe(row),
            expected=f"a value in every row ({why})",
            fix="fill the cell, leave the row out, or leave the column out with `ignore`",
        )

    def _tell(self, features: Sequence[str], told: bool) -> None:
        if told:
            used = {"numbers": self.numeric, "categories": self.categorical}
            left_out = [name for name in features if name not in {*self.numeric, *self.categorical}]
            parts = [f"{what} {', '.join(names)}" for what, names in used.items() if names]
            log.info("table: %s", "; ".join(parts + [f"left out {', '.join(left_out)}"] * bool(left_out)))
        for name, categories in self.categories.items():
            if len(categories.names) > max(_PATIENCE_WITH_SMALL_TABLES, _TOO_MANY_CATEGORIES * len(self)):
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
    """How each column that is no target is read; those that no list names are not read where both lists are given."""
    kinds: dict[str, ColumnKind] = {name: "number" for name in given["numeric"] or []}
    kinds |= {name: "category" for name in given["categorical"] or []}
    if given["numeric"] is None or given["categorical"] is None:
        named = {name for names in given.values() for name in names or []}
        kinds |= {name: "either" for name in header if name not in named}
    return kinds


def _chosen(listed: list[str] | None, found: list[str]) -> tuple[str, ...]:
    return tuple(found if listed is None else listed)


def _target(name: str, kind: ColumnKind, columns: Columns) -> npt.NDArray[np.float32] | Categories:
    """A column to predict, taken from those that were read.

    Raises:
        ConfigError: when it is not clear what it is.
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
                words = "table: the target '%s' has a class '%s' (%d rows); leave these rows out if it means no value"
                log.warning(words, name, each, np.count_nonzero(column.codes == code))
    elif kind == "either":
        _check_is_amount(name, column)
    return column


def _check_is_amount(name: str, numbers: npt.NDArray[np.float32]) -> None:
    values = np.unique(numbers)
    if len(values) <= _FEW_VALUES and (values == np.round(values)).all():
        raise ConfigError(
            f"target: '{name}' holds {len(values)} whole numbers, which may be classes or amounts",
            fix=f"write `targets: {{{name}: class}}` or `targets: {{{name}: number}}`",
        )


def _stacked(columns: list[npt.NDArray[np.float32]], num_rows: int) -> npt.NDArray[np.float32]:
    """Stacks the columns, so that the values of a row are contiguous; each column is deleted once it is copied."""
    table = np.empty((num_rows, len(columns)), np.float32)
    for position in reversed(range(len(columns))):
        table[:, position] = columns.pop()
    return table


def _zeros_like(column: npt.NDArray[Any] | Categories, num_rows: int) -> npt.NDArray[Any] | Categories:
    if isinstance(column, Categories):
        return Categories(np.zeros(num_rows, np.int32), column.names)
    return np.zeros(num_rows, column.dtype)


def _cell(column: npt.NDArray[Any] | Categories, index: int) -> Any:
    if isinstance(column, Categories):
        code = int(column.codes[index])
        return None if code == MISSING else column.names[code]
    return column[index].item()
