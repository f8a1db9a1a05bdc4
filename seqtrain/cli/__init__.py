"""The command line: parses, calls, prints. One file a group of commands, in the order of `--help`.

People read stderr, scripts read stdout and exit codes: with `--json` stdout carries one JSON document and nothing else.
"""

from seqtrain.cli import training as training  # isort: skip
from seqtrain.cli import data as data  # isort: skip
from seqtrain.cli import results as results  # isort: skip
from seqtrain.cli import runs as runs  # isort: skip
from seqtrain.cli import configs as configs  # isort: skip
from seqtrain.cli import machine as machine  # isort: skip
from seqtrain.cli.app import app, main

__all__ = ["app", "main"]
