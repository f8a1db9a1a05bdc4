"""Decides from a table's first rows which columns are features, which may be targets, and which are neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from seqtrain.init.csv_sample import CsvSample, normalized_name
from seqtrain.sources.number_text import is_number

Role = Literal["number", "category", "id", "text", "constant"]

DAY_OR_MONTH_FIRST = re.compile(r"[0-9]{1,2}([./-])[0-9]{1,2}\1[0-9]{2,4}")

_TARGET_NAMES = ("target", "label", "class", "y", "outcome", "output", "diagnosis", "species", "category", "price")
_ID_NAMES = frozenset({"id", "index", "rowid", "uuid", "rownumber", "unnamed0", "passengerid", ""})
_ID_ENDING = re.compile(r"[A-Za-z0-9](?:[_ .-](?i:id)|(?<=[a-z0-9])(?:Id|ID))$")  # customer_id, orderId
_GROUP_NAMES = ("patient", "patientid", "group", "subject", "subjectid", "person", "scanner", "site", "userid")
_YEAR_FIRST = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_FEW_VALUES = 20
_MOST = 0.9  # share of the cells; the other cells are mistakes, which are reported when the data is read
_MOST_CLASSES = 1000


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of a table.

    Args:
        roles: The role of each column: "number" and "category" are features; an "id" identifies rows; "text" differs in
            every row, or is a date.
        distinct: The number of distinct values of each column in the first rows.
    """

    roles: dict[str, Role]
    distinct: dict[str, int]

    @property
    def features(self) -> list[str]:
        """The columns that can be used as features."""
        return [name for name, role in self.roles.items() if role in ("number", "category")]

    @property
    def ignored(self) -> list[str]:
        """The columns that cannot be used as features."""
        return [name for name in self.roles if name not in self.features]


def column_roles(sample: CsvSample) -> ColumnRoles:
    """Decides the role of every column."""
    cells = {name: sample.column(name) for name in sample.header}
    distinct = {name: len(set(column)) for name, column in cells.items()}
    return ColumnRoles({name: _role(name, column, distinct[name]) for name, column in cells.items()}, distinct)


def target_kind(sample: CsvSample, name: str) -> Literal["number", "class"]:
    """Whether to predict a column as a number or as a class: few distinct whole numbers are classes."""
    cells = sample.column(name)
    numbers = list(filter(is_number, cells))
    if len(numbers) <= _MOST * len(cells):
        return "class"
    return "class" if all(map(str.isdecimal, numbers)) and len(set(cells)) <= _FEW_VALUES else "number"


def likely_targets(sample: CsvSample, roles: ColumnRoles) -> tuple[list[str], str | None]:
    """Columns that may be the target, and the most likely one: the one with a typical name, else the last."""
    names = [name for name in roles.features if roles.distinct[name] <= _MOST_CLASSES or roles.roles[name] == "number"]
    named = sample.named(*_TARGET_NAMES)
    return names, named if named in names else (names[-1] if names else None)


def group_column(sample: CsvSample) -> str | None:
    """The column to split by group, such as the patient, if some of its values repeat."""
    name = sample.named(*_GROUP_NAMES)
    return name if name is not None and 1 < len(set(sample.column(name))) < len(sample.rows) else None


def _role(name: str, cells: list[str], distinct: int) -> Role:
    if distinct < 2:
        return "constant"
    if all(map(DAY_OR_MONTH_FIRST.match, cells)) or all(map(_YEAR_FIRST.match, cells)):
        return "text"
    are_all_different = distinct == len(cells)
    numbers = sum(map(is_number, cells))
    if distinct > _MOST * len(cells) and (normalized_name(name) in _ID_NAMES or _ID_ENDING.search(name)):
        return "id"
    if numbers > _MOST * len(cells):
        return "number"
    return "text" if distinct > max(_FEW_VALUES, 0.5 * len(cells)) or are_all_different else "category"
