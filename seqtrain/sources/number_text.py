"""The grammar of numbers in files. `float` is not used to check them, since `float("1_0")` is 10 in Python."""

from __future__ import annotations

import re

NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?i:nan|inf|infinity)"
"""A number with a decimal point, as a pattern for the whole cell."""

WHOLE_NUMBER = "[+-]?[0-9]{1,30}"

WITH_COMMA = r"[+-]?[0-9]+(?:\.[0-9]{3})*,[0-9]+"
"""A number with a decimal comma, as Excel writes it in much of Europe."""

NO_NUMBER = frozenset({"", "na", "n/a", "nan", "null"})
"""The texts, in lower case, of a cell without a number."""

_number, _with_comma = re.compile(NUMBER), re.compile(WITH_COMMA)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number; blanks around it do not matter."""
    return _number.fullmatch(cell.strip()) is not None


def has_decimal_comma(cell: str) -> bool:
    """Whether a cell holds a number that is written with a decimal comma."""
    return _with_comma.fullmatch(cell.strip()) is not None


def is_missing(cell: str) -> bool:
    """Whether a cell has no value."""
    return cell.strip().lower() in NO_NUMBER
