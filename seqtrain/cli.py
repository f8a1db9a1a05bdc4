"""The command line: parses, calls, prints. Scripts rely on its JSON and its exit codes.

People read stderr, scripts read stdout: with `--json` stdout carries one JSON document and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from seqtrain import __version__
from seqtrain.console import (
    native_stderr_aside,
    native_stderr_to,
    outlive_terminal,
    say,
    showing,
    stdout_to_stderr,
)
from seqtrain.errors import ConfigError, Mistake, ResourceError, SeqtrainError

if TYPE_CHECKING:
    from seqtrain.config import LoadedConfig

app = typer.Typer(
    name="seqtrain",
    help="Train Keras models from the command line on data that does not fit in memory.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Show what a config means.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
runs_app = typer.Typer(
    help="Show runs: those that there are, one, several side by side.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(runs_app, name="runs")


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


class Part(StrEnum):
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


class Family(StrEnum):
    """A registry."""

    sources = "sources"
    sequences = "sequences"
    models = "models"
    losses = "losses"
    metrics = "metrics"
    callbacks = "callbacks"


_CHECK_EXAMPLES = """\b
Examples:
  seqtrain check config.yaml                         the config alone, in a second
  seqtrain check config.yaml --data                  every sample too: what is broken, odd, twice
  seqtrain check config.yaml --data -s fit.workers=8 --out report
  seqtrain check config.yaml --data --json | jq '.data.duplicates'
  xargs -d '\\n' ls -l < report/bad_files.txt         what would break training, one a line
"""
_INSPECT_EXAMPLES = """\b
Examples:
  seqtrain inspect-batches config.yaml                        the first batch that fit will see
  seqtrain inspect-batches config.yaml --stage both -n 4      before and after augmentation
  seqtrain inspect-batches config.yaml --sample cats/12.jpg --epochs 0-7
  seqtrain inspect-batches --run runs/today --split val --all
                                                              predictions, the most confident mistakes first
  seqtrain inspect-batches config.yaml --all --json | jq '.batches[].warnings[]'
"""
_INIT_EXAMPLES = """\b
Examples:
  seqtrain init data/                                looks, asks, and writes config.yaml
  seqtrain init data/ --yes                          takes what is suggested
  seqtrain init flats.csv --target price --yes       a table, with the column to predict
  seqtrain init photos/ --task autoencoder --yes     what else it could be
  seqtrain init photos/ --image-size 64x96 --yes     height x width
  seqtrain init --template list                      kinds of data
  seqtrain init --template image_mask --out a.yaml   a config without data
"""
_DOCTOR_EXAMPLES = """\b
Examples:
  seqtrain doctor
  seqtrain doctor config.yaml --run-dir runs/today
  seqtrain doctor --json | jq -r '.findings[] | select(.status != "ok") | .fix'
"""
_EXPLAIN_EXAMPLES = """\b
Examples:
  seqtrain config explain config.yaml
  seqtrain config explain config.yaml fit -s fit.epochs=3
  seqtrain config explain config.yaml --json | jq '.values[] | select(.origin == "default") | .key'
"""
_DIFF_EXAMPLES = """\b
Examples:
  seqtrain config diff config.yaml other.yaml
  seqtrain config diff runs/monday runs/tuesday --json | jq .same
"""
_EVALUATE_EXAMPLES = """\b
Examples:
  seqtrain evaluate runs/today
  seqtrain evaluate runs/today --split train --json | jq .metrics
  seqtrain evaluate runs/today -s source.path=data/test --out test.json
