"""How a run is begun, gone on with and ended, around the training itself."""

import contextlib
import errno
import json
import logging
import shutil
from logging.handlers import MemoryHandler
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from seqtrain.errors import CheckpointError, ConfigError, ResourceError, RunFolderBusyError
from seqtrain.training.checkpoint_store import CheckpointStore
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.run_log import log_to
from seqtrain.training.sanity_check import suggest_fix, warn_of_untrained
from tests.training.resuming import MARKS, assert_alike, load_config_once, moments, run, survivors

pytestmark = MARKS

STOPS = ["fit.epochs=6", "callbacks.2.early_stopping.min_delta=0.9"]  # an accuracy never rises by so much
STEPS = "fit.validation_steps=99"  # more than there are
PATIENCE = "callbacks.2.early_stopping.patience"


@pytest.fixture
def full_disk(monkeypatch):
    """Has saves of some steps fail, each as often as is said."""
    commit, left = CheckpointStore.commit, {}

    def failing(store, step, *arguments, **options):
        if left.get(step, 0):
            left[step] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return commit(store, step, *arguments, **options)

    monkeypatch.setattr(CheckpointStore, "commit", failing)
    return left


@pytest.fixture(scope="module")
def first_epoch(tmp_path_factory):
    """A run of one epoch; `fit.epochs` may be raised."""
    folder = tmp_path_factory.mktemp("first_epoch")
    run(folder, "fit.epochs=1", STEPS)
    return folder


