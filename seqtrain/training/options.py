"""The options of `fit` on the command line, and the outcome of a run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Resume = Literal["auto", "must", "never"]


@dataclass(frozen=True)
class FitOptions:
    """The options of `fit` on the command line.

    Args:
        run_dir: The run folder; None for a new one under `runs/`.
        resume: What to do with a folder that holds a run.
        progress: "auto", "bar", "lines" or "none".
        argv: The command line, for meta.json.
        max_time_s: Seconds after which the run is stopped, so that it can be resumed later.
        began: When the command was started, by `time.monotonic`.
    """

    run_dir: Path | None = None
    resume: Resume = "auto"
    progress: str = "auto"
    argv: Sequence[str] = ()
    max_time_s: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def deadline(self) -> float | None:
        """The time at which to stop the run, by `time.monotonic`; None without a limit."""
        return None if self.max_time_s is None else self.began + self.max_time_s

    def command_to_resume(self, run_dir: Path) -> str:
        """The command that resumes the run in a folder."""
        arguments = ["seqtrain", *self.argv[1:]]
        if self.run_dir is None:
            arguments += ["--run-dir", str(run_dir)]
        if self.resume == "never":
            arguments += ["--resume", "auto"]
        return shlex.join(arguments)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        result: The content of result.json.
        exit_code: 0; or 124, 129, 130 or 143 for a run that was stopped and can be resumed.
    """

    result: dict[str, Any]
    exit_code: int = 0
