"""Spans of time as a table shows them, in at most seven characters."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def elapsed(seconds: float) -> str:
    """The two largest units of a span: 5s, 12m 34s, 2h 05m, 3d 4h, 40d."""
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
    """How long something is over, by its largest unit: 5s ago, 12m ago, 3d ago."""
    return f"{elapsed(seconds).partition(' ')[0]} ago"
