"""Reads a run folder: config, status and results; without Keras and without the run's data.

Nothing in the folder is changed, and the folder can be read whatever the status of the run. Epochs count from 0. The
status of a run:

    result.json exists     its status: completed, early_stopped, interrupted or max_time
    its lock is held       training; result.json is removed when a run is resumed
    the log has the error  diverged, failed or interrupted
    none of these          killed: its process ended without a message

The lock is checked only without a result, by taking a shared lock for a moment: the folder of a finished run is not
touched, and a run that is just being started is disturbed only in that moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from seqtrain.errors import CheckpointError, DataError
from seqtrain.metric_names import larger_is_better, watched_metric
from seqtrain.reports.curves import read_history

# The loader of libyaml, if it is available, is about ten times faster than the one in Python.
_YamlLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_METRICS = ("epoch", "time")
_FIX = "bring the file back from a copy; a damaged result.json may also be removed: the run can go on without it"

_LOCK = ".seqtrain.lock"
_LOG_END_BYTES = 1 << 16  # a traceback from TensorFlow has several thousand
_MAX_LOG_BYTES = 5_000_000  # the end of the log that is searched for warnings
_START_LINE = re.compile(r"^\S+ \S+ DEBUG command: ", re.MULTILINE)
_END_LINE = re.compile(r"^\S+ \S+ DEBUG ended by (\w+): (.*(?:\n  .*)*)", re.MULTILINE)
_WARNING = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (?:WARNING|ERROR) (.*)$", re.MULTILINE)
_BY_ERROR = {"DivergedError": "diverged", "KeyboardInterrupt": "interrupted"}


@dataclass(frozen=True)
class Best:
    """The best epoch of a run by a metric, with the keys of result.json."""

    epoch: int
    monitor: str
    value: float

    def to_json(self) -> dict[str, Any]:
        """The best epoch as a JSON document."""
        return asdict(self)


@dataclass(frozen=True)
class RunState:
    """The status of a run.

    Args:
        status: One word: training, completed, early_stopped, interrupted, max_time, diverged, failed or killed.
        reason: The process that trains it, or the error that ended it.
    """

    status: str
    reason: str = ""

    @property
    def label(self) -> str:
        """The status as it is shown to users."""
        return {"max_time": "out of time"}.get(self.status, self.status.replace("_", " "))


@dataclass(frozen=True)
class RunFolder:
    """A run, read from its folder.

    Args:
        path: The folder.
        meta: The content of meta.json; empty if it is missing or damaged.
        result: The content of result.json; None if the run has not ended, or was killed or failed.
        rows: The logs of each epoch: "epoch", the metrics and, except for old runs, "time".
        state: The status.
    """

    path: Path
    meta: Mapping[str, Any]
    result: Mapping[str, Any] | None
    rows: Sequence[Mapping[str, Any]]
    state: RunState

    @cached_property
    def starts(self) -> list[datetime]:
        """The times at which it was started and resumed."""
        times = [each["time"] for each in self.meta.get("resumed", ())]
        if "started" in self.meta:
            times.insert(0, self.meta["started"])
        began = datetime.fromtimestamp((self.path / "config.yaml").stat().st_mtime, UTC)
        return [datetime.fromisoformat(time) for time in times] or [began]  # a run writes its config when it starts

    @cached_property
    def plain_config(self) -> Mapping[str, Any]:
        """The content of config.yaml, without validation; empty if it cannot be read."""
        try:
            config = yaml.load((self.path / "config.yaml").read_bytes(), _YamlLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return {}
        return config if isinstance(config, dict) else {}

    @property
    def planned_epochs(self) -> int | None:
        """The largest number of epochs, as configured."""
        fit = self.plain_config.get("fit")
        epochs = fit.get("epochs") if isinstance(fit, dict) else None
        return epochs if isinstance(epochs, int) else None

    @property
    def loss(self) -> Any:
        """The loss in the config; None if the model brings its own."""
        compiled = self.plain_config.get("compile")
        return compiled.get("loss") if isinstance(compiled, dict) else None

    @property
    def metrics(self) -> list[str]:
        """The names of all logged metrics, in order."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return [name for name in names if name not in _NO_METRICS]

    @property
    def last(self) -> dict[str, Any]:
        """The metrics of the last epoch."""
        return self.logged(len(self.rows) - 1) if self.rows else {}

    @property
    def best(self) -> Best | None:
        """The best epoch by the metric that the run watched; None if no epoch is finished."""
        known = (self.result or {}).get("best")
        if isinstance(known, dict):
            return Best(int(known["epoch"]), str(known["monitor"]), float(known["value"]))
        return self.best_by(*watched_metric(self._early_stops, tuple(self.metrics)))

    @property
    def duration_s(self) -> float | None:
        """The training time: from each start to the last epoch that it finished, or until now while the run trains.

        None if it is unknown: no epoch is finished, or the epochs have no time.
        """
        ends = [datetime.fromisoformat(row["time"]) for row in self.rows if "time" in row]
        ends += [datetime.now(UTC)] if self.state.status == "training" else []
        if not ends or len(ends) < len(self.rows):
            return None
        total = 0.0
        for start, following in pairwise([*self.starts, datetime.max.replace(tzinfo=UTC)]):
            total += max(((end - start).total_seconds() for end in ends if start <= end < following), default=0.0)
        return total

    @property
    def age_s(self) -> float:
        """The time since it was last started or resumed, in seconds."""
        return (datetime.now(UTC) - self.starts[-1]).total_seconds()

    @cached_property
    def split(self) -> dict[str, Any]:
        """The counts and hashes in split.json; empty if it cannot be read."""
        split = _json_or_empty(self.path / "split.json")
        return {name: value for name, value in split.items() if name not in ("train", "val")}

    @cached_property
    def results(self) -> dict[str, Any]:
        """The results of the best weights, from plots/results.json; empty if it cannot be read."""
        return _json_or_empty(self.path / "plots" / "results.json")

    @cached_property
    def warnings(self) -> list[str]:
        """The warnings in the log, each once."""
        return list(dict.fromkeys(_WARNING.findall(_end_of_log(self.path, _MAX_LOG_BYTES))))

    @property
    def log_end(self) -> str:
        """The end of train.log, without messages from before the last start."""
        return _since_last_start(_end_of_log(self.path, _LOG_END_BYTES))

    def checkpoints(self) -> list[dict[str, Any]]:
        """Each checkpoint with its size and the links to it."""
        folder = self.path / "checkpoints"
        found: list[dict[str, Any]] = []
        links = {name: (folder / name).resolve() for name in ("best", "last")}
        for path in sorted(folder.glob("*step-*")):
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            own = [name for name, target in links.items() if target == path.resolve()]
            found.append({"name": path.name, "bytes": size, "links": own})
        return found

    def logged(self, index: int) -> dict[str, Any]:
        """The metrics of one row."""
        return {name: value for name, value in self.rows[index].items() if name not in _NO_METRICS}

    def points(self, metric: str) -> list[tuple[int, float]]:
        """Each epoch in which a metric is finite, with its value."""
        found = [(int(row["epoch"]), row.get(metric)) for row in self.rows]
        return [(epoch, float(v)) for epoch, v in found if isinstance(v, (int, float)) and math.isfinite(v)]

    def best_by(self, metric: str, mode: str = "auto") -> Best | None:
        """The best epoch by a metric, of equal ones the first; None if no epoch has the metric.

        Args:
            metric: The name of the metric in the logs.
            mode: "max", "min", or "auto" to decide by the name.
        """
        choose = max if mode == "max" or (mode == "auto" and larger_is_better(metric)) else min
        epoch, value = choose(self.points(metric), key=lambda point: point[1], default=(None, math.nan))
        return None if epoch is None else Best(epoch, metric, value)

    def resume_command(self) -> str:
        """The command that resumes the run from any folder: the run's own config has absolute paths."""
        folder = str(self.path.resolve())
        return shlex.join(["seqtrain", "fit", f"{folder}/config.yaml", "--run-dir", folder])

    def to_json(self) -> dict[str, Any]:
        """The run as a JSON document."""
        best = self.best
        return {
            "run_dir": str(self.path.resolve()),
            "status": self.state.status,
            "told": self.state.reason or None,
            "epochs": len(self.rows),
            "planned_epochs": self.planned_epochs,
            "best": best.to_json() if best else None,
            "metrics": self.last,
            "duration_s": self.duration_s,
            "starts": [start.isoformat() for start in self.starts],
        }

    @property
    def _early_stops(self) -> list[dict[str, Any]]:
        """The arguments of each `early_stopping` in the config."""
        listed = self.plain_config.get("callbacks")
        mappings = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        stops = [each.get("early_stopping") for each in mappings]
        return [arguments for arguments in stops if isinstance(arguments, dict)]


