"""Commands that use a trained run: they evaluate it, predict with it, or write its report."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import app
from seqtrain.cli.options import (
    CheckpointOption,
    JsonOption,
    PredictionFormat,
    ProgressOption,
    RunArgument,
    SetOption,
    SplitPart,
    print_json,
    stdout_for_data,
)
from seqtrain.console import hidden_native_stderr, progress_shown_as, quiet, stdout_to_stderr
from seqtrain.errors import ConfigError, InterruptedRunError
from seqtrain.files import write_json, write_text

_REPORT_EXAMPLES = """\b
Examples:
  seqtrain report runs/today
  seqtrain report runs/today --out today.html
  seqtrain report runs/today --json | jq .best.value
"""


_PREDICT_EXAMPLES = """\b
Examples:
  seqtrain predict runs/today photos/ --out classes.csv
  seqtrain predict runs/today a.jpg b.jpg --out - | sort -t, -k3
  seqtrain predict runs/cells images/ --out masks/           (a palette PNG for each image)
  seqtrain predict runs/brain scans/ --out masks/            (a NIfTI mask for each volume)
  seqtrain predict runs/flats new.csv --format jsonl --json
  seqtrain predict runs/power 2025.csv --out -               (what follows after each window)
  seqtrain predict runs/faces -s source.path=data/test       (a source of the run's own kind)
  seqtrain predict runs/faces new/ -s source.path=/data/old  (where the training data lies now)
"""


_EVALUATE_EXAMPLES = """\b
Examples:
  seqtrain evaluate runs/today
  seqtrain evaluate runs/today --split train --json | jq .metrics
  seqtrain evaluate runs/today -s source.path=data/test --out test.json
"""


@app.command(epilog=_EVALUATE_EXAMPLES)
def evaluate(
    run: RunArgument,
    split: Annotated[
        SplitPart | None, typer.Option(help="Which samples. [default: val; of another source all]", show_default=False)
    ] = None,
    settings: SetOption = None,
    checkpoint: CheckpointOption = "best",
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.", show_default=False)] = None,
    progress: ProgressOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Test a trained run: its metrics on a side of its split, or on another source with -s source.path=..."""
    from seqtrain.inference.evaluation import evaluate as evaluated
    from seqtrain.inference.trained_run import TrainedRun

    _require_no_folder(out)
    with stdout_to_stderr(), progress_shown_as(progress), hidden_native_stderr(), interruptible():
        found = evaluated(TrainedRun(run, settings or (), checkpoint), split)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, found.to_json())
    if as_json:
        print_json(found.to_json())
    else:
        typer.echo(found.text())


@app.command(epilog=_PREDICT_EXAMPLES)
def predict(
    run: RunArgument,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INPUT", help="Images, volumes, folders, arrays, tables.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A file, a folder for masks, or - for stdout. [default: predictions...]", show_default=False),
    ] = None,
    out_format: Annotated[
        PredictionFormat | None,
        typer.Option("--format", help="[default: as --out ends, or what fits the model]", show_default=False),
    ] = None,
    settings: SetOption = None,
    checkpoint: CheckpointOption = "best",
    progress: ProgressOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Predict new samples with a trained run: classes, values, masks, or whatever its model puts out."""
    from seqtrain.inference.prediction import predict as predicted

    to_stdout = out == Path("-")
    if to_stdout and as_json:
        raise typer.BadParameter("stdout takes the predictions or the JSON, not both", param_hint="--out -")
    with stdout_for_data() as stdout, progress_shown_as(progress), hidden_native_stderr(), interruptible():
        place = stdout if to_stdout else out
        done = predicted(run, inputs or (), settings or (), checkpoint, place, out_format)
    if as_json:
        print_json(done.to_json())
    else:
        typer.echo(done.text(), err=to_stdout)
    raise typer.Exit(done.exit_code)


@app.command(epilog=_REPORT_EXAMPLES)
def report(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option(help="The page to write. [default: RUN/report.html]", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page that shows a run, whether it has ended or still trains; it opens without a network."""
    from seqtrain.reports.run_report import report

    _require_no_folder(out)
    with quiet():
        html, facts = report(run)
    out = out or run / "report.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, html)
    if as_json:
        print_json({**facts, "page": str(out)})
    else:
        typer.echo(f"wrote {out}")


def _require_no_folder(out: Path | None) -> None:
    if out is not None and out.is_dir():
        raise ConfigError("is a folder", where=f"--out {out}", fix="name a file")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Makes SIGTERM end a command as Ctrl-C does: the results so far are kept, and the JSON is printed.

    It raises KeyboardInterrupt, because an `Exception` would be taken for an error of the sample that is being read.
    """
    received = [signal.SIGINT]

    def stop(number: int, frame: object) -> None:
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(received[-1]) from error
    finally:
        signal.signal(signal.SIGTERM, before)
