"""What a checkpoint holds, written and read."""

import json
import random
from dataclasses import replace

import keras
import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError
from seqtrain.training.callback_state import CallbackStates
from seqtrain.training.checkpoint_store import CheckpointInfo
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.recorder import Recorder
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.snapshot import RunObjects, Snapshot, restore, restore_generators, take_snapshot, take_state
from tests.conftest import CONFIGS
from tests.training.little_run import MARKS

pytestmark = MARKS

SAVED = [moment for moment in Moment if moment not in (Moment.RESUMING, Moment.VALIDATING)]


def compiled(units=1):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(units)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    model.train_on_batch(np.ones((4, 3)), np.ones((4, units)))
    return model


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    config = load_config(CONFIGS / "synthetic_sum.yaml").config
    stopping = keras.callbacks.EarlyStopping(monitor="loss", mode="min")
    states = CallbackStates(["early_stopping"], [stopping])
    recorder = Recorder(folder, "loss", "min")
    yield RunObjects(compiled(), recorder, states, None, config, 2, Progress(1, 4, 7, Moment.BATCH_BEGUN))
    folder.close()


def written(snapshot, folder):
    folder.mkdir()
    for name, content in snapshot.files().items():
        (folder / name).write_bytes(content)
    return CheckpointInfo(folder, {"best": snapshot.best})


@pytest.mark.parametrize("moment", SAVED)
def test_progress_is_read_as_it_was_written(tmp_path, run, moment):
    run.progress = Progress(1, 4, 7, moment)
    snapshot = take_snapshot(run.model, take_state(run), "step-00000003", tmp_path)
    read = Snapshot.read(written(snapshot, tmp_path / "step"))
    assert (read.progress, read.best) == (Progress(1, 4, 7, moment), "step-00000003")
    assert (read.state.rollbacks, read.state.stop_training) == (2, False)


def test_a_model_that_is_restored_trains_as_the_one_of_the_snapshot(tmp_path, run):
    checkpoint = written(take_snapshot(run.model, take_state(run), None, tmp_path), tmp_path / "step")
    expected, number = run.model.train_on_batch(np.ones((4, 3)), np.zeros((4, 1))), random.random()
    run.progress = replace(run.progress, moment=Moment.RESUMING)
    snapshot = Snapshot.read(checkpoint)
    restore_generators(snapshot.state)
    restore(snapshot, run)
    assert run.model.train_on_batch(np.ones((4, 3)), np.zeros((4, 1))) == expected
    assert random.random() == number
    assert run.progress == Progress(1, 4, 7, Moment.BATCH_BEGUN)


def test_a_snapshot_of_another_model_is_refused(tmp_path, run):
    snapshot = take_snapshot(run.model, take_state(run), None, tmp_path)
    run.model = compiled(units=2)
    with pytest.raises(CheckpointError, match="does not fit the model that the config describes"):
        restore(snapshot, run)


def test_a_document_of_the_earliest_runs_knows_no_patience(tmp_path, run):
    checkpoint = written(take_snapshot(run.model, take_state(run), None, tmp_path), tmp_path / "step")
    path = checkpoint.path / "state.json"
    document = json.loads(path.read_text())
    del document["patience"]
    path.write_text(json.dumps(document))
    assert list(Snapshot.read(checkpoint).state.patience) == []
