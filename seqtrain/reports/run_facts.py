"""What a run folder says of its run, whether that trains still, has ended, or was killed; nothing in it is changed."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from seqtrain.errors import CheckpointError
from seqtrain.reports.run_state import run_state

_WARNING = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?:WARNING|ERROR) (?P<words>.*)")
_MOST_OF_LOG = 5_000_000  # bytes, from the end


@dataclass(frozen=True)
class RunFacts:
    """A run folder, read.

    Args:
        path: The folder.
        status: One word, as `run_state` has it.
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
    warnings = _warnings(path / "train.log")
    result = _json(path / "result.json")
    state = run_state(path, result or None)
    split = {name: value for name, value in _json(path / "split.json").items() if name not in ("train", "val")}
    return RunFacts(
        path,
        state.status,
        result,
        _json(path / "meta.json"),
        split,
        _rows(path / "metrics.jsonl"),
        warnings,
        state.told if state.status in ("failed", "diverged") else None,
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


def _warnings(log: Path) -> list[str]:
    """The warnings of a log, each once."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _MOST_OF_LOG))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    found = (match["words"] for line in text.splitlines() if (match := _WARNING.fullmatch(line)))
    return list(dict.fromkeys(found))
