import json
import shutil

import keras
import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import DataError
from seqtrain.inference.evaluation import evaluate
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.keras_private import mean_over_samples
from seqtrain.training.keras_objects import compile_model
from seqtrain.training.predictions import predicted_batches
from tests.conftest import seqtrain
from tests.training.little_run import MARKS, history, little_run

pytestmark = MARKS


@pytest.mark.parametrize("which", ["best", "last"])
def test_validation_gives_the_numbers_that_fit_logged_for_the_epoch_of_the_checkpoint(which):
    run = TrainedRun(little_run(), which=which)
    found = evaluate(run)
    logged = history(little_run())[run.epoch]
    assert found.metrics == {name: logged[f"val_{name}"] for name in ("accuracy", "loss")}
    assert (found.split, found.samples, found.source) == ("val", 12, None)


def test_all_samples_give_what_both_sides_give_weighted_by_their_samples():
    run = TrainedRun(little_run())
    train, val, everything = (evaluate(run, part) for part in ("train", "val", "all"))
    assert (train.samples, val.samples, everything.samples) == (24, 12, 36)
    for name in ("accuracy", "loss"):
        mean = (24 * train.metrics[name] + 12 * val.metrics[name]) / 36
        assert everything.metrics[name] == pytest.approx(mean, rel=1e-4)


def test_accuracy_is_what_scikit_learn_counts_from_the_predictions():
    metrics = pytest.importorskip("sklearn.metrics")
    run = TrainedRun(little_run())
    batches = list(predicted_batches(run.model, run.sequence("train"), run.data))
    y = np.concatenate([each.batch[1] for each in batches])
    outputs = np.concatenate([each.outputs[""] for each in batches]).astype(np.float64)
    outputs /= outputs.sum(axis=1, keepdims=True)
    found = evaluate(run, "train").metrics
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(y, outputs.argmax(axis=1)))
    assert found["loss"] == pytest.approx(metrics.log_loss(y, outputs), rel=1e-4)


def test_another_source_is_evaluated_whole_and_by_name(tmp_path):
    shutil.copytree(little_run().parent / "pictures", tmp_path / "pictures")
    run = TrainedRun(little_run(), [f"source.path={tmp_path / 'pictures'}"])
    found = evaluate(run)
    assert (found.split, found.samples) == ("all", 36)
    assert found.metrics == evaluate(TrainedRun(little_run()), "all").metrics
    assert found.text().splitlines()[0].endswith(f": 36 samples of source.path={tmp_path / 'pictures'}")


def test_bad_samples_end_an_evaluation_or_are_counted_as_the_config_says(tmp_path):
    shutil.copytree(little_run().parent / "pictures", tmp_path / "pictures")
    (tmp_path / "pictures" / "dark" / "03.png").write_bytes(b"nothing")
    setting = f"source.path={tmp_path / 'pictures'}"
    with pytest.raises(DataError, match="not an image"):
        evaluate(TrainedRun(little_run(), [setting]))
    skipping = TrainedRun(little_run(), [setting, "on_bad_sample={action: skip, max: 1}"])
    assert evaluate(skipping).bad_samples == 1


@pytest.mark.slow
def test_the_command_prints_one_document_and_refuses_other_folders_with_4(tmp_path):
    done = seqtrain("evaluate", little_run(), "--json", "--out", tmp_path / "e.json")
    assert done.code == 0
    assert done.json["status"] == "evaluated"
    assert done.json["metrics"].keys() == {"accuracy", "loss"}
    assert json.loads((tmp_path / "e.json").read_text()) == done.json
    assert seqtrain("evaluate", little_run(), "--out", tmp_path).code == 2
    refused = seqtrain("evaluate", tmp_path, "--json")
    assert (refused.code, refused.json["exit_code"]) == (4, 4)


@pytest.mark.parametrize("batch_size", [5, 4, 2])
def test_losses_of_single_outputs_are_means_over_samples_whatever_the_last_batch_holds(batch_size):
    x = keras.Input((1,))
    model = keras.Model(x, {"a": keras.layers.Identity(name="a")(x), "b": keras.layers.Identity(name="b")(x)})
    model.compile(loss={"a": "mse", "b": "mae"}, loss_weights={"a": 2.0, "b": 1.0})
    mean_over_samples(model)
    values = np.array([[1.0], [2.0], [3.0], [4.0], [50.0]], np.float32)
    zeros = np.zeros_like(values)
    found = model.evaluate(values, {"a": zeros, "b": zeros}, batch_size=batch_size, verbose=0, return_dict=True)
    assert found == pytest.approx({"a_loss": 506.0, "b_loss": 12.0, "loss": 1024.0})


def test_a_model_that_compiles_itself_otherwise_is_left_alone():
    class Own(keras.Model):
        def compile(self, optimizer, **of_the_config):
            super().compile(optimizer=optimizer)

    loaded = load_config(little_run() / "config.yaml")
    compile_model(Own(), loaded, {})
