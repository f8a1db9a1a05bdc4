"""What the tests share: where things are, and the command line as a subprocess."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
DATA = ROOT / "data_samples"


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def seqtrain(*arguments, cwd=None, env=None):
    """Runs the command line as a script would."""
    done = subprocess.run(
        [sys.executable, "-m", "seqtrain", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def points(tmp_path):
    """A small config with components of the tests' own, as a file in an empty folder."""
    for name in ("points.yaml", "my_components.py"):
        (tmp_path / name).write_text((ROOT / "tests" / "own" / name).read_text())
    return tmp_path / "points.yaml"
