"""A frozen phase and a second one that trains all, in one run, broken off and gone on with."""

import dataclasses

import h5py
import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.loading.pipeline import open_data
from seqtrain.splits import Split
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


def features(folder):
    return _weight(folder, (2, 8))


def head(folder):
    return _weight(folder, (8, 2))


def _weight(folder, shape):
    with h5py.File(folder / "run" / "checkpoints" / "last" / "model.weights.h5") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return next(file[name][:] for name in names if file[name].shape == shape)


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
        # The last moment of the first phase.
        pytest.param([("batch end", 0, 4), ("epoch end", 1, 0)], marks=pytest.mark.long),
        # The first of the second.
        pytest.param([("epoch begin", 2, 0), ("batch end", 2, 5)], marks=pytest.mark.long),
        [("test batch end", 1, 1), ("batch begin", 3, 3, 15)],
    ],
    ids=["end", "begin", "stop"],
)
def test_a_run_of_two_phases_that_was_broken_off_ends_as_one_that_was_not(tmp_path, reference, at):
    assert_alike(tmp_path, broken_off_at(tmp_path, *at, settings=SETTINGS), reference)


@pytest.mark.long
def test_more_epochs_bring_the_second_phase(tmp_path, reference, caplog):
    assert run(tmp_path, *SETTINGS, "fit.epochs=2").result["status"] == "completed"
    assert "fine_tune.after: the run ends before it" in caplog.text
    assert_alike(tmp_path, run(tmp_path, *SETTINGS), reference)


# A loss never falls by 9, so each phase ends after its second epoch, with the weights of its first.
STOPS = [
    *SETTINGS,
    "callbacks=[early_stopping: {monitor: loss, min_delta: 9, patience: 1, restore_best_weights: true}]",
]


@pytest.mark.long
def test_early_stopping_ends_one_phase_and_the_next_begins_with_the_best_weights(tmp_path):
    stops = [*STOPS, "fine_tune.after=3", "fine_tune.learning_rate=1e-30"]  # too little to change a weight
    result = run(tmp_path / "both", *stops, "fit.epochs=9").result
    assert (result["status"], result["epochs"]) == ("early_stopped", 4)
    run(tmp_path / "one", *STOPS, "fit.epochs=1")
    assert np.array_equal(head(tmp_path / "both"), head(tmp_path / "one"))
    run(tmp_path / "two", *STOPS, "fit.epochs=2", "fine_tune.after=3")
    assert not np.array_equal(head(tmp_path / "both"), head(tmp_path / "two"))


@pytest.mark.long
def test_a_run_that_stopped_early_in_its_first_phase_goes_on_with_the_second_where_more_epochs_bring_one(tmp_path):
    stops = [*STOPS, "fine_tune.after=3"]
    first = run(tmp_path / "more", *stops, "fit.epochs=3").result
    assert (first["status"], first["epochs"]) == ("early_stopped", 2)
    assert run(tmp_path / "more", *stops, "fit.epochs=3").result["status"] == "already_complete"
    more = run(tmp_path / "more", *stops, "fit.epochs=9").result
    at_once = run(tmp_path / "at_once", *stops, "fit.epochs=9").result
    assert (more["status"], more["epochs"]) == ("early_stopped", 4)
    assert more["weights_sha256"] == at_once["weights_sha256"]
    assert run(tmp_path / "more", *stops, "fit.epochs=12").result["status"] == "already_complete"


@pytest.mark.long
def test_the_best_model_of_both_phases_is_kept(tmp_path):
    path = tmp_path / "best.weights.h5"
    arguments = f"{{filepath: {path}, monitor: loss, save_best_only: true, save_weights_only: true}}"
    keeps = [*SETTINGS, f"callbacks=[model_checkpoint: {arguments}]"]
    run(tmp_path / "one", *keeps, "fit.epochs=2")
    best = path.read_bytes()
    run(tmp_path / "both", *keeps, "fine_tune.learning_rate=50")  # which spoils the model
    assert path.read_bytes() == best


def test_a_loss_that_is_nan_in_the_second_phase_goes_back_to_its_beginning_with_a_lower_rate(tmp_path, caplog):
    settings = [
        *SETTINGS,
        "compile.optimizer={name: sgd, learning_rate: 0.03}",
        "fine_tune.learning_rate=1e38",
        "on_nan={action: rollback, learning_rate_scale: 1e-39}",
    ]
    assert run(tmp_path, *settings).result["status"] == "completed"
    assert "rollback 1 of 3" in caplog.text
    rows = history(tmp_path)
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.027, 0.0243, 0.09, 0.081])


def test_another_second_phase_than_the_run_began_with_is_refused(tmp_path, reference):
    folder = reference[0]
    for changed in ("after=1", "trainable=2", "learning_rate=0.02"):
        with pytest.raises(CheckpointError, match=f"fine_tune.{changed.split('=')[0]}"):
            run(folder, *SETTINGS, f"fine_tune.{changed}")


def test_data_that_change_while_a_run_trains_are_not_taken_into_its_second_phase(tmp_path, monkeypatch):
    opened = []

    def open_changing(loaded):
        opened.append(open_data(loaded))
        data = opened[-1]
        changed = Split(data.split.train[1:], data.split.val)
        return data if len(opened) == 1 else dataclasses.replace(data, split=changed)

    monkeypatch.setattr("seqtrain.training.session.open_data", open_changing)
    with pytest.raises(CheckpointError, match="had another split"):
        run(tmp_path, *SETTINGS)
    assert len(opened) == 2


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
