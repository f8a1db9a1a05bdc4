"""A frozen phase and a second one that trains all, in one run, broken off and gone on with."""

import h5py
import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.training.phases import phases_of
from tests.conftest import ROOT
from tests.training.resuming import MARKS, assert_alike, broken_off_at, history, run

pytestmark = MARKS

SETTINGS = [
    f"imports=[{ROOT}/tests/own/survivors.py, {ROOT}/tests/own/two_phases.py]",
    "model={name: two_phases, trainable: false}",
    "fine_tune={after: 2, trainable: true, learning_rate: 0.01}",
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phases")
    return folder, run(folder, *SETTINGS).result


def features(folder, checkpoint="last"):
    with h5py.File(folder / "run" / "checkpoints" / checkpoint / "model.weights.h5") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return next(file[name][:] for name in names if file[name].shape == (2, 8))


def test_the_first_phase_trains_the_head_alone_and_the_second_all_at_its_own_rate(tmp_path, reference):
    run(tmp_path / "one", *SETTINGS, "fit.epochs=1")
    run(tmp_path / "two", *SETTINGS, "fit.epochs=2")
    frozen = features(tmp_path / "one")
    assert np.array_equal(frozen, features(tmp_path / "two"))
    assert not np.array_equal(frozen, features(reference[0]))
    rows = history(reference[0])
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    # survivors_decays lowers the rate by a tenth as each epoch begins: 0.03 in the first phase, 0.01 in the second
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.027, 0.0243, 0.009, 0.0081])


@pytest.mark.parametrize(
    "at",
    [
        [("batch end", 0, 4), ("epoch end", 1, 0)],  # the last moment of the first phase
        [("epoch begin", 2, 0), ("batch end", 2, 5)],  # the first of the second
        [("test batch end", 1, 1), ("batch begin", 3, 3, 15)],
    ],
    ids=["end", "begin", "stop"],
)
def test_a_run_of_two_phases_that_was_broken_off_ends_as_one_that_was_not(tmp_path, reference, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at, settings=SETTINGS), reference)


def test_more_epochs_bring_the_second_phase(tmp_path, reference, caplog):
    assert run(tmp_path, *SETTINGS, "fit.epochs=2").result["status"] == "completed"
    assert "fine_tune.after: the run ends before it" in caplog.text
    assert_alike(tmp_path, run(tmp_path, *SETTINGS), reference)


def test_early_stopping_ends_one_phase_and_the_next_begins_with_the_best_weights(tmp_path):
    stop = ["callbacks=[early_stopping: {monitor: loss, min_delta: 9, patience: 1, restore_best_weights: true}]"]
    # a loss never falls by 9, so each phase ends after its second epoch
    result = run(tmp_path, *SETTINGS, *stop, "fine_tune.after=3", "fit.epochs=9").result
    assert (result["status"], result["epochs"]) == ("early_stopped", 4)


def test_a_phase_that_cannot_be_is_told_with_its_place(tmp_path):
    lines = "source: {name: synthetic_sum, num_samples: 9}\nsequence: arrays\nmodel: mlp\ncompile: {loss: mse}\n"
    (tmp_path / "a.yaml").write_text(lines + "fine_tune: {after: 2, learning_rate: 1e-3}\n")
    with pytest.raises(ConfigError, match=r"a.yaml:5:12  fine_tune: the model 'mlp' has no argument 'trainable'"):
        load_config(tmp_path / "a.yaml")
    model = lines.replace("model: mlp", "model: {name: backbone, backbone: MobileNet}")
    (tmp_path / "b.yaml").write_text(model + "fine_tune: {after: 2, trainable: some, learning_rate: {rate: 1}}\n")
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "b.yaml")
    assert "b.yaml:5:34  fine_tune.trainable" in str(raised.value)
    assert "fine_tune.learning_rate: a schedule needs a name" in str(raised.value)


def test_there_is_one_phase_without_fine_tune(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "source: {name: synthetic_sum, num_samples: 9}\nsequence: arrays\nmodel: mlp\ncompile: {loss: mse}\n"
    )
    loaded = load_config(tmp_path / "a.yaml")
    assert phases_of(loaded) == [loaded]
