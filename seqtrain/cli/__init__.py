"""The command line: parses the arguments, calls the rest of the package, and prints the results.

The files are imported in the order in which `--help` lists their commands. People read stderr, scripts read stdout and
exit codes: with `--json`, stdout has exactly one JSON document.
"""

from seqtrain.cli import training as training  # isort: skip
from seqtrain.cli import data as data  # isort: skip
from seqtrain.cli import results as results  # isort: skip
from seqtrain.cli import runs as runs  # isort: skip
from seqtrain.cli import configs as configs  # isort: skip
from seqtrain.cli import machine as machine  # isort: skip
from seqtrain.cli.app import app, main

__all__ = ["app", "main"]
