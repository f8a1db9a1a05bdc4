import fcntl
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.reports.run_folder import read_run
from seqtrain.reports.runs import find_runs
from seqtrain.reports.runs_table import runs_table
from seqtrain.reports.terminal import drawn
from tests.conftest import seqtrain
from tests.reports.run_folders import LOG, make_run

DIVERGED = (
    "2026-11-21 09:00:02,100 DEBUG ended by DivergedError: the loss became nan in batch 3\n"
    "  fix: lower the learning rate\n"
    "Traceback (most recent call last):\n"
    '  File "run.py", line 1, in train\n'
)
FAILED = "2026-11-21 09:00:02,100 DEBUG ended by DataError: a.jpg  the image is damaged\nTraceback (most recent\n"


@pytest.fixture
def runs(tmp_path):
    """Three runs, of which the second was started last."""
    make_run(tmp_path / "runs" / "a" / "1", (0.5, 0.9, 0.7), "early_stopped")
    make_run(tmp_path / "runs" / "a" / "2", (0.6, 0.8), "interrupted", started="09:00:05")
    make_run(tmp_path / "runs" / "today", (0.3,), None, log=LOG + DIVERGED, started="08:59:00")
    return tmp_path / "runs"


def names(found):
    return [found.name(run) for run in found.found]


def test_runs_are_found_at_any_depth_and_the_one_started_last_is_first(runs):
    assert names(find_runs([runs])) == ["a/2", "a/1", "today"]
    assert names(find_runs([runs / "a"])) == ["2", "1"]


def test_a_run_that_went_on_counts_as_started_then(runs):
    resumed = {"resumed": [{"time": "2026-11-21T10:00:00+00:00", "argv": ["seqtrain", "fit"]}]}
    make_run(runs / "old", started="01:00:00", meta=resumed)
    assert names(find_runs([runs]))[0] == "old"


def test_a_run_named_twice_is_listed_once(runs):
    assert len(find_runs([runs, runs / "today"]).found) == 3


def test_what_is_no_run_is_passed_over_and_a_broken_run_is_named(runs):
    (runs / "hydra").mkdir()
    (runs / "hydra" / "config.yaml").write_text("of another tool: true")
    (make_run(runs / "torn") / "result.json").write_text('{"status": "comp')
    (make_run(runs / "without") / "config.yaml").unlink()
    (make_run(runs / "odd") / "meta.json").write_text('{"started": 7}')
    (make_run(runs / "unnamed") / "result.json").write_text("{}")
    found = find_runs([runs])
    assert names(found) == ["a/2", "a/1", "today"]
    told = {mistake.where.rpartition("/")[2]: mistake.message for mistake in found.skipped}
    assert set(told) == {"torn", "without", "odd", "unnamed"}
    assert "result.json is no JSON" in told["torn"]
    assert "it has no 'status'" in told["unnamed"]


def test_a_run_whose_meta_json_is_damaged_began_when_its_config_was_written(runs):
    (runs / "today" / "meta.json").write_text("[1]")
    (runs / "a" / "1" / "meta.json").unlink()
    os.utime(runs / "today" / "config.yaml", (10, 10))
    os.utime(runs / "a" / "1" / "config.yaml", (20, 20))
    assert names(find_runs([runs])) == ["a/2", "a/1", "today"]
    assert read_run(runs / "today").starts == [datetime.fromtimestamp(10, UTC)]


def test_a_line_that_is_half_written_is_an_epoch_that_is_not_there_yet(runs):
    path = runs / "a" / "1"
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "val_acc')
    assert len(read_run(path).rows) == 3


def test_without_metrics_jsonl_the_history_tells_all_but_the_times(runs):
    path = runs / "a" / "1"
    (path / "metrics.jsonl").unlink()
    (path / "history.csv").write_text("epoch,loss,val_accuracy\n0,0.5,0.5\n1,nan,0.75\n")
    run = read_run(path)
    assert run.last == {"loss": None, "val_accuracy": 0.75}
    assert (run.best.epoch, run.best.value, run.duration_s) == (1, 0.75, None)


@pytest.mark.parametrize(
    ("log", "status", "told"),
    [
        (LOG + DIVERGED, "diverged", "DivergedError: the loss became nan in batch 3\n  fix: lower the learning rate"),
        (LOG + FAILED, "failed", "DataError: a.jpg  the image is damaged"),
        (LOG + FAILED + LOG, "killed", ""),
        (LOG, "killed", ""),
    ],
)
def test_the_log_says_why_a_run_without_a_result_has_ended(tmp_path, log, status, told):
    state = read_run(make_run(tmp_path / "run", status=None, log=log)).state
    assert (state.status, state.reason) == (status, told)


