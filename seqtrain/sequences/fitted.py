"""Preprocessing that is fitted on the training samples: scaling of numbers, and vocabularies of categories.

Fitted on all samples, it would leak validation rows into training, and validation would look better than it is. So it
is fitted on given rows, and keeps the result only.
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
    """Scales columns of numbers to mean 0 and standard deviation 1.

    Args:
        mean: The mean of each column; NaN if the training rows have no value.
        std: The standard deviation of each column; 1 if the column is constant.
        has_missing: Whether each column had missing values.
    """

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    has_missing: npt.NDArray[np.bool_]

    @classmethod
    def fit(cls, values: npt.NDArray[np.floating[Any]], rows: Indices) -> Scaling:
        """Fits on some rows of an array (rows, columns), ignoring NaN.

        It takes two passes, in blocks: sums of squares lose all digits if the mean is much larger than the std.
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
        """The scaling that `to_json` returned, with its columns in the same order."""
        columns = fitted.values()
        return cls(
            np.array([column["mean"] for column in columns], np.float64),
            np.array([column["deviation"] for column in columns], np.float64),
            np.array([column["has_missing"] for column in columns], np.bool_),
        )

    def to_json(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The fitted values by the names of the columns."""
        fitted = zip(self.mean.tolist(), self.std.tolist(), self.has_missing.tolist(), strict=True)
        parts = ("mean", "deviation", "has_missing")
        return {name: dict(zip(parts, column, strict=True)) for name, column in zip(names, fitted, strict=True)}

    def apply(self, values: npt.NDArray[np.floating[Any]], columns: Any = slice(None)) -> npt.NDArray[np.float64]:
        """Scales values of shape (..., columns); NaN stays NaN.

        Args:
            values: The values to scale.
            columns: The indices of their columns among the fitted ones. Default: all.
        """
        scaled: npt.NDArray[np.float64] = values - self.mean[columns]
        scaled /= self.std[columns]
        return scaled


@dataclass(frozen=True)
class Vocabulary:
    """Ids of categories: 0 for unknown, 1 for missing, then the categories of the training rows, sorted by name.

    Args:
        names: The names of the ids from 2 on.
        ids: The id of each code of the column; the last one is for the code -1, an empty cell.
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
            column: A column of the source.
            rows: The training rows.
            min_count: Categories that occur in fewer rows are unknown.
        """
        counts = np.bincount(column.codes[rows] + 1, minlength=len(column.names) + 1)[1:]
        known = np.flatnonzero(counts >= min_count)
        ids = np.full(len(column.names) + 1, cls.UNKNOWN, np.int32)
        ids[known] = np.arange(cls.FIRST, cls.FIRST + len(known), dtype=np.int32)
        ids[MISSING] = cls.EMPTY
        return cls(tuple(column.names[code] for code in known), ids)

    @classmethod
    def of(cls, names: Sequence[str], column: Categories) -> Vocabulary:
        """The vocabulary that was fitted on another column, for a column whose categories have other codes."""
        ids = {name: number for number, name in enumerate(names, start=cls.FIRST)}
        of_codes = [ids.get(name, cls.UNKNOWN) for name in column.names]
        return cls(tuple(names), np.array([*of_codes, cls.EMPTY], dtype=np.int32))

    def __len__(self) -> int:
        return len(self.names) + self.FIRST

    def apply(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """The ids of codes."""
        return self.ids.take(codes)


class Scale(NamedTuple):
    """The mean and the standard deviation that a column was scaled by."""

    mean: float
    std: float


def scales_of(fitted: Mapping[str, Any]) -> dict[str, Scale]:
    """The scale of each column that may be a target, from `fitted()` of a sequence `table` or `windows`."""
    columns = {**fitted.get("columns", {}), **fitted.get("targets", {})}
    return {
        name: Scale(column["mean"], column["deviation"]) for name, column in columns.items() if "deviation" in column
    }


def require_same(what: str, expected: Any, received: Any) -> None:
    """Checks that something is as it was when a run was trained.

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
