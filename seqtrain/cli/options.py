"""Arguments, options and output that several commands share."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from seqtrain.console import quiet, stdout_to_stderr

if TYPE_CHECKING:
    from seqtrain.config import LoadedConfig


Progress = Literal["auto", "bar", "lines", "none"]
"""How `fit` shows its progress."""

Resume = Literal["auto", "must", "never"]
"""What `fit` does with a run folder that holds a run."""

Side = Literal["train", "val"]
"""A side of the split."""

Stage = Literal["raw", "augmented", "both"]
"""What `inspect-batches` shows of samples that are changed at random."""

SplitPart = Literal["train", "val", "all"]
"""What `evaluate` tests a run on."""

Checkpoint = Literal["best", "last"]
"""A checkpoint of a run."""

Mode = Literal["auto", "max", "min"]
"""Which value of a metric is the better one."""

PredictionFormat = Literal["csv", "jsonl", "npy", "png", "volumes"]
"""How `predict` writes."""


ConfigArgument = Annotated[Path, typer.Argument(help="The YAML config.", show_default=False)]


SetOption = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="K=V", help="Set a value of the config, such as fit.epochs=3. Repeatable."),
]


RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]


CheckpointOption = Annotated[Checkpoint, typer.Option(help="Of the best epoch, or the last.")]


ProgressOption = Annotated[Progress, typer.Option(help="How to show the progress; auto: a bar on a terminal.")]


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def load(config: Path, settings: list[str] | None) -> LoadedConfig:
    """The checked config. Anything that Keras prints, because a user's file imports it, is discarded."""
    from seqtrain.config import load_config

    with quiet():
        return load_config(config, settings or ())


@contextlib.contextmanager
def stdout_for_data() -> Iterator[TextIO]:
    """A file that writes to stdout, while all other output goes to stderr."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", newline="", errors="surrogateescape") as stdout, stdout_to_stderr():
        yield stdout


def print_json(document: Any) -> None:
    """Prints a JSON document to stdout, for scripts."""
    typer.echo(json.dumps(document, indent=2, default=str))
