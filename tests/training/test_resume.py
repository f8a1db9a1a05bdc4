"""Runs that are broken off and go on, in one process: what a kill leaves on the disk, without a start each time."""

import csv
import json
import signal

import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError, DivergedError
from seqtrain.training.fit import fit
from seqtrain.training.options import FitOptions
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"),  # Keras's own
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # files of runs that were broken off
]

CONFIG = f"""
version: 1
seed: 5
imports: [{ROOT}/tests/own/survivors.py]
source: survivors_points
split: {{train: 0.7, by: stratified}}
sequence: SEQUENCE
batch_size: 8
model: survivors_noisy
compile:
  optimizer: {{name: adam, learning_rate: 3e-2}}
  loss: sparse_categorical_crossentropy
  metrics: [accuracy]
  steps_per_execution: 1
fit: {{epochs: 4, workers: 1}}
checkpoint: 3
callbacks:
  - survivors_decays
  - reduce_lr_on_plateau: {{monitor: val_loss, patience: 1, cooldown: 1, factor: 0.5, min_delta: 0.05}}
  - early_stopping: {{monitor: val_accuracy, patience: 3, restore_best_weights: true}}
  - csv_logger: {{filename: "{{run_dir}}/own.csv"}}
  - survivors_breaks_off
"""


@pytest.fixture(autouse=True)
def nothing_left():
    """Nothing of one test is left for the next."""
    import keras

    yield
    keras.utils.clear_session()
    moments().clear()


def survivors():
    """The names of the file with the components, as the config's import loaded it."""
    from seqtrain.registry import callbacks

    return callbacks.get("survivors_breaks_off").load().at.__globals__


def moments():
    return survivors()["MOMENTS"]


def run(folder, *settings, sequence="survivors_plain", resume="auto"):
    """A run in a folder, as the command line makes one."""
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(CONFIG.replace("SEQUENCE", sequence))
    loaded = load_config(folder / "config.yaml", list(settings))
    return fit(loaded, FitOptions(folder / "run", resume, "none", ["seqtrain", "fit", "config.yaml"]))


def broken_off_at(folder, *at, **options):
    """A run that is broken off at moments, one after another, and then goes on to its end."""
    load_config_once(folder)
    for moment in at:
        moments().append(moment)
        if len(moment) == 4:
            outcome = run(folder, **options)
            assert outcome.exit_code == 128 + moment[3]
            assert outcome.result["status"] == "interrupted"
        else:
            with pytest.raises(survivors()["BrokenOffError"]):
                run(folder, **options)
        assert not moments(), "the moment never came"
    return run(folder, **options)


def load_config_once(folder):
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(CONFIG.replace("SEQUENCE", "survivors_plain"))
    load_config(folder / "config.yaml")


def history(folder):
    """The history without what the clock says."""
    with (folder / "run" / "history.csv").open() as file:
        return [
            {k: v for k, v in row.items() if k not in ("samples_per_s", "data_wait")} for row in csv.DictReader(file)
        ]


def own_log(folder):
    """What Keras's own CSVLogger wrote, as the other callbacks were told of it."""
    with (folder / "run" / "own.csv").open() as file:
        return [
            {k: v for k, v in row.items() if k not in ("samples_per_s", "data_wait")} for row in csv.DictReader(file)
        ]


def lines(folder):
    rows = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("samples_per_s", "data_wait", "time")} for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Runs that nothing interrupted, by sequence."""
    runs = {}

    def get(sequence="survivors_plain"):
        if sequence not in runs:
            folder = tmp_path_factory.mktemp(sequence)
            runs[sequence] = folder, run(folder, sequence=sequence).result
        return runs[sequence]

    return get


def assert_alike(folder, outcome, whole):
    reference, result = whole
    assert outcome.exit_code == 0
    for key in ("status", "epochs", "weights_sha256", "best"):
        assert outcome.result[key] == result[key], key
    assert history(folder) == history(reference)
    assert lines(folder) == lines(reference)
    assert {row["epoch"]: row for row in own_log(folder)} == {row["epoch"]: row for row in own_log(reference)}
    assert (folder / "run" / "checkpoints" / "best" / "model.weights.h5").is_file()


KILLS = [
    [("epoch begin", 0, 0), ("batch begin", 2, 6), ("batch end", 2, 8)],
    [("batch end", 0, 9), ("test batch end", 1, 1), ("epoch end", 2, 0)],
    [("epoch begin", 3, 0), ("test batch end", 3, 0), ("epoch end", 3, 0)],
]
STOPS = [
    [
        ("batch end", 0, 4, signal.SIGINT),
        ("batch end", 1, 9, signal.SIGTERM),
        ("test batch end", 1, 2, signal.SIGTERM),
    ],
    [("epoch end", 1, 0, signal.SIGINT), ("batch begin", 2, 3, signal.SIGTERM), ("epoch end", 3, 0, signal.SIGTERM)],
]


@pytest.mark.parametrize("at", KILLS, ids=["train", "everywhere", "end"])
def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, whole, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at), whole())


@pytest.mark.parametrize("at", STOPS, ids=["train", "epoch"])
def test_a_run_that_signals_stopped_ends_as_one_that_was_not(tmp_path, whole, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at), whole())


def test_a_class_that_changes_at_the_end_of_an_epoch_goes_on_where_it_was(tmp_path, whole):
    at = [("batch end", 2, 5), ("batch end", 3, 7)]
    assert_alike(tmp_path, broken_off_at(tmp_path, *at, sequence="survivors_changing"), whole("survivors_changing"))


def test_a_stop_while_validating_goes_on_with_the_validation_alone(tmp_path):
    broken = (*("test batch end", 1, 1), signal.SIGTERM)
    load_config_once(tmp_path)
    moments().append(broken)
    run(tmp_path)
    state = json.loads((tmp_path / "run" / "checkpoints" / "last" / "state.json").read_text())
    assert (state["epoch"], state["batch"]) == (1, 10)


def test_what_keras_logs_itself_goes_on_too(tmp_path, whole):
    broken_off_at(tmp_path, ("batch end", 1, 9), ("batch end", 2, 4))
    assert own_log(tmp_path) == own_log(whole()[0])


def test_more_epochs_continue_a_finished_run(tmp_path, whole):
    assert run(tmp_path, "fit.epochs=2").result["status"] == "completed"
    assert run(tmp_path, "fit.epochs=2").result["status"] == "already_complete"
    assert_alike(tmp_path, run(tmp_path), whole())


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
