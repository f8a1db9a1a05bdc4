"""Runs that are broken off and go on, in one process: what a kill leaves on the disk, without a start each time."""

import json
import signal

import numpy as np
import pytest

from seqtrain.errors import CheckpointError, DivergedError, InterruptedRunError, WorkerError
from seqtrain.training.final_plots import draw_final_plots
from tests.training.resuming import (
    MARKS,
    assert_alike,
    broken_off_at,
    history,
    load_config_once,
    moments,
    own_log,
    run,
    survivors,
)

pytestmark = MARKS

KILLS = [
    pytest.param(
        [("epoch begin", 0, 0), ("batch begin", 2, 6), ("batch end", 2, 8)], id="train", marks=pytest.mark.long
    ),
    pytest.param([("batch end", 0, 9), ("test batch end", 1, 1), ("epoch end", 2, 0)], id="everywhere"),
    pytest.param(
        [("epoch begin", 3, 0), ("test batch end", 3, 0), ("epoch end", 3, 0)], id="end", marks=pytest.mark.long
    ),
]
STOPS = [
    pytest.param(
        [
            ("batch end", 0, 4, signal.SIGINT),
            ("batch end", 1, 9, signal.SIGTERM),
            ("test batch end", 1, 2, signal.SIGTERM),
        ],
        id="train",
    ),
    pytest.param(
        [
            ("epoch end", 1, 0, signal.SIGINT),
            ("batch begin", 2, 3, signal.SIGTERM),
            ("epoch end", 3, 0, signal.SIGTERM),
        ],
        id="epoch",
        marks=pytest.mark.long,
    ),
]


@pytest.mark.parametrize("at", KILLS)
def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, whole, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at), whole())


def test_a_run_that_was_killed_before_its_first_checkpoint_has_no_epoch_twice(tmp_path, whole):
    assert_alike(tmp_path, broken_off_at(tmp_path, ("epoch end", 0, 0), settings=["checkpoint={}"]), whole())


@pytest.mark.parametrize("at", STOPS)
def test_a_run_that_signals_stopped_ends_as_one_that_was_not(tmp_path, whole, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at), whole())


def test_plots_whose_drawing_was_stopped_are_drawn_by_the_next_start(tmp_path, whole, monkeypatch):
    monkeypatch.setattr("seqtrain.training.run.draw_final_plots", draw_final_plots)
    load_config_once(tmp_path)
    moments().append(("train end", 3, 0, signal.SIGTERM))
    outcome = run(tmp_path)
    assert (outcome.exit_code, outcome.result["status"]) == (143, "interrupted")
    assert outcome.result["weights_sha256"] == whole()[1]["weights_sha256"]
    drawn = tmp_path / "run" / "plots" / "results.json"
    assert not drawn.exists()
    assert_alike(tmp_path, run(tmp_path), whole())
    assert drawn.exists()


def test_a_start_that_is_stopped_before_its_first_batch_says_which_weights_it_has(tmp_path, monkeypatch):
    load_config_once(tmp_path)
    moments().append(("batch end", 1, 4, signal.SIGTERM))
    first = run(tmp_path)
    with monkeypatch.context() as waiting:
        waiting.setattr("seqtrain.training.run.TrainingDataset", stopped_at_once)
        again = run(tmp_path)
    assert (again.exit_code, again.result["status"]) == (130, "interrupted")
    assert again.result["weights_sha256"] == first.result["weights_sha256"]


def stopped_at_once(*arguments):
    raise InterruptedRunError(signal.SIGINT)


@pytest.mark.long
def test_a_class_that_changes_at_the_end_of_an_epoch_goes_on_where_it_was(tmp_path, whole):
    at = [("batch end", 2, 5), ("batch end", 3, 7)]
    assert_alike(tmp_path, broken_off_at(tmp_path, *at, sequence="survivors_changing"), whole("survivors_changing"))


def test_a_batch_that_cannot_be_read_costs_none_before_it(tmp_path, whole):
    load_config_once(tmp_path)
    bad = survivors()["BAD"]
    bad.append((1, 7))
    saved = []
    for _ in range(2):
        with pytest.raises(WorkerError, match="this file is damaged"):
            run(tmp_path, "checkpoint={}", sequence="survivors_changing")
        saved.append(sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("step-*")))
    last = json.loads((tmp_path / "run" / "checkpoints" / "last" / "state.json").read_text())
    assert last["epoch"] == 1
    assert last["batch"] > 0
    assert saved[0] == saved[1]  # nothing more was done
    bad.clear()
    outcome = run(tmp_path, "checkpoint={}", sequence="survivors_changing")
    assert_alike(tmp_path, outcome, whole("survivors_changing"))


def test_a_stop_while_validating_goes_on_with_the_validation_alone(tmp_path):
    broken = (*("test batch end", 1, 1), signal.SIGTERM)
    load_config_once(tmp_path)
    moments().append(broken)
    run(tmp_path)
    state = json.loads((tmp_path / "run" / "checkpoints" / "last" / "state.json").read_text())
    assert (state["epoch"], state["batch"]) == (1, 10)


@pytest.mark.long
def test_what_keras_logs_itself_goes_on_too(tmp_path, whole):
    broken_off_at(tmp_path, ("batch end", 1, 9), ("batch end", 2, 4))
    assert own_log(tmp_path) == own_log(whole()[0])


