import csv
import json

import keras
import pytest

from seqtrain.training.recorder import Recorder
from seqtrain.training.run_folder import RunFolder
from tests.training.little_run import MARKS

pytestmark = MARKS


@pytest.fixture
def recorder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    made = Recorder(folder, "loss", "min")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    made.set_model(model)
    yield made
    folder.close()


def epochs(recorder):
    lines = [json.loads(line)["epoch"] for line in recorder.folder.metrics.read_text().splitlines()]
    with recorder.folder.history.open() as file:
        return lines, [int(row["epoch"]) for row in csv.DictReader(file)]


def test_epochs_that_could_not_be_written_are_in_the_files_after_the_next_one(recorder):
    recorder.on_epoch_end(0, {"loss": 3.0})
    for path in (recorder.folder.metrics, recorder.folder.history):
        path.unlink()
        path.mkdir()  # which takes no lines, as a full disk does not
    recorder.on_epoch_end(1, {"loss": 2.0})
    for path in (recorder.folder.metrics, recorder.folder.history):
        path.rmdir()
    recorder.on_epoch_end(2, {"loss": 1.0})
    recorder.on_epoch_end(3, {"loss": 1.0})
    assert epochs(recorder) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_a_run_that_begins_anew_begins_without_a_history(recorder):
    recorder.on_epoch_end(0, {"loss": 3.0})
    recorder.begin()
    assert not recorder.folder.metrics.exists()
    assert not recorder.folder.history.exists()