"""
_PREDICT_EXAMPLES = """\b
Examples:
  seqtrain predict runs/today photos/ --out classes.csv
  seqtrain predict runs/today a.jpg b.jpg --out - | sort -t, -k3
  seqtrain predict runs/cells images/ --out masks/           (a palette PNG for each image)
  seqtrain predict runs/flats new.csv --format jsonl --json
  seqtrain predict runs/power -s source.path=2025.csv        (a source of the run's own kind)
"""
_REPORT_EXAMPLES = """\b
Examples:
  seqtrain report runs/today
  seqtrain report runs/today --out today.html
  seqtrain report runs/today --json | jq .best.value
"""
_RUNS_LS_EXAMPLES = """\b
Examples:
  seqtrain runs ls                                   what is below runs/, newest first
  seqtrain runs ls runs/digits --sort val_accuracy   best first
  seqtrain runs ls --json | jq -r '.runs[] | select(.status == "failed") | .run_dir'
"""
_RUNS_SHOW_EXAMPLES = """\b
Examples:
  seqtrain runs show runs/today
  seqtrain runs show runs/today --json | jq -r .go_on
"""
_RUNS_COMPARE_EXAMPLES = """\b
Examples:
  seqtrain runs compare runs/monday runs/tuesday
  seqtrain runs compare runs/digits/* --out compare.png --metric val_accuracy
"""
_RUNS_BEST_EXAMPLES = """\b
Examples:
  seqtrain runs best runs/digits
  seqtrain predict $(seqtrain runs best runs/digits --metric val_accuracy) photos/
  seqtrain runs best --metric my_score --mode min --json | jq .value
"""
ConfigArgument = Annotated[Path, typer.Argument(help="The YAML config.", show_default=False)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", metavar="K=V", help="Set a value of the config, such as fit.epochs=3. Repeatable."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", show_default=False)]
CheckpointOption = Annotated[Checkpoint, typer.Option(help="Of the best epoch, or the last.")]
ProgressOption = Annotated[Progress, typer.Option(help="How to show the progress; auto: a bar on a terminal.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def main() -> None:
    """Runs the command line; errors that are told in words end with their exit code."""
    outlive_terminal()
    try:
        app(prog_name="seqtrain")
    except SystemExit:
        _silence_libraries()
        raise
    except SeqtrainError as error:
        _end(error)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _end(ResourceError(f"the disk is full: {error.strerror}", where=error.filename, fix="free the disk"))
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR):
            _end(ConfigError(f"cannot be written: {error.strerror}", where=error.filename, fix="name another place"))
        raise


def _silence_libraries() -> None:
    """For the end of the process: TensorFlow complains of iterators that outlive the interpreter."""
    if "keras" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _end(error: SeqtrainError) -> NoReturn:
    typer.echo(_told(error), err=True)
    if "--json" in sys.argv:
        _print_json(
            {"status": "failed", "exit_code": error.exit_code, "mistakes": [_mistake(m) for m in error.mistakes]}
        )
    logging.getLogger("seqtrain").debug("%s", error, exc_info=True)
    _silence_libraries()
    sys.exit(error.exit_code)


def _told(error: SeqtrainError) -> str:
    count = len(error.mistakes)
    return "\n".join([*map(str, error.mistakes), *([f"{count} mistakes"] if count > 1 else [])])


def _version(value: bool) -> None:
    if value:
        typer.echo(f"seqtrain {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    console = logging.StreamHandler(_Stderr())
    console.setLevel(logging.INFO)
    logger = logging.getLogger("seqtrain")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [console]


@app.command()
def fit(
    config: ConfigArgument,
    settings: SetOption = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run folder. [default: runs/<config>/<UTC time>]", show_default=False)
    ] = None,
    resume: Annotated[Resume, typer.Option(help="What to do with a run folder that holds a run.")] = Resume.auto,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, take one step of training and validation, and stop.")
    ] = False,
    progress: Annotated[Progress, typer.Option(help="How to show the progress; auto: a bar on a terminal.")] = (
        Progress.auto
    ),
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Stop and save after so long, such as 3h50m, with exit code 124.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the model of a config, or go on with the run in --run-dir."""
    from seqtrain import durations
    from seqtrain.training import fit as training
    from seqtrain.training.options import FitOptions

    try:
        max_time_s = durations.seconds(max_time) if max_time is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-time") from error
    options = FitOptions(run_dir, resume.value, progress.value, sys.argv, max_time_s)
    with stdout_to_stderr(), showing(progress.value):
        loaded = _load(config, settings)
        outcome = training.dry_run(loaded, options) if dry_run else training.fit(loaded, options)
    if as_json:
        _print_json(outcome.result)
    raise typer.Exit(outcome.exit_code)


@app.command("inspect-batches", epilog=_INSPECT_EXAMPLES)
def inspect_batches(
    config: Annotated[
        Path | None, typer.Argument(help="The YAML config; with --run, by default the run's.", show_default=False)
    ] = None,
    settings: SetOption = None,
    number: Annotated[
        int | None,
        typer.Option("-n", min=1, help="How many batches to show; with --sample, how many epochs. [default: 1; 8]"),
    ] = None,
    all_batches: Annotated[bool, typer.Option("--all", help="Show every batch of the epoch.")] = False,
    split: Annotated[Side, typer.Option(help="Which side of the split.")] = Side.train,
    epoch: Annotated[int, typer.Option(min=0, help="The epoch, counted from 0: its order and augmentation.")] = 0,
    stage: Annotated[Stage, typer.Option(help="Before augmentation (raw), after it, or both.")] = Stage.augmented,
    sample: Annotated[
        list[str] | None,
        typer.Option(help="Show one sample in several epochs: its index, or the end of its path. Repeatable."),
    ] = None,
    epochs: Annotated[
        str | None, typer.Option(help="With --sample: which epochs, such as 0-7.", show_default=False)
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="A run folder: show what its model predicts.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where pictures go. [default: inspect/<config>]", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show batches as fit will see them."""
    from seqtrain.reports.sample_epochs import epoch_numbers
    from seqtrain.training.inspected_run import open_inspection

    if epochs is not None and not sample:
        raise typer.BadParameter("they say in which epochs to show a sample; add --sample", param_hint="--epochs")
    if sample and all_batches:
        raise typer.BadParameter("a sample is not every batch; leave out one of them", param_hint="--sample, --all")
    try:
        numbers = epoch_numbers(epochs) if epochs else list(range(epoch, epoch + (number or 8)))
    except ValueError as error:
        raise typer.BadParameter("epochs such as 0-7 or 0,3,10", param_hint="--epochs") from error
    with stdout_to_stderr():
        loaded = _load(_config_of(config, run), settings)
        folder = out or Path("inspect", config.stem if config else run.name if run else "")
        inspection = open_inspection(loaded, split.value, epoch, folder, stage.value, run)
    if not as_json:
        typer.echo(inspection.overview())
    documents = []
    with stdout_to_stderr() if as_json else contextlib.nullcontext():
        batches = inspection.samples(sample, numbers) if sample else inspection.batches(number or 1)
        for batch in inspection.batches(None) if all_batches else batches:
            documents.append(batch.to_json())
            if not as_json:
                typer.echo(batch.text())
        images = inspection.finish()
    if as_json:
        _print_json({**inspection.to_json(), "batches": documents, "images": [str(path) for path in images]})
    else:
        typer.echo("\n".join(f"wrote {path}" for path in [*images, inspection.page]))


def _config_of(config: Path | None, run: Path | None) -> Path:
    """The config that is named, or that of a run."""
    if config is not None:
        return config
    if run is None:
        raise typer.BadParameter("name a config, or a run folder with --run", param_hint="CONFIG")
    if not (run / "config.yaml").is_file():
        from seqtrain.errors import CheckpointError

        raise CheckpointError("there is no run in this folder", where=run, fix="name a run folder: runs/NAME/TIME")
    return run / "config.yaml"


@app.command(epilog=_CHECK_EXAMPLES)
def check(
    config: ConfigArgument,
    settings: SetOption = None,
    data: Annotated[bool, typer.Option("--data", help="Read every sample too, and look at it.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --data: where bad_files.txt goes. [default: inspect/<config>]", show_default=False),
    ] = None,
    allow_leakage: Annotated[
        bool, typer.Option("--allow-leakage", help="With --data: let copies of training samples validate.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Validate a config, and with --data every sample, without TensorFlow."""
    from seqtrain.reports.data_check import check_data

    if not data and (out is not None or allow_leakage):
        raise typer.BadParameter(
            "they say how --data looks at the samples; add --data", param_hint="--out, --allow-leakage"
        )
    with stdout_to_stderr():
        loaded = _load(config, settings)
        found = check_data(loaded, out or Path("inspect", config.stem), allow_leakage) if data else None
    if found is None:
        if as_json:
            _print_json({"status": "ok", "config": str(config)})
        else:
            typer.echo(f"{config} is right")
        return
    if as_json:
        _print_json({**found.verdict(), "config": str(config), "data": found.to_json()})
    else:
        typer.echo(found.text())
    typer.echo("".join(f"warning: {warning}\n" for warning in found.warnings), err=True, nl=False)
    if found.error is not None:
        typer.echo(_told(found.error), err=True)
        raise typer.Exit(found.error.exit_code)
    if not as_json:
        read = "" if found.num_read == found.samples else f"{found.num_read} of "
        typer.echo(f"{config} is right, and {read}its {found.samples} samples can be read")


@app.command("init", epilog=_INIT_EXAMPLES)
def init_config(
    place: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the data, or its one file.")] = Path(),
    task: Annotated[
        str | None, typer.Option(help="What it is: a task or a kind, as --template list has them.", show_default=False)
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict.", show_default=False)] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Size of pictures in a batch: 64, or 48x64.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take what is suggested, and ask nothing.")] = False,
    template: Annotated[
        str | None, typer.Option(metavar="KIND", help="Write a config for data to come; or list.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="The config to write.")] = Path("config.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at a folder of data, and write a config that trains on it."""
    from seqtrain.init.settling import Wishes
    from seqtrain.init.starting import begin

    wishes = Wishes(task, target, image_size, yes)
    with stdout_to_stderr():
        started = begin(place, wishes, template, out, force, typer.echo)
    if as_json:
        _print_json(started.to_json())
    else:
        typer.echo(started.text())


@app.command("prepare")
def prepare_cache(config: ConfigArgument, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Fill the cache of a config ahead of training."""
    from seqtrain.loading.prepare import prepare

    with stdout_to_stderr():
        prepared = prepare(_load(config, settings))
    if as_json:
        _print_json(prepared.to_json())
    else:
        typer.echo(prepared.text())


@app.command()
def profile(
    config: ConfigArgument,
    settings: SetOption = None,
    workers: Annotated[
        str | None, typer.Option(help="Numbers of workers to try, such as 1,2,4.", show_default=False)
    ] = None,
    data_only: Annotated[bool, typer.Option("--data-only", help="Leave out the model.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure what bounds a run: the data, or the model."""
    from seqtrain.training.profile import profile as measured
    from seqtrain.training.profile import profile_text

    try:
        counts = [int(count) for count in (workers or "").split(",") if count]
    except ValueError as error:
        raise typer.BadParameter("whole numbers, separated by commas", param_hint="--workers") from error
    with stdout_to_stderr():
        document = measured(_load(config, settings), counts, data_only)
    if as_json:
        _print_json(document)
    else:
        typer.echo(profile_text(document))


@app.command(epilog=_DOCTOR_EXAMPLES)
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="A config, for its workers and its cache.", show_default=False)
    ] = None,
    settings: SetOption = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run folder whose disk is looked at. [default: runs]", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at what this machine gives a run: versions, decoders, memory, disk, workers, GPU; needs no network.

    Exits with 6 where there is a problem that a run would meet; with 0 also where there are warnings.
    """
    from seqtrain.doctor import finding
    from seqtrain.doctor.examination import examine

    findings: list[finding.Finding] = []
    for found in examine(_load(config, settings) if config else None, run_dir):
        if not as_json:
            typer.echo(found.text(after=findings[-1] if findings else None))
        findings.append(found)
    if as_json:
        _print_json(finding.to_json(findings))
    else:
        typer.echo(f"\n{finding.summary(findings)}")
    raise typer.Exit(finding.exit_code(findings))


@app.command(epilog=_EVALUATE_EXAMPLES)
def evaluate(
    run: RunArgument,
    split: Annotated[
        Part | None, typer.Option(help="Which samples. [default: val; of another source all]", show_default=False)
    ] = None,
    settings: SetOption = None,
    checkpoint: CheckpointOption = Checkpoint.best,
    out: Annotated[Path | None, typer.Option(help="Write the JSON here too.", show_default=False)] = None,
    progress: ProgressOption = Progress.auto,
    as_json: JsonOption = False,
) -> None:
    """Test a trained run: its metrics on a side of its split, or on another source with -s source.path=..."""
    from seqtrain.training.evaluation import evaluate as evaluated
    from seqtrain.training.trained_run import TrainedRun

    with stdout_to_stderr(), showing(progress.value), native_stderr_aside():
        found = evaluated(TrainedRun(run, settings or (), checkpoint.value), split.value if split else None)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found.to_json(), indent=2) + "\n")
    if as_json:
        _print_json(found.to_json())
    else:
        typer.echo(found.text())


@app.command(epilog=_PREDICT_EXAMPLES)
def predict(
    run: RunArgument,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="INPUT", help="Images, folders, manifests, arrays, a table.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A file, a folder for PNG, or - for stdout. [default: predictions...]", show_default=False),
    ] = None,
    out_format: Annotated[
        PredictionFormat | None,
        typer.Option("--format", help="[default: as --out ends, or what fits the model]", show_default=False),
    ] = None,
    settings: SetOption = None,
    checkpoint: CheckpointOption = Checkpoint.best,
    progress: ProgressOption = Progress.auto,
    as_json: JsonOption = False,
) -> None:
    """Predict new samples with a trained run: classes, values, masks, or whatever its model puts out."""
    from seqtrain.training.prediction import PredictOptions
    from seqtrain.training.prediction import predict as predicted
    from seqtrain.training.prediction_places import OutFormat

    to_stdout = out == Path("-")
    if to_stdout and as_json:
        raise typer.BadParameter("stdout takes the predictions or the JSON, not both", param_hint="--out -")
    with _stdout_for_data() as stdout, showing(progress.value), native_stderr_aside():
        place = stdout if to_stdout else out
        chosen: OutFormat | None = out_format.value if out_format else None
        done = predicted(run, PredictOptions(inputs or (), settings or (), checkpoint.value, place, chosen))
    if as_json:
        _print_json(done.to_json())
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

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        html, facts = report(run)
    out = out or run / "report.html"
    out.write_text(html, encoding="utf-8")
    if as_json:
        _print_json({**facts, "page": str(out)})
    else:
        typer.echo(f"wrote {out}")


@app.command("list")
def list_components(
    family: Annotated[Family | None, typer.Argument(help="One family alone.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sources, sequences, models and callbacks, with their arguments."""
    from seqtrain.reports.components import component_lists, components_text

    lists = component_lists([family.value] if family else [item.value for item in Family])
    if as_json:
        _print_json(lists)
    else:
        typer.echo(components_text(lists))


@config_app.command("show")
def config_show(config: ConfigArgument, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Print the resolved config: defaults filled in, paths absolute; it can be fed back."""
    from seqtrain.config.dump import dump

    loaded = _load(config, settings)
    if as_json:
        _print_json(loaded.config.to_yaml())
    else:
        typer.echo(dump(loaded.config), nl=False)


@config_app.command("explain", epilog=_EXPLAIN_EXAMPLES)
def config_explain(
    config: ConfigArgument,
    key: Annotated[str, typer.Argument(help="Only this key and what is below it.", show_default=False)] = "",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every value, defaults included, with where it came from and what it means."""
    from seqtrain.config.explain import explain
    from seqtrain.reports.config_tables import explained_text

    explained = explain(_load(config, settings), key)
    if as_json:
        _print_json({"config": str(config), "values": [value.to_json() for value in explained]})
    else:
        typer.echo(explained_text(config, explained, shutil.get_terminal_size((120, 24)).columns, whole=bool(key)))


@config_app.command("diff", epilog=_DIFF_EXAMPLES)
def config_diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A config, or a run folder.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Print what differs between two configs or run folders, and where. Exits with 0 also where something does."""
    from seqtrain.config.compare import compare
    from seqtrain.reports.config_tables import difference_text

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        found = compare(first, second)
    if as_json:
        differences = [change.to_json() for change in found]
        _print_json({"a": str(first), "b": str(second), "same": not found, "differences": differences})
    else:
        typer.echo(difference_text(first, second, found))


@config_app.command("schema")
def config_schema(
    config: Annotated[
        Path | None, typer.Argument(help="A config whose imports register components of your own.", show_default=False)
    ] = None,
    settings: SetOption = None,
) -> None:
    """Print a JSON Schema of configs, for editors."""
    from seqtrain.config.json_schema import json_schema

    if config is not None:
        _load(config, settings)
    _print_json(json_schema())


@runs_app.command("ls", epilog=_RUNS_LS_EXAMPLES)
def runs_ls(
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Where to look. [default: runs]")
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="METRIC|time", help="By when they were started, or the best value of a metric.")
    ] = "time",
    as_json: JsonOption = False,
) -> None:
    """List runs: how each stands, its epochs, its best value and epoch."""
    from seqtrain.reports.runs import find_runs
    from seqtrain.reports.runs_table import runs_table

    runs = find_runs(places or [Path("runs")])
    metric = None if sort == "time" else sort
    ordered = runs.sorted_by(metric) if metric else runs.found
    runs.tell_skipped()
    if as_json:
        _print_json(runs.to_json(ordered))
    else:
        typer.echo(runs_table(runs, ordered, shutil.get_terminal_size((100, 24)).columns, metric))


@runs_app.command("show", epilog=_RUNS_SHOW_EXAMPLES)
def runs_show(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run: how it stands and why, its results, what it was made from, and how to go on with it."""
    from seqtrain.reports.run_record import read_run
    from seqtrain.reports.run_summary import summary, summary_text

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        record = read_run(run)
        told = summary(record)
    if as_json:
        _print_json(told)
    else:
        typer.echo(summary_text(record, told, shutil.get_terminal_size((100, 24)).columns))


@runs_app.command("compare", epilog=_RUNS_COMPARE_EXAMPLES)
def runs_compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run folders.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Draw their curves into this PNG.", show_default=False)] = None,
    metric: Annotated[
        str | None, typer.Option(help="What is drawn. [default: what they watched, and val_loss]", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare runs: what differs between their configs, their results, and their curves in one picture."""
    from seqtrain.reports.run_comparison import compare_runs
    from seqtrain.reports.run_curves import draw_runs

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        compared = compare_runs(runs)
        drawn = draw_runs(compared.runs, compared.names, out, metric) if out else []
    if as_json:
        _print_json({**compared.to_json(), "picture": str(out) if out else None, "drawn": drawn})
    else:
        typer.echo(compared.text(shutil.get_terminal_size((100, 24)).columns))
        typer.echo(f"\nwrote {out}" if out else "\nadd --out compare.png for their curves")


@runs_app.command("best", epilog=_RUNS_BEST_EXAMPLES)
def runs_best(
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Where to look. [default: runs]")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="By which. [default: the one that all runs watched]", show_default=False)
    ] = None,
    mode: Annotated[
        Mode, typer.Option(help="Which value is better; auto: as the name of the metric says.")
    ] = Mode.auto,
    as_json: JsonOption = False,
) -> None:
    """Print the path of the best run, and nothing else."""
    from seqtrain.reports.runs import find_runs

    runs = find_runs(places or [Path("runs")])
    runs.tell_skipped()
    run, best = runs.best(metric, mode.value)
    if as_json:
        _print_json({**run.to_json(), **best.to_json()})
    else:
        typer.echo(run.path)


def _load(config: Path, settings: list[str] | None) -> LoadedConfig:
    """The checked config. What Keras says while a user's file imports it is nobody's business."""
    from seqtrain.config import load_config

    with stdout_to_stderr(), native_stderr_to(Path(os.devnull)):
        return load_config(config, settings or ())


@contextlib.contextmanager
def _stdout_for_data() -> Iterator[TextIO]:
    """Stdout for what is streamed there; whatever else is printed meanwhile goes to stderr."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", newline="", errors="surrogateescape") as stdout, stdout_to_stderr():
        yield stdout


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, default=str))


def _mistake(mistake: Mistake) -> dict[str, str | None]:
    return {
        "where": mistake.where,
        "message": mistake.message,
        "expected": mistake.expected,
        "received": mistake.received,
        "fix": mistake.fix,
    }


class _Stderr:
    """Stderr as it is when something is written; what is written stands above the bars."""

    def write(self, text: str) -> None:
        say(text)

    def flush(self) -> None:
        sys.stderr.flush()
