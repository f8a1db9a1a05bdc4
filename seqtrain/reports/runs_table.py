"""Shows runs as a table for the terminal, one line per run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtrain.reports.run_folder import Best, RunFolder, RunState
from seqtrain.reports.runs import Runs
from seqtrain.reports.terminal import UNLIMITED, columns, styled
from seqtrain.text import GAP, ago, counted, number, short_duration, shortened_middle

if TYPE_CHECKING:
    from rich.console import RenderableType

_NARROWEST_NAME = 12
_RIGHT = ("epochs", "of epoch", "trained", "started")
_LESS_NEEDED = ("trained", "started", "of epoch", "epochs")  # columns to leave out first on a narrow terminal
_COLORS = dict.fromkeys(("completed", "early_stopped"), "green") | dict.fromkeys(
    ("training", "interrupted", "max_time"), "yellow"
)


def runs_table(
    runs: Runs, ordered: Sequence[RunFolder], width: int = UNLIMITED, metric: str | None = None
) -> list[RenderableType]:
    """A table of runs in the given order, with their best values.

    Args:
        runs: All runs that were found.
        ordered: The runs to show.
        width: The width of the terminal; if it is narrow, columns are left out and names are shortened.
        metric: The metric by which the best epochs are chosen; None for the one that each run watched.
    """
    if not ordered:
        return [f"no runs below {', '.join(map(str, runs.places))}"]
    bests = [run.best_by(metric) if metric else run.best for run in ordered]
    watched = {best.monitor for best in bests if best}
    cells = {
        "run": [runs.name(run) for run in ordered],
        "status": [_status(run.state) for run in ordered],
        "epochs": [f"{len(run.rows)}{f'/{run.planned_epochs}' if run.planned_epochs else ''}" for run in ordered],
        next(iter(watched)) if len(watched) == 1 else "best": [_value(best, len(watched) > 1) for best in bests],
        "of epoch": [str(best.epoch + 1) if best else "-" for best in bests],
        "trained": [trained_time(run) for run in ordered],
        "started": [ago(run.age_s) for run in ordered],
    }
    _fit(cells, width)
    colored = [styled(cell, status_color(run.state)) for cell, run in zip(cells["status"], ordered, strict=True)]
    rows = zip(*({**cells, "status": colored}).values(), strict=True)
    return [columns(rows, list(cells), _RIGHT), "", _counts(ordered)]


def status_color(state: RunState) -> str:
    """Green for a complete run, yellow for one that can be resumed, red for one that failed."""
    return _COLORS.get(state.status, "red")


def trained_time(run: RunFolder) -> str:
    """The training time, for a table."""
    return short_duration(run.duration_s) if run.duration_s is not None else "-"


def _fit(cells: dict[str, list[str]], width: int) -> None:
    """Removes columns until the rest fits, and shortens the names of runs to the remaining width."""
    for name in (*_LESS_NEEDED, None):
        others = sum(max(map(len, (title, *column))) + len(GAP) for title, column in cells.items() if title != "run")
        room = width - others
        if room >= _NARROWEST_NAME or name is None:
            break
        del cells[name]
    cells["run"] = [shortened_middle(name, max(room, _NARROWEST_NAME)) for name in cells["run"]]


def _status(state: RunState) -> str:
    """The status; while a run trains, with the id of its process, by which it can be stopped."""
    process = state.reason.rpartition("process ")[2] if state.status == "training" else ""
    return f"{state.label}, {process}" if process.isdigit() else state.label


def _value(best: Best | None, with_name: bool) -> str:
    if best is None:
        return "-"
    return f"{best.monitor} {number(best.value)}" if with_name else number(best.value)


def _counts(runs: Sequence[RunFolder]) -> str:
    counts = Counter(run.state.label for run in runs)
    several = ", ".join(f"{count} {label}" for label, count in counts.most_common())
    return f"{counted(len(runs), 'run')}: {several}"
