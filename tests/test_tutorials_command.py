"""Classes as tutorials have them, through the command line: the same run with any workers, and resumed."""

import csv
import json

import pytest

from tests.conftest import ROOT, seqtrain
from tests.loading.test_tutorials import DIGITS, SOURCES, TUTORIALS

SOFTMAX = {"name": "small", "units": 10, "activation": "softmax"}
MODELS = {"file_paths": SOFTMAX, "curriculum": SOFTMAX, "generator": SOFTMAX, "user_item": "two_inputs"}


def written(folder, name):
    sparse = "sparse_categorical_crossentropy"
    document = {
        "version": 1,
        "seed": 7,
        "imports": [str(TUTORIALS)],
        "source": SOURCES[name],
        "split": 0.8,
        "sequence": name,
        "batch_size": 64,
        "model": MODELS[name],
        "compile": {"loss": sparse if SOURCES[name] is DIGITS else "mse"},
        "fit": {"epochs": 3},
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(document))
    return path


def fitted(path, run, *settings):
    done = seqtrain("fit", path, "--run-dir", run, "--json", *(word for each in settings for word in ("-s", each)))
    assert done.code == 0, done.err
    return done.json


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_run_is_the_same_with_any_workers_and_evaluates_as_it_validated(tmp_path, name):
    path = written(tmp_path, name)
    modes = {"none": ["fit.workers=0"], "threads": ["fit.workers=4"]}
    modes["processes"] = ["fit.workers=4", "fit.use_multiprocessing=true"]
    results = {mode: fitted(path, tmp_path / mode, *settings) for mode, settings in modes.items()}
    assert len({result["weights_sha256"] for result in results.values()}) == 1
    assert seqtrain("check", path, cwd=ROOT).code == 0
    best = results["none"]["best"]
    evaluated = seqtrain("evaluate", tmp_path / "threads", "--json").json
    assert evaluated["metrics"]["loss"] == pytest.approx(best["value"], rel=1e-6)


@pytest.mark.slow
def test_a_run_whose_epochs_change_both_sides_is_resumed_where_it_was(tmp_path):
    path = written(tmp_path, "curriculum")
    whole = fitted(path, tmp_path / "whole")
    fitted(path, tmp_path / "parts", "fit.epochs=1")
    resumed = fitted(path, tmp_path / "parts", "fit.epochs=3")
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    losses = []
    for name in ("whole", "parts"):
        with (tmp_path / name / "history.csv").open(newline="") as file:
            losses.append([(row["loss"], row["val_loss"]) for row in csv.DictReader(file)])
    assert losses[0] == losses[1] and len(losses[0]) == 3
