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

_WIDEST_CELLS = (UNLIMITED, 32, 24, 18, 14, 10)  # the first width that fits the terminal is used
_RATES = ("samples_per_s", "data_wait", "learning_rate", "lr")  # metrics without a best value
_LOSS = ("compile", "loss")

Row = tuple[str, list[str]]


@dataclass(frozen=True)
class Comparison:
    """The comparison of several runs.

    Args:
        runs: The runs, at least two.
        configs: The values of each run's config by key.
        differences: The keys whose values are not the same in all configs.
    """

    runs: Sequence[RunFolder]
    configs: Sequence[Flat]
    differences: Sequence[Names]

    @property
    def names(self) -> list[str]:
        """The runs' paths, without their common parent folder."""
        return short_names([run.path for run in self.runs])

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics that any run logged."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    def at_best(self, metric: str) -> list[Any]:
        """The value of a metric in the best epoch of each run, that of its best checkpoint."""
        return [_row_of_best(run).get(metric) for run in self.runs]

    def values(self, keys: Names) -> list[Any]:
        """The value of a key in each run's config; None if a config does not have it."""
        return [config[keys].value if keys in config else None for config in self.configs]

    def to_json(self) -> dict[str, Any]:
        """A JSON document; lists are in the order of the runs."""
        differences = [{"key": ".".join(keys), "values": self.values(keys)} for keys in self.differences]
        runs = [
            {"name": name, **run.to_json(), "metrics_at_best": _row_of_best(run)}
            for name, run in zip(self.names, self.runs, strict=True)
        ]
        return {"runs": runs, "differences": differences}

    def parts(self, width: int = UNLIMITED) -> list[RenderableType]:
        """Tables for the terminal with a column for each run, or with a line for each run if those are too wide."""
        results = [*self._progress_rows(), *(self._metric_row(metric) for metric in self.metrics)]
        for widest in _WIDEST_CELLS:
            config = self._config_rows(widest)
            heads = [shortened_middle(name, widest) for name in self.names]
            cells = [["", *heads], *([f"  {name}", *values] for name, values in [*config, *results])]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            if sum(widths) + len(GAP) * (len(widths) - 1) <= width:
                return _titled(config, results, partial(_side_by_side, heads, widths))
        return _titled(self._config_rows(width // 2), results, partial(_stacked, self.names))

    def _config_rows(self, widest: int) -> list[Row]:
        """The config values that differ; for a callback "yes" if the run has it, since its key has its name."""
        rows = [(keys, self.values(keys)) for keys in self.differences]
        return [
            (".".join(keys), ["yes" if value == keys[-1] else _cell(value, widest) for value in values])
            for keys, values in rows
        ]

    def _progress_rows(self) -> list[Row]:
        bests = [run.best for run in self.runs]
        return [
            ("status", [run.state.label for run in self.runs]),
            ("epochs", [f"{len(run.rows)}/{run.planned_epochs or '?'}" for run in self.runs]),
            ("trained", [trained_time(run) for run in self.runs]),
            ("best epoch", [str(best.epoch + 1) if best else "-" for best in bests]),
            ("chosen by", [best.monitor if best else "-" for best in bests]),
        ]

    def _metric_row(self, metric: str) -> Row:
        """A row with the metric's value in each run; the best value is marked."""
        values = self.at_best(metric)
        numbers = [value for value in values if value is not None]
        best = (max if larger_is_better(metric) else min)(numbers, default=None)
        has_best = metric not in _RATES and len(set(numbers)) > 1 and self.is_comparable(metric)
        return metric, [number(value) + (" *" if has_best and value == best else "") for value in values]

    def is_comparable(self, metric: str) -> bool:
        """Whether a metric has the same meaning in all runs; a loss has not if the runs have different losses."""
        return not metric.endswith("loss") or not any(keys[:2] == _LOSS for keys in self.differences)


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compares runs; their data and imports need not exist.

    Args:
        paths: The run folders, at least two.

    Raises:
        CheckpointError: when one of them is no run.
        ConfigError: when there is only one, or a config is not valid in this version.
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
    """The paths without their common parent folder."""
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
    """A value as JSON; a long path is shortened at its beginning, any other long text at its end."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.startswith("/") and len(text) > widest:
        return f"…{text[1 - widest :]}"
    return shortened(text, widest)
