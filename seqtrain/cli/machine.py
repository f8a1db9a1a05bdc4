"""The command that checks the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqtrain.cli.app import app
from seqtrain.cli.options import JsonOption, SetOption, load, print_json

_DOCTOR_EXAMPLES = """\b
Examples:
  seqtrain doctor
  seqtrain doctor config.yaml --run-dir runs/today
  seqtrain doctor --json | jq -r '.findings[] | select(.status != "ok") | .fix'
"""


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
    from seqtrain.reports.terminal import show

    findings: list[finding.Finding] = []
    for found in examine(load(config, settings) if config else None, run_dir):
        if not as_json:
            show(*found.parts(after=findings[-1] if findings else None))
        findings.append(found)
    if as_json:
        print_json(finding.to_json(findings))
    else:
        typer.echo(f"\n{finding.summary(findings)}")
    raise typer.Exit(finding.exit_code(findings))
