"""The benchmarks run, from end to end, with whatever peers are installed."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

WORKLOADS = ("jpeg", "python_bound", "empty_steps")


@pytest.mark.slow
def test_every_contestant_that_is_installed_delivers_the_right_batches_and_is_measured(tmp_path):
    pytest.importorskip("skimage")
    chosen = [argument for name in WORKLOADS for argument in ("--workload", name)]
    command = [sys.executable, "-m", "tests.benchmarks.loading", "--quick", "--rounds", "1", "--json", *chosen]
    done = subprocess.run([*command, "--data", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert {row["workload"] for row in rows} == set(WORKLOADS)
    assert sum(row["peer"].startswith("limit") for row in rows) == 4
    for row in rows:
        absent = row["note"].removeprefix("not installed: ").split(", ") if row["note"] else []
        assert all(importlib.util.find_spec(name) is None for name in absent), row
        assert bool(row["speeds"]) != bool(absent), row
        assert all(speed > 0 for speed in row["speeds"])
