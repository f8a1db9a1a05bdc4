"""What is fitted on the training samples before training: scales of numbers, and vocabularies of categories.

Fitted on all samples, they would leak validation rows into training, and validation would look better than it is. So
each is fitted on the rows that it is given, and keeps nothing but the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seqtrain.errors import CheckpointError
from seqtrain.sources.table_file import MISSING, Categories
from seqtrain.structure import Indices

_ROWS_IN_A_BLOCK = 1 << 16
_LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Scaling:
    """Brings columns of numbers to mean 0 and standard deviation 1.

    Args:
        mean: Of each column; NaN where the training part holds no value.
        std: Of each column, over all values; 1 for a constant.
        has_missing: Whether values of the column were missing.
    """

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    has_missing: npt.NDArray[np.bool_]

    @classmethod
    def fit(cls, values: npt.NDArray[np.floating[Any]], rows: Indices) -> Scaling:
        """Fits on some rows of (rows, columns); NaN is left out.

        Two passes, in blocks: sums of squares alone lose all digits where the mean is large beside the std.
        """
        counts, total = np.zeros(values.shape[1], np.int64), np.zeros(values.shape[1])
        for start in range(0, len(rows), _ROWS_IN_A_BLOCK):
            block = values[rows[start : start + _ROWS_IN_A_BLOCK]].astype(np.float64)
            counts += np.count_nonzero(~np.isnan(block), axis=0)
            total += np.nansum(block, axis=0)
        mean = np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0)
        squares = np.zeros_like(total)
        for start in range(0, len(rows), _ROWS_IN_A_BLOCK):
            block = values[rows[start : start + _ROWS_IN_A_BLOCK]].astype(np.float64)
            squares += np.nansum((block - mean) ** 2, axis=0)
        std = np.sqrt(squares / np.maximum(counts, 1))
        constant = std <= np.abs(mean) * np.finfo(np.float32).eps
        return cls(mean, np.where(constant | (counts == 0), 1.0, std), counts < len(rows))

    @classmethod
    def from_json(cls, fitted: Mapping[str, Mapping[str, Any]]) -> Scaling:
        """What `to_json` made, in the order of its columns."""
        columns = fitted.values()
        return cls(
            np.array([column["mean"] for column in columns], np.float64),
            np.array([column["deviation"] for column in columns], np.float64),
            np.array([column["has_missing"] for column in columns], np.bool_),
        )

    def to_json(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What was fitted, by the names of the columns."""
        fitted = zip(self.mean.tolist(), self.std.tolist(), self.has_missing.tolist(), strict=True)
        parts = ("mean", "deviation", "has_missing")
        return {name: dict(zip(parts, column, strict=True)) for name, column in zip(names, fitted, strict=True)}

    def apply(self, values: npt.NDArray[np.floating[Any]], columns: Any = slice(None)) -> npt.NDArray[np.float64]:
        """Values of (..., columns) scaled; NaN stays.

        Args:
            values: To be scaled.
            columns: Which of the fitted columns they are, in order. Default: all.
        """
        scaled: npt.NDArray[np.float64] = values - self.mean[columns]
        scaled /= self.std[columns]
        return scaled


@dataclass(frozen=True)
class Vocabulary:
    """Ids of categories: 0 unknown, 1 missing, then those of the training part in the order of their names.

    Args:
        names: Of the ids from 2 on.
        ids: The id of each code of the column; the last is that of the code -1, an empty cell.
    """

    names: tuple[str, ...]
    ids: npt.NDArray[np.int32]

    UNKNOWN = 0
    EMPTY = 1
    FIRST = 2

    @classmethod
    def fit(cls, column: Categories, rows: Indices, min_count: int = 1) -> Vocabulary:
        """Fits on some rows of a column.

        Args:
            column: Of the source.
            rows: Of the training part.
            min_count: Categories that occur in fewer of the rows are unknown.
        """
        counts = np.bincount(column.codes[rows] + 1, minlength=len(column.names) + 1)[1:]
        known = np.flatnonzero(counts >= min_count)
        ids = np.full(len(column.names) + 1, cls.UNKNOWN, np.int32)
        ids[known] = np.arange(cls.FIRST, cls.FIRST + len(known), dtype=np.int32)
        ids[MISSING] = cls.EMPTY
        return cls(tuple(column.names[code] for code in known), ids)

    @classmethod
    def of(cls, names: Sequence[str], column: Categories) -> Vocabulary:
        """What was fitted on another column, for this one, whose categories have other codes."""
        ids = {name: number for number, name in enumerate(names, start=cls.FIRST)}
        of_codes = [ids.get(name, cls.UNKNOWN) for name in column.names]
        return cls(tuple(names), np.array([*of_codes, cls.EMPTY], dtype=np.int32))

    def __len__(self) -> int:
        return len(self.names) + self.FIRST

    def apply(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The ids of codes."""
        return self.ids.take(codes)


class Scale(NamedTuple):
    """What was taken out of a column of numbers."""

    mean: float
    std: float


def scales_of(fitted: Mapping[str, Any]) -> dict[str, Scale]:
    """The scale of each column that may be a target, of what `fitted` of a table or of windows gives."""
    columns = {**fitted.get("columns", {}), **fitted.get("targets", {})}
    return {
        name: Scale(column["mean"], column["deviation"]) for name, column in columns.items() if "deviation" in column
    }


def require_same(what: str, expected: Any, received: Any) -> None:
    """Check that something is as it was when a run was trained.

    Raises:
        CheckpointError: when it differs.
    """
    if expected != received:
        raise CheckpointError(
            f"{what} differ from what the run was trained with",
            expected=str(expected)[:_LONGEST_SHOWN],
            received=str(received)[:_LONGEST_SHOWN],
            fix="bring the data and the settings back to what they were, or train anew",
        )
