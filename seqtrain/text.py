"""Formats lists, counts, numbers, sizes, durations and tables for users; no other module formats these."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

GAP = "  "  # between the columns of a table
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def listed(items: Collection[Any], most: int, rest: str = " and {more} more", separator: str = ", ") -> str:
    """The first items, and the number of the others: "a, b and 3 more".

    Args:
        items: The items, formatted with `str`.
        most: The largest number of items to list.
        rest: Appended if there are more items; `{more}` is the number of the others, `{total}` that of all.
        separator: Separates two items.
    """
    ending = rest.format(more=len(items) - most, total=len(items)) if len(items) > most else ""
    return separator.join(map(str, islice(items, most))) + ending


def counted(count: int, noun: str, plural: str | None = None, none: str = "0") -> str:
    """A count with its noun: "1 file", "3 files".

    Args:
        count: The count.
        noun: The singular.
        plural: The plural. Default: the noun with an "s".
        none: Replaces a count of zero.
    """
    return f"{count or none} {noun if count == 1 else plural or noun + 's'}"


def number(value: Any, none: str = "-") -> str:
    """A float with four significant digits, anything else with `str`.

    Args:
        value: The number.
        none: Replaces None.
    """
    if value is None:
        return none
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def number_range(low: int, high: int) -> str:
    """A range of counts: "12" or "12 to 3,400"."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def short_count(count: int) -> str:
    """A count in at most five characters: 9999, 152k, 3.1M."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1e6:.{1 if count < 99_950_000 else 0}f}M"


def file_size(num_bytes: int) -> str:
    """A size of files in decimal units: 3.2 MB, 1.25 GB."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:.2f} GB"


def memory_size(num_bytes: int) -> str:
    """A size of memory or free disk space in binary units: 512 MiB, 3.5 GiB."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.0f} MiB"


def duration(seconds: float) -> str:
    """A duration for a sentence: 3.1 s, 12 min 34 s, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    return f"{minutes} min {rest:02} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def short_duration(seconds: float) -> str:
    """A duration for a table, at most seven characters: 5s, 12m 34s, 2h 05m, 3d 4h, 40d."""
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h {whole % _HOUR // _MINUTE:02}m"
    days, rest = divmod(whole, _DAY)
    return f"{days}d {rest // _HOUR}h" if days < 10 else f"{days}d"


def ago(seconds: float) -> str:
    """The time since an event in its largest unit: 5s ago, 12m ago, 3d ago."""
    return f"{short_duration(seconds).partition(' ')[0]} ago"


def parse_duration(text: str) -> int:
    """Parses a duration such as `90s`, `10m`, `3h50m` or `2d`, to seconds.

    Raises:
        ValueError: when the text is no duration, or the duration is zero.

    Example:
        parse_duration("3h50m")  # 13800
    """
    match = _DURATION.fullmatch(text.strip())
    days, hours, minutes, seconds = map(int, match.groups("0")) if match else (0, 0, 0, 0)
    total = days * _DAY + hours * _HOUR + minutes * _MINUTE + seconds
    if not total:
        raise ValueError(f"a duration such as 90s, 10m, 3h50m or 2d, not '{text}'")
    return total


def shortened(text: str, most: int = 18) -> str:
    """Cuts off the end of a text with more than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shortened_middle(text: str, most: int) -> str:
    """Cuts out the middle of a text: a run's path begins with its name and ends with its time."""
    head = (most - 1) // 3
    return text if len(text) <= most else f"{text[:head]}…{text[head + 1 - most :]}"


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """The rows of a table as lines of text with aligned columns.

    Args:
        rows: The cells of each row; all rows have the same length.
        right: The columns that are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
