"""The source `ratings`: ratings of items by users, from a table like MovieLens's.

The whole table is parsed at the start, some millions of rows per second, and kept as three arrays, with 12 bytes per
row in total: ids can be mapped to consecutive indices only when all of them are known.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError, one_of
from seqtrain.registry import sources
from seqtrain.sources.base import Source, only
from seqtrain.sources.number_text import is_number
from seqtrain.sources.table_file import ColumnKind, Columns

_SPARSE = 4  # ids are sparse if their range is more than this many times their number
_DEFAULT_COLUMNS = ("userId", "movieId", "rating")


@sources.register("ratings")
class Ratings(Source):
    """Ratings of items by users: a CSV file with a header, or MovieLens's tab-separated `u.data` without one.

    Ids are whole numbers; they get indices from 0 on, in ascending order. Without a header, the columns are user, item
    and rating, in this order.

    Args:
        path: The table.
        user_column: The name of the column of the users.
        item_column: The name of the column of the items.
        rating_column: The name of the column of the ratings.

    Raises:
        DataError: when the file is missing or empty, lacks a column, or has a row with too few or too many cells, with
            a cell that is not a number, or with a rating that is NaN or infinite.
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
        read = _read(path, {user_column: "user", item_column: "item", rating_column: "rating"})
        self.user_ids, self.groups = _dense(read.numbers[user_column])
        self.item_ids, self.items = _dense(read.numbers[item_column])
        self.labels: npt.NDArray[np.float32] = read.numbers[rating_column]
        self._places = read.places

    def of_inputs(self, inputs: Sequence[Path]) -> Self:
        """The users and items of another table, which needs no ratings, with the indices of this source.

        Raises:
            DataError: see the class.
        """
        other = copy.copy(self)
        user, item = self._columns
        read = _read(only(inputs, "table"), {user: "user", item: "item"})
        other.user_ids, other.groups = _dense(read.numbers[user])
        other.item_ids, other.items = _dense(read.numbers[item])
        other.labels = np.zeros(read.num_rows, np.float32)
        other._places = read.places
        other.number_like(self)
        return other

    def number_like(self, known: Source) -> None:
        """Gives users and items the indices that they have in `known`, and -1 to others."""
        super().number_like(known)
        if isinstance(known, Ratings):
            self.groups = _renumbered(self.groups, self.user_ids, known.user_ids)
            self.items = _renumbered(self.items, self.item_ids, known.item_ids)
            self.user_ids, self.item_ids = known.user_ids, known.item_ids

    @property
    def known_names(self) -> Mapping[str, Any]:
        """See `Source`."""
        return {"users": _digest(self.user_ids), "items": _digest(self.item_ids)}

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"user": self.groups[index], "item": self.items[index], "rating": self.labels[index]}

    @property
    def users(self) -> npt.NDArray[np.int32]:
        """The index of each rating's user; the users are the groups too."""
        return self.groups

    @property
    def num_users(self) -> int:
        """The number of users."""
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        """The number of items."""
        return len(self.item_ids)

    def column(self, name: str) -> npt.NDArray[np.int32]:
        """The index of the user or the item of each rating, by the name of its column; the groups of a split.

        Raises:
            ConfigError: when another column is asked for.
        """
        columns = dict(zip(self._columns, (self.groups, self.items), strict=True))
        if name not in columns:
            raise ConfigError(f"ratings are grouped by user or by item, not by '{name}'", expected=one_of(columns))
        return columns[name]

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The indices of user and item, (samples, 2), and the ratings, (samples,)."""
        return np.stack([self.groups, self.items], axis=1)[indices], self.labels[indices]

    def describe(self, index: int) -> str:
        """The file and the line."""
        return self._places.of(index)


def _read(path: Path, roles: dict[str, str]) -> Columns:
    """The columns of a table.

    Args:
        path: The table.
        roles: The roles of the columns, by name; in this order, if there is no header.
    """
    from seqtrain.sources.csv_file import CsvFile
    from seqtrain.sources.typed_cells import read_csv

    file = CsvFile(path, blank_lines="refuse")
    if "::" in file.names[0]:
        fix = "sed 's/::/\\t/g' OLD > NEW"
        raise DataError("is separated by '::'", where=file.header, expected="commas or tabs", fix=fix)
    if is_number(file.names[0]):
        if (*roles,) != _DEFAULT_COLUMNS[: len(roles)]:
            raise ConfigError(
                f"the columns {(*roles,)} cannot be found by name: {path} has no header",
                fix="leave the column names out (the order is user, item, rating), or add a header",
            )
        if len(file.names) < len(roles):
            has, expected = f"the row has {len(file.names)} columns", ", ".join(roles.values())
            raise DataError(has, where=f"{path}:1", expected=expected, fix="add a column")
        file.without_header([*roles])
    kinds: dict[str, ColumnKind] = {name: "number" if role == "rating" else "whole" for name, role in roles.items()}
    targets = [name for name, role in roles.items() if role == "rating"]
    return read_csv(file, kinds, targets, fix="correct the row or delete it")


def _dense(ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The distinct ids in ascending order, and for each rating the position of its id among them."""
    lowest = int(ids.min())
    if int(ids.max()) - lowest > _SPARSE * len(ids):
        distinct, positions = np.unique(ids, return_inverse=True)
        return distinct, positions.astype(np.int32)
    occurs = np.bincount(ids - lowest) > 0  # for dense ids, this is faster than sorting them
    position_of: npt.NDArray[np.int32] = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs) + lowest, position_of[ids - lowest]


def _renumbered(
    positions: npt.NDArray[np.int32], ids: npt.NDArray[np.int64], known: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Replaces positions in `ids` by those of the same ids in `known`, or by -1; both are in ascending order."""
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    found: npt.NDArray[np.int32] = np.where(known[places] == ids, places, -1).astype(np.int32)[positions]
    return found


def _digest(ids: npt.NDArray[np.int64]) -> str:
    return f"{len(ids)}, sha256 {hashlib.sha256(ids.tobytes()).hexdigest()}"
