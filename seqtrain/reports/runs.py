"""Finds the runs below a folder by their files, reads them, and sorts them.

Folders that only look like a run, or that cannot be read, are reported and skipped. Thousands of runs are listed in
seconds: checkpoints are not read, and a finished run needs only four small files.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError, ConfigError, Mistake, did_you_mean, one_of
from seqtrain.metric_names import larger_is_better
from seqtrain.reports.run_folder import Best, RunFolder, read_run

_MARKS = {"config.yaml", "meta.json", "split.json", "history.csv", "result.json"}
_MIN_MARKS = 2  # a single such file may belong to another program
_DEEPEST = 5
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Runs:
    """The runs below some folders.

    Args:
        places: The folders.
        found: The runs; the one that was started last comes first.
        skipped: The folders with a run that cannot be read, and the reasons.
    """

    places: Sequence[Path]
    found: Sequence[RunFolder]
    skipped: Sequence[Mistake]

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics that any run logged."""
        return list(dict.fromkeys(name for run in self.found for name in run.metrics))

    def name(self, run: RunFolder) -> str:
        """The name of a run: its path, which is relative to the folder that was searched if there is only one."""
        if len(self.places) == 1 and run.path != self.places[0]:
            return str(run.path.relative_to(self.places[0]))
        return str(run.path)

    def by_metric(self, metric: str, mode: str = "auto") -> list[tuple[RunFolder, Best]]:
        """The runs with a metric, each with its best epoch by it, the best run first. Warns about different losses.

        Raises:
            ConfigError: when no run has the metric.
        """
        if metric not in self.metrics:
            raise ConfigError(
                f"no run has logged '{metric}'",
                expected=one_of(self.metrics) if self.metrics else None,
                fix=did_you_mean(metric, self.metrics),
            )
        is_max = mode == "max" or (mode == "auto" and larger_is_better(metric))
        rated = [(run, best) for run in self.found if (best := run.best_by(metric, mode))]
        if metric.endswith("loss") and len({json.dumps(run.loss) for run, _ in rated}) > 1:
            log.warning("warning: the runs minimise different losses, which %s does not compare", metric)
        return sorted(rated, key=lambda each: each[1].value, reverse=is_max)

    def sorted_by(self, metric: str) -> list[RunFolder]:
        """All runs, the best by a metric first, and those without it last.

        Raises:
            ConfigError: when no run has the metric.
        """
        rated = [run for run, _ in self.by_metric(metric)]
        return [*rated, *(run for run in self.found if not run.points(metric))]

    def warn_of_skipped(self) -> None:
        """Warns about each folder that was skipped."""
        for mistake in self.skipped:
            log.warning("warning: skipped: %s", mistake)

    def best(self, metric: str | None, mode: str = "auto") -> tuple[RunFolder, Best]:
        """The best run.

        Args:
            metric: The metric to compare; None for the one that all runs watched.
            mode: "max", "min", or "auto" to decide by the name.

        Raises:
            CheckpointError: when there is no such run.
            ConfigError: when no run has the metric, or the runs watched different ones.
        """
        rated = self.by_metric(metric or self._watched(), mode)
        if not rated:
            raise CheckpointError(f"no run has a finite value of '{metric}'", where=_names(self.places))
        run, best = rated[0]
        if run.best and run.best.epoch != best.epoch:
            message = "warning: %s: its best checkpoint is that of epoch %d, by %s; %s is best in epoch %d"
            log.warning(message, run.path, run.best.epoch + 1, run.best.monitor, best.monitor, best.epoch + 1)
        return run, best

    def to_json(self, runs: Sequence[RunFolder]) -> dict[str, Any]:
        """A JSON document with some runs in the given order, and the folders that were skipped."""
        skipped = [{"run_dir": mistake.where, "reason": mistake.message} for mistake in self.skipped]
        return {"runs": [{"name": self.name(run), **run.to_json()} for run in runs], "skipped": skipped}

    def _watched(self) -> str:
        watched = sorted({best.monitor for run in self.found if (best := run.best)})
        if not watched:
            raise CheckpointError(
                "there is no run with a finished epoch", where=_names(self.places), fix="name the folder of your runs"
            )
        if len(watched) > 1:
            raise ConfigError(
                "the runs watched several metrics",
                received=", ".join(watched),
                fix=f"choose one: --metric {watched[0]}",
            )
        return watched[0]


def find_runs(places: Sequence[Path]) -> Runs:
    """Finds and reads all runs below some folders, which may be runs themselves.

    Raises:
        CheckpointError: when one of the folders does not exist.
    """
    found: list[RunFolder] = []
    skipped: list[Mistake] = []
    for place in places:
        if not place.is_dir():
            raise CheckpointError("no such folder", where=place, fix="name the folder of your runs")
        for path in _run_folders(place, _DEEPEST):
            try:
                found.append(read_run(path))
            except CheckpointError as error:
                skipped.extend(error.mistakes)
    unique = {run.path.resolve(): run for run in found}.values()
    return Runs(places, sorted(unique, key=lambda run: (run.starts[-1], run.path), reverse=True), skipped)


def _run_folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:  # an unreadable folder is not searched
        return
    if len(_MARKS.intersection(entry.name for entry in entries)) >= _MIN_MARKS:
        yield folder
    elif depth:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield from _run_folders(Path(folder, entry.name), depth - 1)


def _names(places: Sequence[Path]) -> str:
    return ", ".join(map(str, places))