def test_a_run_whose_lock_is_held_trains_and_its_lock_stays_free_to_take_after(tmp_path):
    path = make_run(tmp_path / "run", status=None, log=LOG + FAILED)
    with (path / ".seqtrain.lock").open("w+") as lock:
        lock.write("host box, process 42\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = read_run(path).state
        assert (state.status, state.reason) == ("training", "host box, process 42")
    assert read_run(path).state.status == "failed"
    with (path / ".seqtrain.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_best_epoch_is_the_first_best_by_what_early_stopping_watches(tmp_path):
    best = read_run(make_run(tmp_path / "run", (0.5, 0.9, 0.9))).best
    assert (best.monitor, best.epoch, best.value) == ("val_accuracy", 1, 0.9)
    best = read_run(make_run(tmp_path / "other", (0.5, 0.75), config={"callbacks": ["tqdm"]})).best
    assert (best.monitor, best.epoch, best.value) == ("val_loss", 1, 0.5)


def test_the_time_between_an_interruption_and_its_resumption_is_not_training(tmp_path):
    # Epochs end at 10, 20 and 30 s; it began at 0 s and went on at 25 s: 20 s and 5 s.
    resumed = {"resumed": [{"time": "2026-11-21T09:00:25+00:00", "argv": ["seqtrain", "fit"]}]}
    assert read_run(make_run(tmp_path / "run", meta=resumed)).duration_s == 25
    assert read_run(make_run(tmp_path / "none", ())).duration_s is None


def test_different_losses_are_warned_of_where_runs_are_put_in_order_by_one(runs, caplog):
    find_runs([runs]).by_metric("val_loss")
    assert "different losses" not in caplog.text
    make_run(runs / "mae", (0.3,), config={"compile": {"loss": "mae"}})
    find_runs([runs]).by_metric("val_accuracy")
    assert "different losses" not in caplog.text
    find_runs([runs]).by_metric("val_loss")
    assert "the runs minimise different losses, which val_loss does not compare" in caplog.text


def test_by_a_metric_the_best_run_is_first_and_those_without_it_last(runs):
    make_run(runs / "empty", (), "interrupted", started="11:00:00")
    found = find_runs([runs])
    assert [found.name(run) for run in found.sorted_by("val_accuracy")] == ["a/1", "a/2", "today", "empty"]
    assert [found.name(run) for run, _ in found.by_metric("val_accuracy", "min")] == ["today", "a/1", "a/2"]
    assert [found.name(run) for run, _ in found.by_metric("val_loss")] == ["a/1", "a/2", "today"]


def test_a_metric_that_no_run_has_is_refused_with_the_nearest(runs):
    with pytest.raises(ConfigError, match="did you mean 'val_accuracy'"):
        find_runs([runs]).sorted_by("val_acuracy")


def test_the_best_run_needs_one_metric_to_be_chosen_by(runs):
    run, best = find_runs([runs]).best(None)
    assert (run.path, best.value) == (runs / "a" / "1", 0.9)
    make_run(runs / "other", config={"callbacks": []})
    with pytest.raises(ConfigError, match="several metrics"):
        find_runs([runs]).best(None)
    with pytest.raises(CheckpointError, match="no such folder"):
        find_runs([runs / "nowhere"])


def test_the_table_fits_and_says_of_each_run_how_it_stands(runs):
    found = find_runs([runs])
    lines = drawn(*runs_table(found, found.found, 100), width=100).splitlines()
    assert lines[0].split() == ["run", "status", "epochs", "val_accuracy", "of", "epoch", "trained", "started"]
    assert lines[1].split()[:6] == ["a/2", "interrupted", "2/4", "0.8", "2", "15s"]
    assert lines[2].split()[:7] == ["a/1", "early", "stopped", "3/4", "0.9", "2", "30s"]
    assert lines[3].split()[:5] == ["today", "diverged", "1/4", "0.3", "1"]
    assert lines[-1].startswith("3 runs: 1 interrupted, 1 early stopped, 1 diverged")


@pytest.mark.parametrize("width", [100, 70, 50])
def test_nothing_in_the_table_is_wider_than_the_terminal(runs, width):
    make_run(runs / ("a-name-that-is-very-long-" * 4) / "20261121T093000Z", config={"callbacks": []})
    found = find_runs([runs])
    *lines, _, _counts = drawn(*runs_table(found, found.found, width), width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert any("…" in line and line.split()[0].endswith("Z") for line in lines)


def test_scripts_get_one_document_and_a_bare_path(runs):
    (make_run(runs / "torn") / "result.json").write_text("{")
    listed = seqtrain("runs", "ls", runs, "--json")
    assert listed.code == 0, listed.err
    assert [run["name"] for run in listed.json["runs"]] == ["a/2", "a/1", "today"]
    assert listed.json["runs"][1]["best"] == {"epoch": 1, "monitor": "val_accuracy", "value": 0.9}
    assert [skipped["run_dir"] for skipped in listed.json["skipped"]] == [str(runs / "torn")]
    assert "skipped" in listed.err
    best = seqtrain("runs", "best", "runs", "--metric", "val_loss", cwd=runs.parent)
    assert (best.code, best.out) == (0, "runs/a/1\n")


def test_of_another_epoch_than_the_best_checkpoint_best_warns(runs):
    path = runs / "a" / "1"
    (path / "result.json").write_text(
        json.dumps({"status": "completed", "best": {"epoch": 0, "monitor": "val_loss", "value": 1.0}})
    )
    done = seqtrain("runs", "best", runs, "--metric", "val_accuracy")
    assert done.out == f"{path}\n"
    assert "its best checkpoint is that of epoch 1, by val_loss" in done.err


def test_runs_are_read_without_keras_and_matplotlib():
    code = (
        "import sys, seqtrain.reports.runs, seqtrain.reports.run_summary, seqtrain.reports.run_comparison,"
        " seqtrain.reports.run_curves;"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
