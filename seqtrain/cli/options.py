"""What several commands take and print: arguments, options, choices, and one JSON document."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from seqtrain.console import native_stderr_to, stdout_to_stderr

if TYPE_CHECKING:
    from seqtrain.config import LoadedConfig


class Progress(StrEnum):
    """How `fit` shows its progress."""

    auto = "auto"
    bar = "bar"
    lines = "lines"
    none = "none"


class Resume(StrEnum):
    """What `fit` does with a run folder that holds a run."""

    auto = "auto"
    must = "must"
    never = "never"


class Side(StrEnum):
    """A side of the split."""

    train = "train"
    val = "val"


class Stage(StrEnum):
    """What `inspect-batches` shows of samples that are changed at random."""

    raw = "raw"
    augmented = "augmented"
    both = "both"


class SplitPart(StrEnum):
    """What `evaluate` tests a run on."""

    train = "train"
    val = "val"
    all = "all"


class Checkpoint(StrEnum):
    """A checkpoint of a run."""

    best = "best"
    last = "last"


class Mode(StrEnum):
    """Which value of a metric is the better one."""

    auto = "auto"
    max = "max"
    min = "min"


class PredictionFormat(StrEnum):
    """How `predict` writes."""

    csv = "csv"
    jsonl = "jsonl"
    npy = "npy"
    png = "png"
    volumes = "volumes"


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
    """The checked config; what Keras prints while a user's file imports it is discarded."""
    from seqtrain.config import load_config

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        return load_config(config, settings or ())


@contextlib.contextmanager
def stdout_for_data() -> Iterator[TextIO]:
    """A file that writes to stdout, while whatever else is printed goes to stderr."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", newline="", errors="surrogateescape") as stdout, stdout_to_stderr():
        yield stdout


def print_json(document: Any) -> None:
    """Prints what a script reads."""
    typer.echo(json.dumps(document, indent=2, default=str))
