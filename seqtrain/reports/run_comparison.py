"""Several runs side by side: what differs between their configs, and what came out."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seqtrain.config.compare import Flat, by_key, changes, with_mappings
from seqtrain.config.flat import Names
from seqtrain.config.load import load_config
from seqtrain.errors import ConfigError
from seqtrain.metric_names import larger_is_better
from seqtrain.reports.run_record import RunRecord, read_run
from seqtrain.reports.terminal_style import DIM, GREEN, styled
from seqtrain.text import GAP, number, short_duration, shortened, shortened_middle

_WIDEST_CELLS = (32, 24, 18, 14, 10)  # the widest that fits is taken
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

    runs: Sequence[RunRecord]
    configs: Sequence[Flat]
    differences: Sequence[Names]

    @property
    def names(self) -> list[str]:
        """The runs' paths, without what they all begin with."""
        return short_names([run.path for run in self.runs])

    @property
    def metrics(self) -> list[str]:
        """All that any of them logged."""
        return list(dict.fromkeys(name for run in self.runs for name in run.metrics))

    def at_best(self, metric: str) -> list[Any]:
        """A metric of each run in its best epoch: what its best checkpoint has."""
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

    def text(self, width: int) -> str:
        """As tables of one column a run, or where these are too wide of one line a run."""
        results = [*self._course(), *(self._metric_row(metric) for metric in self.metrics)]
        for widest in _WIDEST_CELLS:
            config = self._config_rows(widest)
            heads = [shortened_middle(name, widest) for name in self.names]
            widths = _widths(heads, [*config, *results])
            if sum(widths) + len(GAP) * len(widths) <= width:
                return _titled(config, results, partial(_columns, heads, widths))
        return _titled(self._config_rows(width // 2), results, partial(_stacked, self.names))

    def _config_rows(self, widest: int) -> list[Row]:
        """The values that differ; of a callback whether it is there, since its key is its name."""
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
            ("trained", [short_duration(run.duration_s) if run.duration_s is not None else "-" for run in self.runs]),
            ("best epoch", [str(best.epoch + 1) if best else "-" for best in bests]),
            ("chosen by", [best.monitor if best else "-" for best in bests]),
        ]

    def _metric_row(self, metric: str) -> Row:
        """The values, with a mark at the best one."""
        values = self.at_best(metric)
        numbers = [value for value in values if value is not None]
        best = (max if larger_is_better(metric) else min)(numbers, default=None)
        is_told = metric not in _PACE and len(set(numbers)) > 1 and self._is_comparable(metric)
        return metric, [number(value) + (" *" if is_told and value == best else "") for value in values]

    def _is_comparable(self, metric: str) -> bool:
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


def _row_of_best(run: RunRecord) -> dict[str, Any]:
    best = run.best
    rows = {row["epoch"]: index for index, row in enumerate(run.rows)}
    return run.logged(rows[best.epoch]) if best and best.epoch in rows else {}


def _widths(heads: Sequence[str], rows: Sequence[Row]) -> list[int]:
    table = [("", list(heads)), *rows]
    cells = [[name, *values] for name, values in table]
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def _titled(config: Sequence[Row], results: Sequence[Row], lay: Callable[[Sequence[Row]], list[str]]) -> str:
    lines = [styled("configs, where they differ", DIM)]
    lines += lay(config) if config else ["  their configs mean the same"]
    return "\n".join([*lines, "", styled("results of the best epoch, * the best run", DIM), *lay(results)])


def _columns(heads: Sequence[str], widths: Sequence[int], rows: Sequence[Row]) -> list[str]:
    lines = [styled(_padded(["", *heads], widths), DIM)]
    return [*lines, *(_padded([name, *values], widths) for name, values in rows)]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)]
    return "  " + GAP.join(_marked(cell) for cell in padded).rstrip()


def _stacked(heads: Sequence[str], rows: Sequence[Row]) -> list[str]:
    widest = max(map(len, heads))
    lines = []
    for name, values in rows:
        lines.append(f"  {name}")
        pairs = zip(heads, values, strict=True)
        lines += [f"    {styled(f'{head:<{widest}}', DIM)}{GAP}{_marked(value)}" for head, value in pairs]
    return lines


def _marked(cell: str) -> str:
    text = cell.rstrip()
    return styled(text, GREEN) + cell[len(text) :] if text.endswith(" *") else cell


def _cell(value: Any, widest: int) -> str:
    """A value as JSON has it; of a long path the end, of anything else long the beginning."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.startswith("/") and len(text) > widest:
        return f"…{text[1 - widest :]}"
    return shortened(text, widest)
