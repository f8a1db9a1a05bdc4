"""What a save costs is told in shares and ratios; and the benchmark runs."""

import json
import subprocess
import sys

import pytest

from tests.benchmarks.saving import Cost, table
from tests.conftest import ROOT


def test_the_slowest_save_is_a_share_of_ten_minutes_and_ratios_are_medians_of_the_rounds():
    cost = Cost(10, 30, save_s=[1.0, 6.0, 3.0], plain_s=[1.0, 2.0, 2.0], synced_s=[2.0, 3.0, 2.0])
    assert table([cost]).splitlines()[1].split() == ["10", "30", "3.000", "1.000%", "1.50", "1.50", "falls", "short"]


def test_below_one_percent_of_ten_minutes_is_six_seconds():
    assert table([Cost(1, 3, [5.9], [1.0], [1.0])]).endswith("below 1 %")


@pytest.mark.long
@pytest.mark.slow
def test_a_checkpoint_holds_the_weights_and_both_moments_of_adam(tmp_path):
    command = [sys.executable, "-m", "tests.benchmarks.saving", "--size", "1", "--rounds", "1", "--json"]
    done = subprocess.run([*command, "--folder", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (cost,) = json.loads(done.stdout)
    assert cost["weights_mb"] == pytest.approx(1, rel=0.01)
    assert cost["checkpoint_mb"] == pytest.approx(3, rel=0.05)
    assert all(len(cost[name]) == 1 and cost[name][0] > 0 for name in ("save_s", "plain_s", "synced_s"))
