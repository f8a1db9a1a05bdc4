"""Runs as a table for a terminal, a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from seqtrain.reports.run_record import Best, RunRecord
from seqtrain.reports.run_state import RunState
from seqtrain.reports.runs import Runs
from seqtrain.reports.terminal_style import DIM, GREEN, RED, YELLOW, styled
from seqtrain.text import GAP, ago, counted, number, short_duration, shortened_middle

_NARROWEST_NAME = 12
_RIGHT = ("epochs", "of epoch", "trained", "started")
_LESS_NEEDED = ("trained", "started", "of epoch", "epochs")  # is left out first where a terminal is narrow
_COLORS = {"completed": GREEN, "early_stopped": GREEN, "training": YELLOW, "interrupted": YELLOW, "max_time": YELLOW}


def runs_table(runs: Runs, ordered: Sequence[RunRecord], width: int, metric: str | None = None) -> str:
    """The runs in an order, with their best values.

    Args:
        runs: What was found.
        ordered: The runs to show.
        width: Of the terminal; names are cut where the table would be wider.
        metric: By which their best epochs are chosen; the one that each watched where it is None.
    """
    if not ordered:
        return f"no runs below {', '.join(map(str, runs.places))}"
    bests = [run.best_by(metric) if metric else run.best for run in ordered]
    watched = {best.monitor for best in bests if best}
    of_best = next(iter(watched)) if len(watched) == 1 else "best"
    columns = {
        "run": [runs.name(run) for run in ordered],
        "status": [_status(run.state) for run in ordered],
        "epochs": [_epochs(run) for run in ordered],
        of_best: [_value(best, with_name=len(watched) > 1) for best in bests],
        "of epoch": [str(best.epoch + 1) if best else "-" for best in bests],
        "trained": [short_duration(run.duration_s) if run.duration_s is not None else "-" for run in ordered],
        "started": [_age(run) for run in ordered],
    }
    lines = _lines(_fitted(columns, width), [run.state for run in ordered])
    return "\n".join([*lines, "", _counts(ordered)])


def status_color(state: RunState) -> str:
    """Green where it ended as it should, yellow where it may go on, red where somebody must look."""
    return _COLORS.get(state.status, RED)


def _fitted(columns: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """The columns that there is room for, and the names cut in the middle to what is left."""
    columns = dict(columns)
    for name in _LESS_NEEDED:
        if _room(columns, width) < _NARROWEST_NAME:
            del columns[name]
    room = max(_room(columns, width), _NARROWEST_NAME)
    columns["run"] = [shortened_middle(name, room) for name in columns["run"]]
    return columns


def _room(columns: dict[str, list[str]], width: int) -> int:
    """What the columns beside the names leave them."""
    return width - sum(_widest(name, cells) + len(GAP) for name, cells in columns.items() if name != "run")


def _lines(columns: dict[str, list[str]], states: Sequence[RunState]) -> list[str]:
    widths = {name: _widest(name, cells) for name, cells in columns.items()}
    lines = [styled(GAP.join(_aligned(name, name, widths[name]) for name in columns).rstrip(), DIM)]
    for index, state in enumerate(states):
        cells = {name: _aligned(name, cells[index], widths[name]) for name, cells in columns.items()}
        cells["status"] = styled(cells["status"], status_color(state))
        lines.append(GAP.join(cells.values()).rstrip())
    return lines


def _aligned(column: str, cell: str, width: int) -> str:
    return f"{cell:>{width}}" if column in _RIGHT else f"{cell:<{width}}"


def _widest(name: str, cells: Sequence[str]) -> int:
    return max(map(len, (name, *cells)))


def _status(state: RunState) -> str:
    """With the process that trains it: the one thing that somebody who would end it needs."""
    process = state.told.rpartition("process ")[2] if state.status == "training" else ""
    return f"{state.words}, {process}" if process.isdigit() else state.words


def _epochs(run: RunRecord) -> str:
    return f"{len(run.rows)}/{run.planned_epochs}" if run.planned_epochs else str(len(run.rows))


def _value(best: Best | None, with_name: bool) -> str:
    if best is None:
        return "-"
    return f"{best.monitor} {number(best.value)}" if with_name else number(best.value)


def _age(run: RunRecord) -> str:
    return ago((datetime.now(UTC) - run.starts[-1]).total_seconds())


def _counts(runs: Sequence[RunRecord]) -> str:
    counts = Counter(run.state.words for run in runs)
    several = ", ".join(f"{count} {words}" for words, count in counts.most_common())
    return f"{counted(len(runs), 'run')}: {several}"
