"""Durations as people write them: `90s`, `10m`, `3h50m`, `2d`."""

from __future__ import annotations

import re

_SECONDS = (86400, 3600, 60, 1)
_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(text: str) -> int:
    """The seconds of a duration.

    Raises:
        ValueError: when the text is none, or is no time at all.

    Example:
        seconds("3h50m")  # 13800
    """
    match = _PARTS.fullmatch(text.strip())
    numbers = match.groups("0") if match else ()
    total = sum(int(number) * size for number, size in zip(numbers, _SECONDS, strict=False))
    if not total:
        raise ValueError(f"a duration such as 90s, 10m, 3h50m or 2d, not '{text}'")
    return total
