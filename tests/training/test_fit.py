"""How a run is begun, gone on with and ended, around the training itself."""

import contextlib
import logging
from logging.handlers import MemoryHandler
from pathlib import Path

import pytest

from seqtrain.errors import RunFolderBusyError
from seqtrain.training.fit import _log_to
from seqtrain.training.run_folder import RunFolder
from tests.training.resuming import MARKS, moments, run, survivors

pytestmark = MARKS

STOPS = ["fit.epochs=6", "callbacks.2.early_stopping.min_delta=0.9"]  # an accuracy never rises by so much
PATIENCE = "callbacks.2.early_stopping.patience"


def test_what_is_told_while_the_data_is_opened_is_in_the_log(tmp_path):
    run(tmp_path, "fit.epochs=1", "fit.validation_steps=99")
    assert "batches to validate on; all are used" in (tmp_path / "run" / "train.log").read_text()


def test_a_corrupt_checkpoint_is_told_in_the_log(tmp_path):
    run(tmp_path, "fit.epochs=1")
    (tmp_path / "run" / "checkpoints" / "last" / "state.json").write_text("{}")
    run(tmp_path, "fit.epochs=2")
    assert "corrupt and put aside" in (tmp_path / "run" / "train.log").read_text()


def test_a_log_that_takes_no_more_ends_no_run():
    with _log_to(Path("/dev/full"), MemoryHandler(1)):
        logging.getLogger("seqtrain").warning("the disk is full")


def test_a_folder_in_use_is_told_before_the_data_is_listed(tmp_path, monkeypatch):
    run(tmp_path, "fit.epochs=1")
    monkeypatch.setattr("seqtrain.training.fit.open_data", lambda loaded: pytest.fail("the data is listed"))
    with contextlib.closing(RunFolder(tmp_path / "run")), pytest.raises(RunFolderBusyError):
        run(tmp_path)


def test_more_patience_continues_a_run_also_where_that_is_killed_at_once(tmp_path):
    assert run(tmp_path, *STOPS, f"{PATIENCE}=1").result["epochs"] == 2
    moments().append(("epoch begin", 2, 0))
    with pytest.raises(survivors()["BrokenOffError"]):
        run(tmp_path, *STOPS, f"{PATIENCE}=3")
    longer = run(tmp_path, *STOPS, f"{PATIENCE}=3").result
    assert (longer["status"], longer["epochs"]) == ("early_stopped", 4)


@pytest.mark.parametrize("change", [f"{PATIENCE}=1", "callbacks.2.early_stopping.verbose=1"])
def test_a_run_that_stopped_early_trains_no_more_where_nothing_lets_it(tmp_path, change):
    first = run(tmp_path, *STOPS, f"{PATIENCE}=2").result
    again = run(tmp_path, *STOPS, f"{PATIENCE}=2", change).result
    assert first["epochs"] == 3
    assert {**again, "status": ""} == {**first, "status": ""}
