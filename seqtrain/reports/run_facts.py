"""What a run folder says of its run, whether that trains still, has ended, or was killed; nothing in it is changed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError

_LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?P<level>[A-Z]+) (?P<words>.*)")
_ENDED = re.compile(r"ended by (\w+): (.*)")
_MOST_OF_LOG = 5_000_000  # bytes, from the end


@dataclass(frozen=True)
class RunFacts:
    """A run folder, read.

    Args:
        path: The folder.
        status: "training"; as `fit --json` says how it ended; "failed" where an error ended it, "unfinished" where
            nothing says how.
        result: What `fit --json` has printed; empty where it has not ended.
        meta: Versions, devices, commands.
        split: How many samples train and validate.
        rows: What each epoch logged, and when.
        warnings: In the log, each once.
        error: What ended a run that failed.
        results: What `plots/results.json` says of the best weights.
    """

    path: Path
    status: str
    result: dict[str, Any]
    meta: dict[str, Any]
    split: dict[str, Any]
    rows: list[dict[str, Any]]
    warnings: list[str]
    error: str | None
    results: dict[str, Any]

    @property
    def seconds(self) -> float | None:
        """From the first start to the last epoch's end, pauses included; None before."""
        if not self.rows or "started" not in self.meta:
            return None
        last, first = (datetime.fromisoformat(each) for each in (self.rows[-1]["time"], self.meta["started"]))
        return (last - first).total_seconds()

    @property
    def going_on(self) -> str:
        """The command that goes on with the run."""
        return shlex.join(["seqtrain", "fit", str(self.path / "config.yaml"), "--run-dir", str(self.path)])

    @property
    def reproducing(self) -> str:
        """The command that trains the same anew."""
        again = self.path.with_name(f"{self.path.name}-again")
        return shlex.join(["seqtrain", "fit", str(self.path / "config.yaml"), "--run-dir", str(again)])

    def to_json(self) -> dict[str, Any]:
        """The key facts, for scripts."""
        return {
            "run_dir": str(self.path),
            "status": self.status,
            "epochs": len(self.rows),
            "metrics": self.result.get("metrics") or _metrics(self.rows),
            "best": self.result.get("best"),
            "results": {name: each.get("numbers") for name, each in self.results.get("outputs", {}).items()},
            "warnings": self.warnings,
            "error": self.error,
        }


def read_run(path: Path) -> RunFacts:
    """Reads a run folder.

    Raises:
        CheckpointError: when there is no run in it.
    """
    if not (path / "config.yaml").is_file():
        raise CheckpointError("there is no run in this folder", where=path, fix="name a run folder: runs/NAME/TIME")
    warnings, error = _told(path / "train.log")
    result = _json(path / "result.json")
    status = "training" if _is_held(path / ".seqtrain.lock") else result.get("status")
    split = {name: value for name, value in _json(path / "split.json").items() if name not in ("train", "val")}
    return RunFacts(
        path,
        status or ("failed" if error else "unfinished"),
        result,
        _json(path / "meta.json"),
        split,
        _rows(path / "metrics.jsonl"),
        warnings,
        None if status else error,
        _json(path / "plots" / "results.json"),
    )


def _json(path: Path) -> dict[str, Any]:
    """A document, or nothing where it is not there, or is just being written."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _rows(path: Path) -> list[dict[str, Any]]:
    """The epochs; the last line may be half written."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        with contextlib.suppress(ValueError):
            rows.append(json.loads(line))
    return rows


def _metrics(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in (rows[-1] if rows else {}).items() if name not in ("epoch", "time")}


def _told(log: Path) -> tuple[list[str], str | None]:
    """The warnings of a log, each once, and the error that ended the last stretch of the run."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _MOST_OF_LOG))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return [], None
    warnings: dict[str, None] = {}
    error = None
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        if match["level"] in ("WARNING", "ERROR"):
            warnings[match["words"]] = None
        elif match["words"].startswith("command: "):
            error = None
        elif ended := _ENDED.fullmatch(match["words"]):
            error = f"{ended[1]}: {ended[2]}"
    return list(warnings), error


def _is_held(lock: Path) -> bool:
    """Whether a process has the run folder's lock."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
