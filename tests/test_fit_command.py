"""`seqtrain fit` as people and scripts use it: JSON, exit codes, and what is left in the run folder."""

import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import open_data
from seqtrain.training.run_folder import RunFolder
from tests.conftest import CONFIGS, seqtrain, seqtrain_from_scratch

# Settings with which no worker process imports Keras.
NO_KERAS = ["-s", "imports=[./my_data.py]", "-s", "callbacks=[]"]


def test_a_callback_that_fails_ends_with_1_its_traceback_and_a_document(points):
    (points.parent / "broken.py").write_text(
        "import keras\nfrom seqtrain.registry import callbacks\n"
        "@callbacks.register('broken')\nclass Broken(keras.callbacks.Callback):\n"
        "    def on_train_begin(self, logs=None):\n        raise RuntimeError('not today')\n"
    )
    settings = ["-s", "imports=[./my_data.py, ./my_components.py, ./broken.py]", "-s", "callbacks=[broken]"]
    done = seqtrain("fit", points, *settings, "--json", cwd=points.parent)
    assert done.code == 1
    assert "Traceback" in done.err
    assert (done.json["status"], done.json["exit_code"]) == ("failed", 1)
    assert done.json["mistakes"][0]["message"] == "RuntimeError: not today"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three epochs, finished."""
    folder = tmp_path_factory.mktemp("finished")
    source = CONFIGS.parent / "tests" / "own"
    for name in ("points.yaml", "my_data.py", "my_components.py"):
        (folder / name).write_text((source / name).read_text())
    done = seqtrain_from_scratch("fit", "points.yaml", "--run-dir", "run", "--json", cwd=folder)
    assert done.code == 0, done.err
    return folder, done


def test_fit_prints_one_document_and_keeps_it(finished):
    folder, done = finished
    result = done.json
    assert set(result) == {"status", "run_dir", "epochs", "metrics", "best", "weights_sha256"}
    assert result["status"] == "completed"
    assert result["epochs"] == 3
    assert result["best"]["monitor"] == "val_loss"
    assert json.loads((folder / "run" / "result.json").read_text()) == result


def test_what_a_users_callback_prints_does_not_reach_the_document(finished):
    _, done = finished
    assert "epoch 2 seen by my own callback" in done.err


def test_in_a_pipe_progress_is_one_line_an_epoch(finished):
    _, done = finished
    lines = [line for line in done.err.splitlines() if line.startswith("Epoch ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("val_loss: " in line for line in lines)
    assert "\r" not in done.err


def test_the_screen_is_free_of_the_chatter_of_libraries(finished):
    folder, done = finished
    assert "oneDNN" not in done.err
    assert "rebuild TensorFlow" not in done.err
    assert "run folder" in (folder / "run" / "train.log").read_text()


def test_batches_with_predictions_are_shown_without_the_chatter_of_libraries(finished):
    folder, _ = finished
    done = seqtrain("inspect-batches", "--run", "run", "--out", "batches", cwd=folder)
    assert done.code == 0
    assert set(done.err.splitlines()) <= {"starting Keras"}


def test_the_run_folder_holds_what_was_agreed(finished):
    folder, done = finished
    run = folder / "run"
    for name in (
        *("config.yaml", "meta.json", "split.json", "history.csv", "metrics.jsonl", "train.log", "result.json"),
        *("checkpoints/last/model.weights.h5", "checkpoints/best/model.weights.h5"),
        *("plots/loss.png", "plots/accuracy.png", "plots/confusion_matrix.png"),
    ):
        assert (run / name).is_file()
    assert not any("unfinished" in path.name for path in run.rglob("*"))
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert float(rows[2]["val_loss"]) == done.json["metrics"]["val_loss"]
    split = json.loads((run / "split.json").read_text())
    assert sorted(split["train"] + split["val"]) == list(range(200))
    meta = json.loads((run / "meta.json").read_text())
    assert meta["argv"][1:3] == ["fit", "points.yaml"]
    assert meta["devices"]


def test_the_kept_config_makes_the_same_run(finished):
    folder, done = finished
    again = seqtrain("fit", "run/config.yaml", "--run-dir", "again", "--json", "-s", "fit.workers=0", cwd=folder)
    assert again.code == 0, again.err
    assert again.json["weights_sha256"] == done.json["weights_sha256"]


def test_weights_sha256_is_the_hash_of_the_saved_weights(finished):
    folder, done = finished
    import h5py

    digest = hashlib.sha256()
    with h5py.File(folder / "run" / "checkpoints" / "last" / "model.weights.h5") as file:
        for layer in ("dense", "dense_1"):
            for number in ("0", "1"):
                digest.update(np.asarray(file["layers"][layer]["vars"][number]).tobytes())
    assert digest.hexdigest() == done.json["weights_sha256"]


def test_a_finished_run_is_already_complete(finished):
    folder, done = finished
    again = seqtrain("fit", "points.yaml", "--run-dir", "run", "--json", cwd=folder)
    assert again.code == 0
    assert again.json == {**done.json, "status": "already_complete"}


def test_a_run_folder_with_another_split_is_refused_with_4(finished):
    folder, _ = finished
    again = seqtrain("fit", "points.yaml", "--run-dir", "run", "-s", "split.train=0.7", cwd=folder)
    assert again.code == 4
    assert "split.train: is not what the run in this folder began with" in again.err
    assert "expected 0.8, as in run/config.yaml:" in again.err


def test_resume_must_and_never_are_for_scripts(finished, points):
    folder, _ = finished
    assert seqtrain("fit", "points.yaml", "--run-dir", "run", "--resume", "never", cwd=folder).code == 4
    assert seqtrain("fit", points, "--run-dir", points.parent / "new", "--resume", "must").code == 4


def test_a_dry_run_takes_one_step_and_leaves_nothing(points):
    done = seqtrain("fit", points, "--dry-run", "--json", cwd=points.parent)
    assert done.code == 0, done.err
    assert done.json["status"] == "dry_run"
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(done.json["metrics"])
    assert not (points.parent / "runs").exists()


def test_without_a_run_dir_the_folder_is_named_after_the_config_and_the_time(points):
    done = seqtrain("fit", points, "--json", "--progress", "none", "-s", "fit.epochs=1", cwd=points.parent)
    assert done.json["run_dir"].startswith(str((points.parent / "runs" / "points").resolve()))
    assert "Epoch" not in done.err


def test_a_monitor_that_nothing_logs_is_refused_before_training(points):
    callbacks = "callbacks=[early_stopping: {monitor: val_acuracy}]"
    done = seqtrain("fit", points, "-s", callbacks, cwd=points.parent)
    assert done.code == 2
    assert "nothing will log 'val_acuracy'" in done.err
    assert all(name in done.err for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
    assert "did you mean 'val_accuracy'" in done.err


def test_early_stopping_stops_and_val_acc_means_val_accuracy(points):
    callbacks = "callbacks=[early_stopping: {monitor: val_acc, mode: max, patience: 1, min_delta: 1.0}]"
    done = seqtrain("fit", points, "-s", callbacks, "-s", "fit.epochs=9", "--json", cwd=points.parent)
    assert done.code == 0, done.err
    assert done.json["status"] == "early_stopped"
    assert done.json["epochs"] == 2
    assert done.json["best"]["monitor"] == "val_accuracy"


@pytest.mark.parametrize(
    ("sequence", "code", "told"),
    [
        ("none_at_two", 5, "returned no batch"),
        ("raises_at_two", 5, "KeyError: 'no such patient'"),
        ("end_raises", 5, "the end of an epoch could not be made: RuntimeError: no disk"),
    ],
)
def test_a_users_class_that_fails_ends_the_run_with_its_traceback(points, sequence, code, told):
    done = seqtrain("fit", points, "-s", f"sequence={sequence}", cwd=points.parent)
    assert done.code == code
    assert told in done.err
    assert "tensorflow/python" not in done.err


def test_a_model_that_comes_compiled_needs_no_compile_section(points):
    text = points.read_text()
    points.write_text("\n".join(line for line in text.splitlines() if not line.startswith("compile:")))
    assert seqtrain("fit", points, "--dry-run", "-s", "model=compiled").code == 0
    done = seqtrain("fit", points, "--dry-run")
    assert done.code == 2
    assert "compile: missing" in done.err


def test_a_nan_loss_ends_with_7(points):
    done = seqtrain("fit", points, "-s", "compile.optimizer={name: sgd, learning_rate: 1e30}", "-s", "model.units=4")
    assert done.code == 7
    assert "the loss became nan" in done.err or "the loss became inf" in done.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.long)]
)
def test_a_signal_saves_the_weights_and_draws_the_curves(points, number, code):
    command = [sys.executable, "-m", "seqtrain", "fit", points, "--run-dir", "run", "--json", "-s", "fit.epochs=100000"]
    process = subprocess.Popen(command, cwd=points.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    history = points.parent / "run" / "history.csv"
    deadline = time.monotonic() + 120
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert json.loads(out)["status"] == "interrupted"
    assert (points.parent / "run" / "checkpoints" / "last" / "model.weights.h5").exists()
    assert (points.parent / "run" / "plots" / "loss.png").exists()
    assert "Traceback" not in err


def test_a_schedule_is_followed(points):
    schedule = "{name: exponential_decay, initial_learning_rate: 0.01, decay_steps: 10, decay_rate: 0.5}"
    done = seqtrain("fit", points, "--json", "-s", f"compile.optimizer.learning_rate={schedule}", cwd=points.parent)
    assert done.code == 0, done.err
    # 160 samples in batches of 16 are 10 steps an epoch; after 3 epochs 0.01 * 0.5 ** 3
    assert done.json["metrics"]["learning_rate"] == pytest.approx(0.01 * 0.5**3)


def test_a_run_folder_in_use_ends_with_75(points):
    with contextlib.closing(RunFolder(points.parent / "run")):
        second = seqtrain("fit", points, "--run-dir", "run", cwd=points.parent)
    assert second.code == 75
    assert f"process {os.getpid()}" in second.err


def test_a_folder_that_holds_something_else_is_left_alone(points):
    done = seqtrain("fit", points, "--run-dir", points.parent)
    assert done.code == 4
    assert "holds something else than a run" in done.err
    assert not (points.parent / "checkpoints").exists()


def test_a_split_that_was_edited_is_refused(points):
    arguments = ["fit", points, "--run-dir", points.parent / "run", "-s", "fit.epochs=1"]
    assert seqtrain(*arguments).code == 0
    path = points.parent / "run" / "split.json"
    split = json.loads(path.read_text())
    split["train"][0], split["val"][0] = split["val"][0], split["train"][0]
    path.write_text(json.dumps(split))
    done = seqtrain(*arguments)
    assert done.code == 4
    assert "has been changed since it was written" in done.err


def test_a_loss_that_does_not_fit_the_labels_is_told_before_training(points):
    done = seqtrain("fit", points, "-s", "compile.loss=categorical_crossentropy", "--json", cwd=points.parent)
    assert done.code == 2
    assert "do not fit the batches" in done.err
    assert "sparse_categorical_crossentropy" in done.err
    assert done.json["status"] == "failed"
    assert done.json["exit_code"] == 2


def test_weights_that_become_nan_behind_a_finite_loss_end_with_7(tmp_path):
    x = np.random.default_rng(0).random((64, 10)).astype("float32")
    x[3, 4] = np.inf
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(64) % 2)
    config = CONFIGS / "arrays.yaml"
    options = [f"source={{name: arrays, x: {tmp_path}/x.npy, y: {tmp_path}/y.npy}}", "split=0.8", "model=mlp"]
    done = seqtrain("fit", config, *(part for option in options for part in ("-s", option)), cwd=tmp_path)
    assert done.code == 7, done.err
    assert "NaN" in done.err


def test_a_callback_whose_package_is_missing_is_told_before_training(points, monkeypatch):
    from seqtrain.training.callbacks import build_callbacks

    loaded = load_config(points, ["callbacks=[tensorboard]"])
    data = open_data(loaded)
    monkeypatch.setattr("seqtrain.training.callbacks.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="(?s)needs the package tensorboard.*fix: pip install tensorboard"):
        build_callbacks(loaded, data, ["loss"], points.parent, "none")


@pytest.mark.parametrize("processes", [pytest.param("no", marks=pytest.mark.long), "yes"])
def test_texts_of_variable_length_train(points, processes):
    options = ["-s", "sequence=texts", "-s", "model=reads_texts", "-s", f"fit.use_multiprocessing={processes}"]
    done = seqtrain("fit", points, "--json", *options, *NO_KERAS, cwd=points.parent)
    assert done.code == 0, done.err
    assert done.json["metrics"]["val_accuracy"] > 0.9


def test_weights_are_the_same_with_any_workers_also_for_a_class_that_shuffles_globally(points):
    def weights(*options):
        arguments = [
            "-s",
            "sequence=shuffled_at_start",
            "-s",
            "fit.steps_per_epoch=7",
            "-s",
            "model=mlp",
            *NO_KERAS,
            *options,
        ]
        done = seqtrain("fit", points, "--json", *arguments, cwd=points.parent)
        assert done.code == 0, done.err
        return done.json["weights_sha256"]

    expected = weights("-s", "fit.workers=0")
    assert weights("-s", "fit.workers=3") == expected
    assert weights("-s", "fit.workers=2", "-s", "fit.use_multiprocessing=true") == expected


def test_steps_that_keras_would_round_up_are_refused(points):
    done = seqtrain("fit", points, "-s", "compile.steps_per_execution=4", cwd=points.parent)
    assert done.code == 2
    assert "must divide the steps" in done.err
    assert "expected a divisor of 10 and of 3" in done.err


def test_balanced_class_weights_and_more_of_fit_train(points):
    options = ["class_weight: balanced", "validation_steps: 2", "steps_per_epoch: 14", "mixed_precision: bfloat16"]
    done = seqtrain("fit", points, "--json", "-s", f"fit={{epochs: 2, {', '.join(options)}}}", cwd=points.parent)
    assert done.code == 0, done.err
    assert done.json["epochs"] == 2


def test_a_loss_of_ones_own_is_named_like_kerass(points):
    assert seqtrain("fit", points, "--dry-run", "-s", "compile.loss=twice_the_loss").code == 0
    done = seqtrain("fit", points, "--dry-run", "-s", "compile.loss={name: twice_the_loss, alpha: 3}")
    assert done.code == 2
    assert "compile.loss: 'twice_the_loss' is a function, which takes no arguments here" in done.err


def test_a_loss_of_ones_own_that_fails_in_a_graph_alone_is_told_before_training(points):
    done = seqtrain("fit", points, "--dry-run", "-s", "compile.loss=loss_that_reads_values")
    assert done.code == 2 and "do not fit the batches" in done.err