def test_more_epochs_continue_a_finished_run(tmp_path, whole):
    assert run(tmp_path, "fit.epochs=2").result["status"] == "completed"
    assert run(tmp_path, "fit.epochs=2").result["status"] == "already_complete"
    assert_alike(tmp_path, run(tmp_path), whole())


@pytest.mark.long
def test_more_patience_continues_a_run_that_was_stopped_early(tmp_path):
    options = ["fit.epochs=6", "callbacks.2.early_stopping.min_delta=0.9"]
    stopped = run(tmp_path, *options, "callbacks.2.early_stopping.patience=1")
    assert (stopped.result["status"], stopped.result["epochs"]) == ("early_stopped", 2)
    again = run(tmp_path, *options, "callbacks.2.early_stopping.patience=1", "fit.epochs=8")
    assert again.result["status"] == "already_complete"
    longer = run(tmp_path, *options, "callbacks.2.early_stopping.patience=3")
    assert (longer.result["status"], longer.result["epochs"]) == ("early_stopped", 4)
    folder = tmp_path / "reference"
    reference = run(folder, *options, "callbacks.2.early_stopping.patience=3")
    assert longer.result["weights_sha256"] == reference.result["weights_sha256"]


def test_a_run_that_stopped_early_and_was_killed_before_it_could_say_so_has_nothing_left_to_train(tmp_path):
    settings = ["callbacks.2.early_stopping.min_delta=0.9", "callbacks.2.early_stopping.patience=1"]
    first = run(tmp_path, *settings)
    (tmp_path / "run" / "result.json").unlink()
    again = run(tmp_path, *settings)
    assert again.result == first.result


def test_another_learning_rate_is_refused_with_the_lines_of_both_files(tmp_path):
    load_config_once(tmp_path)
    moments().append(("epoch begin", 1, 0, signal.SIGTERM))
    run(tmp_path)
    with pytest.raises(CheckpointError, match=r"compile\.optimizer\.learning_rate") as raised:
        run(tmp_path, "compile.optimizer.learning_rate=0.1")
    assert raised.value.exit_code == 4


def test_a_nan_loss_names_the_batch_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(DivergedError, match=r"the loss became nan in batch \d+ of epoch 0") as raised:
        run(tmp_path, "compile.optimizer={name: sgd, learning_rate: 1e38}")
    assert raised.value.exit_code == 7


def test_a_nan_loss_of_a_validation_names_its_batch(tmp_path, monkeypatch):
    load_config_once(tmp_path)
    take = survivors()["Plain"].__getitem__

    def taken(sequence, index):
        x, y = take(sequence, index)
        # Infinite and not NaN, of which some processors' relu makes 0.
        return (np.full_like(x, np.inf) if len(sequence.x) == 36 and index == 2 else x), y

    monkeypatch.setattr(survivors()["Plain"], "__getitem__", taken)
    with pytest.raises(DivergedError, match="the validation loss became nan in batch 2 of epoch 0"):
        run(tmp_path, "fit.workers=0")


def test_a_run_goes_back_when_its_loss_is_nan_and_on_with_a_lower_rate(tmp_path, caplog):
    settings = [
        "compile.optimizer={name: sgd, learning_rate: 1e38}",
        "on_nan.action=rollback",
        "on_nan.learning_rate_scale=1e-39",
    ]
    outcome = run(tmp_path, *settings)
    assert outcome.result["status"] == "completed"
    assert "rollback 1 of 3" in caplog.text
    assert [row["epoch"] for row in history(tmp_path)] == ["0", "1", "2", "3"]


def test_a_loss_that_stays_nan_ends_the_run_after_the_rollbacks_that_were_allowed(tmp_path):
    settings = ["compile.optimizer={name: sgd, learning_rate: 1e38}", "on_nan={action: rollback, max: 2}"]
    with pytest.raises(DivergedError, match="after 2 rollbacks"):
        run(tmp_path, *settings)


@pytest.mark.long
def test_a_schedule_is_scaled_when_a_run_goes_back(tmp_path):
    schedule = "{name: exponential_decay, initial_learning_rate: 1e30, decay_steps: 5, decay_rate: 0.9}"
    settings = [
        f"compile.optimizer={{name: sgd, learning_rate: {schedule}}}",
        "on_nan={action: rollback, learning_rate_scale: 1e-31}",
    ]
    off = ["callbacks=[csv_logger: {filename: '{run_dir}/own.csv'}]"]
    outcome = run(tmp_path, *settings, *off)
    assert outcome.result["status"] == "completed"
    assert float(history(tmp_path)[0]["learning_rate"]) == pytest.approx(0.1 * 0.9 ** (10 / 5), rel=1e-3)


def test_fewer_epochs_than_were_begun_are_refused(tmp_path):
    load_config_once(tmp_path)
    moments().append(("batch end", 2, 5, signal.SIGTERM))
    run(tmp_path)
    with pytest.raises(CheckpointError, match="the run is in its epoch 3 already"):
        run(tmp_path, "fit.epochs=2")
    assert run(tmp_path, "fit.epochs=3").result["epochs"] == 3
