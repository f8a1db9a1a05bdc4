"""What is compared is the same work, ours and what is written by hand give the same batches; and the benchmark runs."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.benchmarks.kind import our_delivery
from tests.benchmarks.kind_race import KINDS
from tests.benchmarks.same_work import difference, different_numbers
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    pytest.importorskip("skimage")
    return tmp_path_factory.mktemp("kinds")


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_ours_and_those_written_by_hand_deliver_the_same_batches(kind, data):
    for name in kind.needs:
        pytest.importorskip(name)
    folder = kind.write(data, True)
    ours = our_delivery(kind, folder, workers=2, num_batches=1)
    assert ours.speed() > 0
    first = ours.sample()
    for name, made in kind.by_hand.items():
        x, y = made(folder, kind.batch_size, False)[0]
        inputs = {f"x.{key}": value for key, value in x.items()} if isinstance(x, dict) else {"x": x}
        assert kind.differs(folder, first, {**inputs, "y": y}) is None, name
        trained = made(folder, kind.batch_size, True)
        assert len(trained) == len(kind.ours(folder, True))
        shapes = [np.shape(value) for value in (x if isinstance(x, dict) else {"x": x}).values()]
        x, _ = trained[0]
        assert [np.shape(value) for value in (x if isinstance(x, dict) else {"x": x}).values()] == shapes


def test_other_values_shapes_types_and_names_are_told():
    x = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 4)
    ids = np.zeros((2, 10, 10), np.uint8)
    ours = {"x": x, "y": ids}
    assert difference(ours, {"x": x + 0.001, "y": ids}) is None
    assert "x: values differ by 10.00% of their range" in difference(ours, {"x": x + np.float32(0.1), "y": ids})
    assert "x: values" in different_numbers(ours, {"x": x + np.float32(0.01), "y": ids})
    assert "y: 100.0% of the ids" in difference(ours, {"x": x, "y": ids + np.uint8(1)})
    assert "(2, 3)" in difference(ours, {"x": x[:, :3], "y": ids})
    assert "float64" in difference(ours, {"x": x.astype(float), "y": ids})
    assert "'z'" in difference(ours, {"x": x, "z": ids})


@pytest.mark.slow
def test_a_quick_run_measures_ours_and_the_one_written_by_hand(tmp_path):
    pytest.importorskip("skimage")
    command = [sys.executable, "-m", "tests.benchmarks.kinds", "--quick", "--rounds", "1", "--json"]
    chosen = ["--only", "pairs", "--only", "table", "--data", str(tmp_path)]
    done = subprocess.run([*command, *chosen], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["workload"] for row in rows] == ["pairs", "pairs", "table", "table"]
    assert all(len(row["speeds"]) == 1 and row["speeds"][0] > 0 and not row["note"] for row in rows)
