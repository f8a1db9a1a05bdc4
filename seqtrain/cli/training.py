"""Commands that train, or that prepare or profile a training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import app
from seqtrain.cli.options import ConfigArgument, JsonOption, ProgressOption, Resume, SetOption, load, print_json
from seqtrain.console import progress_shown_as, stdout_to_stderr


@app.command()
def fit(
    config: ConfigArgument,
    settings: SetOption = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="The run folder. [default: runs/<config>/<UTC time>]", show_default=False)
    ] = None,
    resume: Annotated[Resume, typer.Option(help="What to do with a run folder that holds a run.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, take one step of training and validation, and stop.")
    ] = False,
    progress: ProgressOption = "auto",
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Stop and save after so long, such as 3h50m, with exit code 124.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train the model of a config, or go on with the run in --run-dir."""
    from seqtrain.text import parse_duration
    from seqtrain.training.dry_run import dry_run as try_out
    from seqtrain.training.options import FitOptions
    from seqtrain.training.session import fit as train

    try:
        max_time_s = parse_duration(max_time) if max_time is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--max-time") from error
    options = FitOptions(run_dir, resume, progress, sys.argv, max_time_s)
    with stdout_to_stderr(), progress_shown_as(progress):
        loaded = load(config, settings)
        outcome = try_out(loaded, options) if dry_run else train(loaded, options)
    if as_json:
        print_json(outcome.result)
    raise typer.Exit(outcome.exit_code)


@app.command("prepare")
def prepare_cache(config: ConfigArgument, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Fill the cache of a config ahead of training."""
    from seqtrain.loading.prepare import prepare

    with stdout_to_stderr():
        prepared = prepare(load(config, settings))
    if as_json:
        print_json(prepared.to_json())
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
        document = measured(load(config, settings), counts, data_only)
    if as_json:
        print_json(document)
    else:
        typer.echo(profile_text(document))