@pytest.fixture
def trained(first_epoch, tmp_path):
    """A copy of it."""
    shutil.copytree(first_epoch, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def last(folder):
    return json.loads((folder / "run" / "checkpoints" / "last" / "manifest.json").read_text())


def test_what_is_told_while_the_data_is_opened_is_in_the_log(first_epoch):
    assert "batches to validate on; all are used" in (first_epoch / "run" / "train.log").read_text()


def test_a_corrupt_checkpoint_is_told_in_the_log(trained):
    (trained / "run" / "checkpoints" / "last" / "state.json").write_text("{}")
    run(trained, "fit.epochs=2", STEPS)
    assert "corrupt and put aside" in (trained / "run" / "train.log").read_text()


def test_a_config_may_be_mended_as_long_as_no_checkpoint_was_kept(tmp_path):
    with pytest.raises(ConfigError, match="do not fit the batches"):
        run(tmp_path, "compile.loss=categorical_crossentropy", "split.train=0.8", "fit.epochs=1")
    assert run(tmp_path, "fit.epochs=1").exit_code == 0
    split = json.loads((tmp_path / "run" / "split.json").read_text())
    assert split["num_train"] == 84  # of 120, by the share of 0.7
    with pytest.raises(CheckpointError, match="split.train: is not what the run in this folder began with"):
        run(tmp_path, "split.train=0.8", "fit.epochs=2")


def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew(trained):
    shutil.rmtree(trained / "run" / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint to go on from"):
        run(trained, "fit.epochs=2", STEPS)
    (trained / "run" / "result.json").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint to go on from"):
        run(trained, "fit.epochs=2", STEPS, resume="must")


def test_a_damaged_result_is_written_anew(trained):
    path = trained / "run" / "result.json"
    result = json.loads(path.read_text())
    path.write_text("{")
    again = run(trained, "fit.epochs=1", STEPS).result
    assert again["weights_sha256"] == result["weights_sha256"]
    assert json.loads(path.read_text())["epochs"] == 1


@pytest.mark.parametrize(
    ("loss", "y", "fix"),
    [
        ("mse", np.zeros((4, 8, 8), np.uint8), "dice_cross_entropy"),
        ("mse", np.zeros(4, np.int64), "sparse_categorical_crossentropy"),
        ("sparse_categorical_crossentropy", np.zeros(4, np.int64), "accuracy"),
        ("mse", {"price": np.zeros(4), "sold": np.zeros(4, np.int64)}, "each output"),
        ("sparse_categorical_crossentropy", np.zeros(4, np.float32), "mean_squared_error"),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(loss, y, fix):
    assert fix in suggest_fix(loss, (np.zeros((4, 2), np.float32), y))


@pytest.mark.parametrize(
    ("y", "width", "fix"),
    [
        (None, 3, "return (x, y)"),
        ([[1, 1, 0], [0, 0, 0]], 1, "the targets have 3 numbers and the model puts out 1"),
        ([[1, 1, 0], [0, 0, 0]], 3, "binary_crossentropy"),
        ([[0, 1, 0], [1, 0, 0]], 3, "one-hot labels need"),
    ],
)
def test_targets_of_several_numbers_are_told_apart(y, width, fix):
    x = np.zeros((2, 4), np.float32)
    batch = (x,) if y is None else (x, np.array(y, np.float32))
    assert fix in suggest_fix("categorical_crossentropy", batch, (None, width))


def test_an_output_without_a_loss_is_told(caplog):
    model = SimpleNamespace(output={"price": None, "kind": None}, output_names=["head_1_price", "head_2_kind"])
    for loss, told in (({"price": "mse"}, ["compile.loss: not trained, as it has no loss: kind"]), ("mse", [])):
        caplog.clear()
        warn_of_untrained(SimpleNamespace(config=SimpleNamespace(compile=SimpleNamespace(loss=loss))), model)
        assert caplog.messages == told


def test_a_start_that_is_refused_or_has_nothing_to_do_is_not_in_the_log(trained, caplog):
    caplog.set_level(logging.DEBUG, "seqtrain")
    log = trained / "run" / "train.log"
    told = log.read_text()
    with pytest.raises(CheckpointError):
        run(trained, "fit.epochs=1", STEPS, "batch_size=4")
    with pytest.raises(CheckpointError):
        run(trained, "fit.epochs=1", STEPS, resume="never")
    assert run(trained, "fit.epochs=1", STEPS).result["status"] == "already_complete"
    assert log.read_text() == told


def test_a_log_that_takes_no_more_ends_no_run():
    with log_to(Path("/dev/full"), MemoryHandler(1)):
        logging.getLogger("seqtrain").warning("the disk is full")


def test_a_folder_in_use_is_told_before_the_data_is_listed(tmp_path, monkeypatch):
    run(tmp_path, "fit.epochs=1")
    monkeypatch.setattr("seqtrain.training.session.open_data", lambda loaded: pytest.fail("the data is listed"))
    with contextlib.closing(RunFolder(tmp_path / "run")), pytest.raises(RunFolderBusyError):
        run(tmp_path)


def test_more_patience_continues_a_run_also_where_that_is_killed_at_once(tmp_path):
    assert run(tmp_path, *STOPS, f"{PATIENCE}=1").result["epochs"] == 2
    moments().append(("epoch begin", 2, 0))
    with pytest.raises(survivors()["BrokenOffError"]):
        run(tmp_path, *STOPS, f"{PATIENCE}=3")
    longer = run(tmp_path, *STOPS, f"{PATIENCE}=3").result
    assert (longer["status"], longer["epochs"]) == ("early_stopped", 4)


@pytest.mark.parametrize(
    "change", [f"{PATIENCE}=1", pytest.param("callbacks.2.early_stopping.verbose=1", marks=pytest.mark.long)]
)
def test_a_run_that_stopped_early_trains_no_more_where_nothing_lets_it(tmp_path, change):
    first = run(tmp_path, *STOPS, f"{PATIENCE}=2").result
    again = run(tmp_path, *STOPS, f"{PATIENCE}=2", change).result
    assert first["epochs"] == 3
    assert {**again, "status": ""} == {**first, "status": ""}


@pytest.mark.long
def test_the_end_of_a_run_is_saved_at_the_second_try(tmp_path, full_disk, whole):
    full_disk[40] = 1
    assert_alike(tmp_path, run(tmp_path), whole())
    assert last(tmp_path)["epoch"] == 4


def test_a_run_whose_end_could_not_be_saved_is_not_complete_but_trains_what_is_lacking(
    tmp_path, full_disk, whole, caplog
):
    full_disk[40] = 2
    outcome = run(tmp_path)
    assert (outcome.exit_code, outcome.result["weights_sha256"]) == (0, whole()[1]["weights_sha256"])
    assert "start it again" in caplog.text
    assert last(tmp_path)["epoch"] == 3
    assert_alike(tmp_path, run(tmp_path), whole())
    assert last(tmp_path)["epoch"] == 4
    assert run(tmp_path).result["status"] == "already_complete"


def test_a_model_that_memory_does_not_hold_is_told_with_a_batch_size_to_try(tmp_path):
    with pytest.raises(ResourceError, match="out of memory") as raised:
        run(tmp_path, "model={name: mlp, units: [20000000, 20000000]}")  # 1.6 PB, more than a process can address
    assert raised.value.mistakes[0].fix == "try -s batch_size=4, or make the model smaller"


def test_a_worker_without_memory_is_told_with_a_batch_size_to_try(tmp_path, monkeypatch):
    load_config_once(tmp_path)
    plain = survivors()["Plain"]
    made, take = [], plain.__getitem__

    def takes(sequence, index):
        made.append(index)
        if len(made) > 5:  # behind those that the model is built for
            raise MemoryError("no room")
        return take(sequence, index)

    monkeypatch.setattr(plain, "__getitem__", takes)
    with pytest.raises(ResourceError, match="out of memory: no room") as raised:
        run(tmp_path, "fit.epochs=1", "fit.workers=0")
    assert raised.value.mistakes[0].fix.startswith("try -s batch_size=4, or lower fit.workers")
