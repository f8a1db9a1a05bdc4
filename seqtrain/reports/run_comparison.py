"""Compares several runs: the differences of their configs, and their results."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqtrain.config.compare import Flat, by_key, changes, with_mappings
from seqtrain.config.flat import Names
from seqtrain.config.load import load_config
from seqtrain.errors import ConfigError
from seqtrain.metric_names import larger_is_better
from seqtrain.reports.run_folder import RunFolder, read_run
from seqtrain.reports.runs_table import trained_time
from seqtrain.reports.terminal import UNLIMITED, columns, indented, styled
from seqtrain.text import GAP, number, shortened, shortened_middle

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_WIDEST_CELLS = (UNLIMITED, 32, 24, 18, 14, 10)  # the widest that fits is taken
_PACE = ("samples_per_s", "data_wait", "learning_rate", "lr")  # of which none is the best
_LOSS = ("compile", "loss")

Row = tuple[str, list[str]]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Args:
        runs: At least two.
        configs: Of each the values by key; a key that all have alike is not in `differences`.
        differences: The keys of the configs that are not alike everywhere.
    """

    runs: Sequence[RunFolder]
    configs: Sequence[Flat]
    differences: Sequence[Names]

    @property
    def names(self) -> list[str]:
        """The runs' paths, without what they all begin with."""
        return short_names([run.path for run in self.runs])

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics that any run logged."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    def at_best(self, metric: str) -> list[Any]:
        """The value of a metric in the best epoch of each run, whose weights are its best checkpoint."""
        return [_row_of_best(run).get(metric) for run in self.runs]

    def values(self, keys: Names) -> list[Any]:
        """A value of each run's config; None where there is none."""
        return [config[keys].value if keys in config else None for config in self.configs]

    def to_json(self) -> dict[str, Any]:
        """For scripts; lists are in the order of the runs."""
        differences = [{"key": ".".join(keys), "values": self.values(keys)} for keys in self.differences]
        runs = [
            {"name": name, **run.to_json(), "metrics_at_best": _row_of_best(run)}
            for name, run in zip(self.names, self.runs, strict=True)
        ]
        return {"runs": runs, "differences": differences}

    def parts(self, width: int = UNLIMITED) -> list[RenderableType]:
        """For people: tables of one column a run, or where these are too wide of one line a run."""
        results = [*self._course(), *(self._metric_row(metric) for metric in self.metrics)]
        for widest in _WIDEST_CELLS:
            config = self._config_rows(widest)
            heads = [shortened_middle(name, widest) for name in self.names]
            cells = [["", *heads], *([f"  {name}", *values] for name, values in [*config, *results])]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            if sum(widths) + len(GAP) * (len(widths) - 1) <= width:
                return _titled(config, results, partial(_side_by_side, heads, widths))
        return _titled(self._config_rows(width // 2), results, partial(_stacked, self.names))

    def _config_rows(self, widest: int) -> list[Row]:
        """The config values that differ; for a callback "yes" where it is there, as its key is its name already."""
        rows = [(keys, self.values(keys)) for keys in self.differences]
        return [
            (".".join(keys), ["yes" if value == keys[-1] else _cell(value, widest) for value in values])
            for keys, values in rows
        ]

    def _course(self) -> list[Row]:
        bests = [run.best for run in self.runs]
        return [
            ("status", [run.state.words for run in self.runs]),
            ("epochs", [f"{len(run.rows)}/{run.planned_epochs or '?'}" for run in self.runs]),
            ("trained", [trained_time(run) for run in self.runs]),
            ("best epoch", [str(best.epoch + 1) if best else "-" for best in bests]),
            ("chosen by", [best.monitor if best else "-" for best in bests]),
        ]

    def _metric_row(self, metric: str) -> Row:
        """A row with the metric's value in each run, the best one marked."""
        values = self.at_best(metric)
        numbers = [value for value in values if value is not None]
        best = (max if larger_is_better(metric) else min)(numbers, default=None)
        is_told = metric not in _PACE and len(set(numbers)) > 1 and self.is_comparable(metric)
        return metric, [number(value) + (" *" if is_told and value == best else "") for value in values]

    def is_comparable(self, metric: str) -> bool:
        """Whether the numbers mean the same in all runs: their losses may be different ones."""
        return not metric.endswith("loss") or not any(keys[:2] == _LOSS for keys in self.differences)


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compares runs; their data and imports need not be where the configs say.

    Args:
        paths: Their folders, at least two.

    Raises:
        CheckpointError: when one of them is no run.
        ConfigError: when there is but one, or a config is not one of this version.
    """
    if len({path.resolve() for path in paths}) < 2:
        raise ConfigError("one run cannot be compared", expected="at least two different run folders")
    runs = [read_run(path) for path in paths]
    loaded = [load_config(run.path / "config.yaml", needs_files=False) for run in runs]
    flat: list[Flat] = [by_key(each.config, each.root) for each in loaded]
    configs = [functools.reduce(with_mappings, flat, each) for each in flat]
    found = {change.keys: None for other in configs[1:] for change in changes(configs[0], other)}
    order = {keys: place for place, keys in enumerate(dict.fromkeys(keys for config in configs for keys in config))}
    return Comparison(runs, configs, sorted(found, key=order.__getitem__))


def short_names(paths: Sequence[Path]) -> list[str]:
    """Paths without the folders that they all begin with."""
    whole = [path.resolve() for path in paths]
    common = Path(os.path.commonpath([path.parent for path in whole]))
    return [str(path.relative_to(common)) for path in whole]


def _row_of_best(run: RunFolder) -> dict[str, Any]:
    best = run.best
    rows = {row["epoch"]: index for index, row in enumerate(run.rows)}
    return run.logged(rows[best.epoch]) if best and best.epoch in rows else {}


def _titled(
    config: Sequence[Row], results: Sequence[Row], lay_out: Callable[[Sequence[Row]], list[RenderableType]]
) -> list[RenderableType]:
    shown = lay_out(config) if config else ["  their configs mean the same"]
    title = styled("results of the best epoch, * the best run", "dim")
    return [styled("configs, where they differ", "dim"), *shown, "", title, *lay_out(results)]


def _side_by_side(heads: Sequence[str], widths: Sequence[int], rows: Sequence[Row]) -> list[RenderableType]:
    cells = [[f"  {name}", *map(_marked, values)] for name, values in rows]
    return [columns(cells, ["", *heads], min_widths=widths)]


def _stacked(heads: Sequence[str], rows: Sequence[Row]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for name, values in rows:
        pairs = [(styled(head, "dim"), _marked(value)) for head, value in zip(heads, values, strict=True)]
        parts += [f"  {name}", indented(columns(pairs, ("", "")), 4)]
    return parts


def _marked(cell: str) -> str | Text:
    return styled(cell, "green") if cell.endswith(" *") else cell


def _cell(value: Any, widest: int) -> str:
    """A value as JSON has it; of a long path the end, of anything else long the beginning."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.startswith("/") and len(text) > widest:
        return f"…{text[1 - widest :]}"
    return shortened(text, widest)
