"""What tests of resuming share: a run with components whose state matters, broken off at moments, and its traces."""

import csv
import json

import pytest

from seqtrain.config import load_config
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit
from tests.conftest import ROOT

MARKS = [
    pytest.mark.usefixtures("nothing_left"),
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


def broken_off_at(folder, *at, settings=(), **options):
    """A run that is broken off at moments, one after another, and then goes on to its end."""
    load_config_once(folder)
    for moment in at:
        moments().append(moment)
        if len(moment) == 4:
            outcome = run(folder, *settings, **options)
            assert outcome.exit_code == 128 + moment[3]
            assert outcome.result["status"] == "interrupted"
        else:
            with pytest.raises(survivors()["BrokenOffError"]):
                run(folder, *settings, **options)
        assert not moments(), "the moment never came"
    return run(folder, *settings, **options)


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


def assert_alike(folder, outcome, whole):
    reference, result = whole
    assert outcome.exit_code == 0
    for key in ("status", "epochs", "weights_sha256", "best"):
        assert outcome.result[key] == result[key], key
    assert history(folder) == history(reference)
    assert lines(folder) == lines(reference)
    assert {row["epoch"]: row for row in own_log(folder)} == {row["epoch"]: row for row in own_log(reference)}
    assert (folder / "run" / "checkpoints" / "best" / "model.weights.h5").is_file()
