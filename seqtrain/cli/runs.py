"""Commands that list, show and compare run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import runs_app
from seqtrain.cli.options import JsonOption, Mode, RunArgument, print_json
from seqtrain.console import quiet

_RUNS_BEST_EXAMPLES = """\b
Examples:
  seqtrain runs best runs/digits
  seqtrain predict $(seqtrain runs best runs/digits --metric val_accuracy) photos/
  seqtrain runs best --metric my_score --mode min --json | jq .value
"""


_RUNS_COMPARE_EXAMPLES = """\b
Examples:
  seqtrain runs compare runs/monday runs/tuesday
  seqtrain runs compare runs/digits/* --out compare.png --metric val_accuracy
"""


_RUNS_SHOW_EXAMPLES = """\b
Examples:
  seqtrain runs show runs/today
  seqtrain runs show runs/today --json | jq -r .go_on
"""


_RUNS_LS_EXAMPLES = """\b
Examples:
  seqtrain runs ls                                   what is below runs/, newest first
  seqtrain runs ls runs/digits --sort val_accuracy   best first
  seqtrain runs ls --json | jq -r '.runs[] | select(.status == "failed") | .run_dir'
"""


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
    from seqtrain.reports.terminal import show, terminal_width

    runs = find_runs(places or [Path("runs")])
    metric = None if sort == "time" else sort
    ordered = runs.sorted_by(metric) if metric else runs.found
    runs.warn_of_skipped()
    if as_json:
        print_json(runs.to_json(ordered))
    else:
        show(*runs_table(runs, ordered, terminal_width(), metric))


@runs_app.command("show", epilog=_RUNS_SHOW_EXAMPLES)
def runs_show(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run: how it stands and why, its results, what it was made from, and how to go on with it."""
    from seqtrain.reports.run_folder import read_run
    from seqtrain.reports.run_summary import summary, summary_parts
    from seqtrain.reports.terminal import show

    with quiet():
        record = read_run(run)
        document = summary(record)
    if as_json:
        print_json(document)
    else:
        show(*summary_parts(record, document))


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
    from seqtrain.reports.terminal import show, terminal_width

    with quiet():
        compared = compare_runs(runs)
        drawn = draw_runs(compared.runs, compared.names, out, metric) if out else []
    if as_json:
        print_json({**compared.to_json(), "picture": str(out) if out else None, "drawn": drawn})
    else:
        show(*compared.parts(terminal_width()), "", f"wrote {out}" if out else "add --out compare.png for their curves")


@runs_app.command("best", epilog=_RUNS_BEST_EXAMPLES)
def runs_best(
    places: Annotated[
        list[Path] | None, typer.Argument(metavar="[DIR]...", help="Where to look. [default: runs]")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="By which. [default: the one that all runs watched]", show_default=False)
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Which value is better; auto: as the name of the metric says.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Print the path of the best run, and nothing else."""
    from seqtrain.reports.runs import find_runs

    runs = find_runs(places or [Path("runs")])
    runs.warn_of_skipped()
    run, best = runs.best(metric, mode)
    if as_json:
        print_json({**run.to_json(), **best.to_json()})
    else:
        typer.echo(run.path)
