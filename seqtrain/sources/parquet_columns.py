"""Columns of a Parquet file as typed arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from seqtrain.errors import MOST_LISTED, DataError, GatheredErrors, Mistake, unreadable
from seqtrain.sources.table_file import Categories, ColumnKind, Columns, RowPlaces, check_names, no_rows
from seqtrain.sources.typed_cells import encoded, to_categories

_EXPECTED: Mapping[ColumnKind, str] = {
    "number": "a column of numbers",
    "category": "a column of text, whole numbers or booleans",
    "text": "a column of text, numbers or booleans",
    "whole": "a column of whole numbers",
    "time": "a column of numbers, dates or timestamps",
    "either": "a column of numbers, text or booleans",
}


def parquet_names(path: Path) -> list[str]:
    """The names of the file's columns.

    Raises:
        DataError: when the file is not a Parquet file.
    """
    return list(_opened(path).schema_arrow.names)


def read_parquet(path: Path, kinds: Mapping[str, ColumnKind]) -> Columns:
    """Reads columns one after another; see `read_columns`."""
    check_names(path, parquet_names(path), kinds)
    file, columns, errors = _opened(path), Columns(RowPlaces(path)), GatheredErrors()
    for name, kind in kinds.items():
        try:
            columns.put(name, _column(file.read([name]).column(0), kind, name, path))
        except DataError as error:
            errors.add(error)
    errors.raise_if_any()
    if file.metadata.num_rows == 0:
        raise no_rows(path)
    return columns


def _opened(path: Path) -> Any:
    try:
        return parquet.ParquetFile(path)
    except FileNotFoundError as error:
        raise unreadable(path, error, expected="a Parquet file", fix="check the path") from error
    except (OSError, ValueError) as error:  # pyarrow's own errors are among these
        raise DataError(f"is no Parquet file: {error}", where=path, fix="check that it was copied whole") from error


def _column(column: Any, kind: ColumnKind, name: str, path: Path) -> npt.NDArray[Any] | Categories | list[str]:
    known = pa.types
    type_ = column.type.value_type if known.is_dictionary(column.type) else column.type
    is_text = known.is_string(type_) or known.is_large_string(type_)
    is_number = known.is_integer(type_) or known.is_floating(type_) or known.is_decimal(type_)
    is_boolean = known.is_boolean(type_)
    if kind == "time" and (known.is_timestamp(type_) or known.is_date(type_)):
        return _times(column)
    if kind in ("number", "time", "either") and (is_number or is_boolean):
        return _numbers(column.cast(type_), kind, name, path)
    if kind in ("category", "either") and (is_text or is_boolean or known.is_integer(type_)):
        return to_categories(encoded(column.cast(pa.large_string())))
    if kind == "text" and (is_text or is_boolean or is_number):
        return [cell.strip() for cell in column.cast(pa.large_string()).fill_null("").to_pylist()]
    raise DataError(
        f"the column '{name}' cannot be read as {kind if kind != 'either' else 'a number or category'}",
        where=path,
        expected=_EXPECTED[kind],
        received=str(column.type),
        fix="name another column, leave this one out, or save the file with another type",
    )


def _numbers(column: Any, kind: ColumnKind, name: str, path: Path) -> npt.NDArray[Any]:
    if kind == "time":
        return np.asarray(column.cast("float64", safe=False).to_numpy())
    numbers = np.asarray(column.cast("uint8" if str(column.type) == "bool" else "float64", safe=False).to_numpy())
    infinite = np.abs(numbers) > np.finfo(np.float32).max
    if infinite.any():
        raise DataError(
            Mistake(
                f"the cell of column '{name}' is infinite",
                where=f"{path}:{row + 1}",
                expected="a finite number",
                received=str(numbers[row]),
                fix="correct it, or make it null where the value is missing",
            )
            for row in np.flatnonzero(infinite)[:MOST_LISTED].tolist()
        )
    return numbers.astype(np.float32)


def _times(column: Any) -> npt.NDArray[np.float64]:
    microseconds = column.cast(pa.timestamp("us", getattr(column.type, "tz", None)), safe=False)
    return np.asarray(microseconds.cast("int64").cast("float64", safe=False).to_numpy())
