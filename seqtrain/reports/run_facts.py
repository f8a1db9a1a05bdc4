"""What a run folder says of its run, whether that trains still, has ended, or was killed; nothing in it is changed."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqtrain.reports.run_record import RunRecord, read_run

_WARNING = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ (?:WARNING|ERROR) (?P<words>.*)")
_MOST_OF_LOG = 5_000_000  # bytes, from the end


@dataclass(frozen=True)
class RunFacts:
    """A run folder, read.

    Args:
        record: What `runs show` says of it too.
        split: How many samples train and validate.
        warnings: In the log, each once.
        results: What `plots/results.json` says of the best weights.
    """

    record: RunRecord
    split: dict[str, Any]
    warnings: list[str]
    results: dict[str, Any]

    @property
    def path(self) -> Path:
        """The folder."""
        return self.record.path

    @property
    def status(self) -> str:
        """In one word."""
        return self.record.state.status

    @property
    def error(self) -> str | None:
        """What ended a run that failed."""
        return self.record.state.told if self.status in ("failed", "diverged") else None

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
        best = self.record.best
        return {
            "run_dir": str(self.path),
            "status": self.status,
            "epochs": len(self.record.rows),
            "metrics": (self.record.result or {}).get("metrics") or self.record.last,
            "best": best.to_json() if best else None,
            "results": {name: each.get("numbers") for name, each in self.results.get("outputs", {}).items()},
            "warnings": self.warnings,
            "error": self.error,
        }


def facts_of(path: Path) -> RunFacts:
    """Reads a run folder.

    Raises:
        CheckpointError: when there is no run in it, or what is there cannot be read.
    """
    split = {name: value for name, value in _json(path / "split.json").items() if name not in ("train", "val")}
    return RunFacts(read_run(path), split, _warnings(path / "train.log"), _json(path / "plots" / "results.json"))


def _json(path: Path) -> dict[str, Any]:
    """A document, or nothing where it is not there, or is just being written."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


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