def read_run(path: Path) -> RunFolder:
    """Reads a run folder.

    Raises:
        CheckpointError: when there is no run in it, or it cannot be read.
    """
    if not path.is_dir():
        raise CheckpointError("no such run folder", where=path, fix="seqtrain runs ls lists those that there are")
    if not (path / "config.yaml").is_file():
        raise no_run_in(path)
    try:
        result = _document(path / "result.json") if (path / "result.json").exists() else None
        run = RunFolder(path, _json_or_empty(path / "meta.json"), result, _rows(path), _state(path, result))
        run.to_json()  # finds damaged values now
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise CheckpointError(f"cannot be read as a run: {reason}", where=path, fix=_FIX) from error
    return run


def no_run_in(path: Path) -> CheckpointError:
    """The error for a folder without a run; it names a run below the folder, if there is one."""
    below = sorted(each.parent for each in [*path.glob("*/config.yaml"), *path.glob("*/*/config.yaml")])
    such = f", such as {below[-1]}" if below else ": runs/NAME/TIME"
    return CheckpointError("there is no run in this folder", where=path, fix=f"name a run folder{such}")


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing") from error
    except ValueError as error:
        raise ValueError(f"{path.name} is no JSON") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path.name} holds no mapping")
    return document


def _json_or_empty(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return _document(path)
    return {}


def _rows(folder: Path) -> list[dict[str, Any]]:
    """The rows in metrics.jsonl, without an incomplete last line."""
    try:
        lines = (folder / "metrics.jsonl").read_bytes().split(b"\n")
    except FileNotFoundError:
        return _rows_of_history(folder / "history.csv")
    rows = [json.loads(line) for line in lines[:-1] if line]
    if any(not isinstance(row, dict) or not isinstance(row.get("epoch"), int) for row in rows):
        raise ValueError("metrics.jsonl holds what is no epoch")
    return rows


def _rows_of_history(path: Path) -> list[dict[str, Any]]:
    """The rows from history.csv, for runs without metrics.jsonl."""
    if not path.exists():
        return []
    epochs, columns = read_history(path)
    return [
        {"epoch": epoch - 1, **{k: v[index] if math.isfinite(v[index]) else None for k, v in columns.items()}}
        for index, epoch in enumerate(epochs)
    ]


def _state(folder: Path, result: Mapping[str, Any] | None) -> RunState:
    if result is not None:
        return RunState(str(result["status"]))
    holder = _lock_holder(folder)
    if holder is not None:
        return RunState("training", holder)
    ended = _END_LINE.findall(_since_last_start(_end_of_log(folder, _LOG_END_BYTES)))
    if not ended:
        return RunState("killed")
    error, message = ended[-1]
    return RunState(_BY_ERROR.get(error, "failed"), f"{error}: {message}")


def _lock_holder(folder: Path) -> str | None:
    """The process that holds the folder's lock, as the lock file names it; None if the lock is free."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        holder = os.pread(descriptor, 200, 0).partition(b"\n")[0].decode(errors="replace")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return holder or "a process that does not say who it is"
        except OSError:  # a file system without locks
            return holder if _is_local_process(holder) else None
        return None
    finally:
        os.close(descriptor)


def _is_local_process(holder: str) -> bool:
    """Whether the named process runs on this machine."""
    match = re.fullmatch(r"host (.*), process (\d+)", holder)
    return match is not None and match[1] == platform.node() and Path("/proc", match[2]).exists()


def _end_of_log(folder: Path, most: int) -> str:
    """The last bytes of train.log as text; "" without a log."""
    with contextlib.suppress(OSError), (folder / "train.log").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read().decode(errors="replace")
    return ""


def _since_last_start(log: str) -> str:
    starts = [match.start() for match in _START_LINE.finditer(log)]
    return log[starts[-1] :] if starts else log
