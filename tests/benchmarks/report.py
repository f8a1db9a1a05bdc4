"""What the benchmarks found, as a table for people or as JSON."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable
from typing import Any

from tests.benchmarks.contest import Row

_VERDICTS = {True: "reached", False: "falls short", None: ""}


def table(rows: Iterable[Row]) -> str:
    """Ours divided by each peer: the median over the rounds, their extremes, best by best, the target."""
    lines = [("workload", "peer", "per second", "ours / peer", "lowest", "highest", "best / best", "at least", "")]
    lines += [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(cells[:-1] for cells in lines), strict=True)]
    return "\n".join(_line(cells, widths) for cells in lines)


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """All that was measured."""
    return [
        {
            **dataclasses.asdict(row),
            "ratio": row.ratio if row.ratios else None,
            "best_ratio": row.best_ratio if row.ratios else None,
            "is_reached": row.is_reached,
        }
        for row in rows
    ]


def _cells(row: Row) -> tuple[str, ...]:
    speed = f"{statistics.median(row.speeds):.4g}" if row.speeds else ""
    target = f"{row.at_least:.2f}" if row.at_least is not None else ""
    if not row.ratios:
        reason = row.note.strip().splitlines()[-1] if row.note else ""
        return row.workload, row.peer, speed, "", "", "", "", target, reason
    spread = f"{row.ratio:.2f}", f"{min(row.ratios):.2f}", f"{max(row.ratios):.2f}", f"{row.best_ratio:.2f}"
    return row.workload, row.peer, speed, *spread, target, _VERDICTS[row.is_reached]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    aligned = zip(cells[:-1], widths, strict=True)
    texts = [cell.ljust(width) if n < 2 else cell.rjust(width) for n, (cell, width) in enumerate(aligned)]
    return "  ".join([*texts, cells[-1]]).rstrip()
