"""Commands that show configs, and the components that a config may name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import app, config_app
from seqtrain.cli.options import ConfigArgument, JsonOption, SetOption, load, print_json
from seqtrain.console import quiet

_DIFF_EXAMPLES = """\b
Examples:
  seqtrain config diff config.yaml other.yaml
  seqtrain config diff runs/monday runs/tuesday --json | jq .same
"""


_EXPLAIN_EXAMPLES = """\b
Examples:
  seqtrain config explain config.yaml
  seqtrain config explain config.yaml fit -s fit.epochs=3
  seqtrain config explain runs/monday compile
  seqtrain config explain config.yaml --json | jq '.values[] | select(.origin == "default") | .key'
"""


@app.command("list")
def list_components(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="FAMILY|NAME", help="sources, sequences, models, losses, metrics or callbacks; or one component."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sources, sequences, models, losses, metrics and callbacks, or all there is to know of one."""
    from seqtrain.registry import FAMILIES
    from seqtrain.reports.components import component_details, component_lists, components_text, details_text

    if name is not None and name not in FAMILIES:
        found = component_details(name, Path("configs") if Path("configs").is_dir() else Path())
        return print_json(found) if as_json else typer.echo(details_text(found))
    lists = component_lists([name] if name else FAMILIES)
    if as_json:
        print_json(lists)
    else:
        typer.echo(components_text(lists))


@config_app.command("show")
def config_show(config: ConfigArgument, settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Print the resolved config: defaults filled in, paths absolute; it can be fed back."""
    from seqtrain.config.dump import dump

    loaded = load(config, settings)
    if as_json:
        print_json(loaded.config.to_yaml())
    else:
        typer.echo(dump(loaded.config), nl=False)


@config_app.command("explain", epilog=_EXPLAIN_EXAMPLES)
def config_explain(
    config: Annotated[Path, typer.Argument(metavar="config", help="A config, or a run folder.", show_default=False)],
    key: Annotated[str, typer.Argument(help="Only this key and what is below it.", show_default=False)] = "",
    settings: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print every value, defaults included, with where it came from and what it means."""
    from seqtrain.config.compare import config_file
    from seqtrain.config.explain import explain
    from seqtrain.reports.config_tables import explained as explained_parts
    from seqtrain.reports.terminal import show, terminal_width

    config = config_file(config)
    explained = explain(load(config, settings), key)
    if as_json:
        print_json({"config": str(config), "values": [value.to_json() for value in explained]})
    else:
        show(*explained_parts(config, explained, terminal_width(), whole=bool(key)))


@config_app.command("diff", epilog=_DIFF_EXAMPLES)
def config_diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A config, or a run folder.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Print what differs between two configs or run folders, and where. Exits with 0 also where something does."""
    from seqtrain.config.compare import compare
    from seqtrain.reports.config_tables import differences
    from seqtrain.reports.terminal import show

    with quiet():
        found = compare(first, second)
    if as_json:
        changed = [change.to_json() for change in found]
        print_json({"a": str(first), "b": str(second), "same": not found, "differences": changed})
    else:
        show(*differences(first, second, found))


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
        load(config, settings)
    print_json(json_schema())
