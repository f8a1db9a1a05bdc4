"""The benchmark of `check --data` runs, and measures what it says."""

import json

import pytest

from tests.benchmarks.data_check import main


@pytest.mark.slow
def test_both_speeds_and_their_share_are_measured(tmp_path, capsys):
    pytest.importorskip("skimage")
    main(["--data", str(tmp_path), "--count", "12", "--rounds", "1", "--json"])
    photographs, arrays = json.loads(capsys.readouterr().out)
    assert (photographs["samples"], arrays["samples"]) == (12, 120)
    assert photographs["share"] == pytest.approx(photographs["check_per_s"] / photographs["loader_per_s"], rel=0.02)
