"""Commands that inspect and check data, or write a config for it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import app, format_error
from seqtrain.cli.options import ConfigArgument, JsonOption, SetOption, Side, Stage, load, print_json
from seqtrain.console import hidden_native_stderr, stdout_to_stderr

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


_INSPECT_EXAMPLES = """\b
Examples:
  seqtrain inspect-batches config.yaml                        the first batch that fit will see
  seqtrain inspect-batches config.yaml --stage both -n 4      before and after augmentation
  seqtrain inspect-batches config.yaml --sample cats/12.jpg --epochs 0-7
  seqtrain inspect-batches --run runs/today --split val --all
                                                              predictions, the most confident mistakes first
  seqtrain inspect-batches config.yaml --all --json | jq '.batches[].warnings[]'
"""


_CHECK_EXAMPLES = """\b
Examples:
  seqtrain check config.yaml                         the config alone, in a second
  seqtrain check config.yaml --data                  every sample too: what is broken, odd, twice
  seqtrain check config.yaml --data -s fit.workers=8 --out report
  seqtrain check config.yaml --data --json | jq '.data.duplicates'
  cat report/bad_files.txt                           what would break training, a file or a file:line each
"""


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
    split: Annotated[Side, typer.Option(help="Which side of the split.")] = "train",
    epoch: Annotated[int, typer.Option(min=0, help="The epoch, counted from 0: its order and augmentation.")] = 0,
    stage: Annotated[Stage, typer.Option(help="Before augmentation (raw), after it, or both.")] = "augmented",
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
    from seqtrain.inference.inspected_run import open_inspection
    from seqtrain.reports.sample_epochs import epoch_numbers

    if config is None and run is None:
        raise typer.BadParameter("name a config, or a run folder with --run", param_hint="CONFIG")
    if epochs is not None and not sample:
        raise typer.BadParameter("they say in which epochs to show a sample; add --sample", param_hint="--epochs")
    if sample and all_batches:
        raise typer.BadParameter("a sample is not every batch; leave out one of them", param_hint="--sample, --all")
    try:
        numbers = epoch_numbers(epochs) if epochs else list(range(epoch, epoch + (number or 8)))
    except ValueError as error:
        raise typer.BadParameter("epochs such as 0-7 or 0,3,10", param_hint="--epochs") from error
    documents = []
    with hidden_native_stderr():
        with stdout_to_stderr():
            loaded = None if config is None else load(config, settings)
            folder = out or Path("inspect", config.stem if config else run.name if run else "")
            inspection = open_inspection(loaded, split, epoch, folder, stage, run, settings or ())
        if not as_json:
            typer.echo(inspection.overview())
        with stdout_to_stderr() if as_json else contextlib.nullcontext():
            batches = inspection.samples(sample, numbers) if sample else inspection.batches(number or 1)
            for batch in inspection.batches(None) if all_batches else batches:
                documents.append(batch.to_json())
                if not as_json:
                    typer.echo(batch.text())
            images = inspection.finish()
    if as_json:
        print_json({**inspection.to_json(), "batches": documents, "images": [str(path) for path in images]})
    else:
        typer.echo("\n".join(f"wrote {path}" for path in [*images, inspection.page]))


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
    from seqtrain.reports.data_tables import survey_parts
    from seqtrain.reports.terminal import show

    if not data and (out is not None or allow_leakage):
        raise typer.BadParameter(
            "they say how --data looks at the samples; add --data", param_hint="--out, --allow-leakage"
        )
    with stdout_to_stderr(), hidden_native_stderr():
        loaded = load(config, settings)
        found = check_data(loaded, out or Path("inspect", config.stem), allow_leakage) if data else None
    if found is None:
        if as_json:
            print_json({"status": "ok", "config": str(config)})
        else:
            typer.echo(f"{config} is right")
        return
    if as_json:
        print_json({**found.verdict(), "config": str(config), "data": found.to_json()})
    else:
        show(*survey_parts(found.surveys))
    typer.echo("".join(f"warning: {warning}\n" for warning in found.warnings), err=True, nl=False)
    if found.error is not None:
        typer.echo(format_error(found.error), err=True)
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
    target: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="The column to predict.", show_default=False)
    ] = None,
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
    from seqtrain.init.prompts import InitOptions
    from seqtrain.init.starting import run_init

    if target and len(target) > 1:
        raise typer.BadParameter("one column; add others under `targets` in the config", param_hint="--target")
    options = InitOptions(task, target[0] if target else None, image_size, yes)
    with stdout_to_stderr():
        result = run_init(place, options, template, out, force, typer.echo)
    if as_json:
        print_json(result.to_json())
    else:
        typer.echo(result.text())
