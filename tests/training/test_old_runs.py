"""Run folders that an older version wrote, one of a run that ended, one of a run that was killed in its second epoch.

`old_runs` holds them with `$DATA` for the folder of the sample data, and `figures.json` with what that version made of
them; weights and figures may differ in their last digits on another processor.
"""

import csv
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import DATA, seqtrain

OLD_RUNS = Path(__file__).with_name("old_runs")
FIGURES = json.loads((OLD_RUNS / "figures.json").read_text())
RUNS = ("finished", "killed")
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of both, in which the data is where it lies here."""
    folder = tmp_path_factory.mktemp("old") / "runs"
    shutil.copytree(OLD_RUNS, folder, symlinks=True)
    for path in (folder / "digits.yaml", *folder.glob("*/config.yaml")):
        path.write_text(path.read_text().replace("$DATA", str(DATA)))
    return folder


def told(folder, *words):
    done = seqtrain(*words, "--json", cwd=folder)
    assert done.code == 0, done.err
    return done.json


def history(run):
    with (run / "history.csv").open() as file:
        return [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def figures_of(row):
    return {name: row[name] for name in ("epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")}


@pytest.mark.parametrize("run", RUNS)
def test_an_old_run_is_shown_as_it_stands(folder, run):
    shown, recorded = told(folder, "runs", "show", run), FIGURES[run]["show"]
    assert {key: shown[key] for key in recorded} == recorded


@pytest.mark.parametrize("run", RUNS)
def test_an_old_run_is_evaluated(folder, run):
    found, recorded = told(folder, "evaluate", run), FIGURES[run]["evaluate"]
    assert found.pop("metrics") == pytest.approx(recorded["metrics"], rel=TOLERANCE)
    assert found == {key: value for key, value in recorded.items() if key != "metrics"}


@pytest.mark.parametrize("run", RUNS)
def test_an_old_run_predicts(folder, run):
    out = folder / f"{run}.csv"
    assert told(folder, "predict", run, DATA / "digits" / "3", "--out", out)["samples"] == 100
    with out.open() as file:
        rows = list(csv.DictReader(file))
    for row, recorded in zip(rows, FIGURES[run]["predict"], strict=False):
        assert Path(row["path"]).name == recorded["path"]
        assert row["class"] == recorded["class"]
        probabilities = [float(row[f"p_{digit}"]) for digit in range(10)]
        assert probabilities == pytest.approx(recorded["probabilities"], abs=TOLERANCE)


@pytest.mark.parametrize("run", RUNS)
def test_an_old_run_has_a_page(folder, run):
    found, recorded = told(folder, "report", run), FIGURES[run]["report"]
    assert {key: found[key] for key in recorded} == recorded
    assert "<svg" in (folder / found["page"]).read_text() or "<img" in (folder / found["page"]).read_text()


def test_an_old_run_that_has_ended_is_complete(folder):
    before = json.loads((OLD_RUNS / "finished" / "result.json").read_text())
    again = told(folder, "fit", "digits.yaml", "--run-dir", "finished")
    assert again.pop("status") == "already_complete"
    assert {key: again[key] for key in ("epochs", "metrics", "best", "weights_sha256")} == {
        key: before[key] for key in ("epochs", "metrics", "best", "weights_sha256")
    }


def test_an_old_run_that_was_killed_within_an_epoch_ends_as_one_that_was_not(folder):
    rest = folder.with_name("resumed")
    shutil.copytree(folder / "killed", rest, symlinks=True)
    resumed = told(folder, "fit", "digits.yaml", "--run-dir", rest, "--resume", "must")
    whole = told(folder, "fit", "digits.yaml", "--run-dir", "whole")
    assert resumed["epochs"] == whole["epochs"] == 2
    first, second = map(figures_of, history(rest))
    assert first == pytest.approx(FIGURES["killed"]["first epoch"], rel=1e-12)  # not trained again
    trained = list(map(figures_of, history(folder / "whole")))
    assert [first, second] == [pytest.approx(row, rel=TOLERANCE) for row in trained]
    if first == trained[0]:  # this processor rounds as the one that the run began on
        ended = json.loads((OLD_RUNS / "finished" / "result.json").read_text())
        assert resumed["weights_sha256"] == whole["weights_sha256"] == ended["weights_sha256"]
