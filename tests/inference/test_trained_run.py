import csv
import json
import shutil

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError, ConfigError, DataError
from seqtrain.inference.other_sources import open_other_source, sequence_like_run
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.loading.pipeline import open_data
from seqtrain.training import snapshot
from seqtrain.training.predictions import predicted_batches
from tests.training.little_run import CLASSES, MARKS, history, little_run, save

pytestmark = MARKS


def test_a_folder_without_a_run_is_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match="there is no run in this folder(.|\n)*runs/NAME/TIME"):
        TrainedRun(tmp_path)
    (tmp_path / "digits" / "today").mkdir(parents=True)
    (tmp_path / "digits" / "today" / "config.yaml").touch()
    with pytest.raises(CheckpointError, match=f"such as {tmp_path}/digits/today"):
        TrainedRun(tmp_path)


def test_predictions_come_in_the_order_of_the_split_with_probabilities_that_add_up_to_one():
    run = TrainedRun(little_run())
    predicted = list(predicted_batches(run.model, run.sequence("val"), run.data))
    kept = json.loads((little_run() / "split.json").read_text())
    assert np.concatenate([each.items for each in predicted]).tolist() == kept["val"]
    assert np.concatenate([each.outputs[""] for each in predicted]).sum(axis=1) == pytest.approx(np.ones(12), abs=1e-5)


def test_the_best_checkpoint_is_of_the_epoch_with_the_lowest_validation_loss():
    losses = [row["val_loss"] for row in history(little_run())]
    assert TrainedRun(little_run()).epoch == losses.index(min(losses))
    assert TrainedRun(little_run(), which="last").epoch == 2


def test_a_checkpoint_that_training_replaces_meanwhile_gives_way_to_the_newer_one(tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(little_run(), run, symlinks=True)
    load, last = snapshot.load_weights, run / "checkpoints" / "last"
    other = min(each for each in last.parent.glob("step-*") if each != last.resolve())

    def replaced(*arguments):
        if last.resolve() != other:
            shutil.rmtree(last.resolve())
            last.unlink()
            last.symlink_to(other.name)
        load(*arguments)

    monkeypatch.setattr(snapshot, "load_weights", replaced)
    opened = TrainedRun(run, which="last")
    assert opened.stored.path == other
    shutil.rmtree(opened.stored.path)
    with pytest.raises(CheckpointError, match="has no last checkpoint"):
        TrainedRun(run, which="last")


def test_samples_of_another_split_are_not_called_validation():
    run = TrainedRun(little_run(), ["split.train=0.5"])
    with pytest.raises(CheckpointError, match="had another split"):
        run.sequence("val")
    assert len(run.sequence("all").indices) == 36


def test_a_source_that_lacks_a_class_is_evaluated_with_the_indices_of_the_run(tmp_path):
    shutil.copytree(little_run().parent / "pictures", tmp_path / "pictures")
    shutil.rmtree(tmp_path / "pictures" / "bright")
    run = TrainedRun(little_run(), [f"source.path={tmp_path / 'pictures'}"])
    sequence = run.sequence("all")
    assert sequence.class_names == ("bright", "dark", "mid")
    labels = np.concatenate([batch[1] for batch in map(sequence.__getitem__, range(len(sequence)))])
    assert labels.tolist() == [1] * 12 + [2] * 12
    run = TrainedRun(little_run(), [f"source.path={tmp_path / 'pictures'}", "source.classes=[mid, dark]"])
    sequence = run.sequence("all")
    labels = np.concatenate([batch[1] for batch in map(sequence.__getitem__, range(len(sequence)))])
    assert labels.tolist() == [2] * 12 + [1] * 12


def test_a_source_with_other_classes_is_refused_and_a_source_without_the_last_class_keeps_the_indices(tmp_path):
    shutil.copytree(little_run().parent / "pictures", tmp_path / "pictures")
    shutil.rmtree(tmp_path / "pictures" / "mid")
    setting = f"source.path={tmp_path / 'pictures'}"
    run = TrainedRun(little_run(), [setting])
    assert run.sequence("all").class_names == ("bright", "dark", "mid")
    assert len(run.sequence("all").indices) == 24
    save(tmp_path / "pictures" / "darker" / "a.png", 10, np.random.default_rng(0))
    with pytest.raises(DataError) as refused:
        TrainedRun(little_run(), [setting])
    assert str(refused.value).splitlines() == [
        f"-s {setting}  the source has other classes than the run was trained on",
        "  expected bright, dark, mid",
        "  received bright, dark, darker",
        "  fix: name the class folders or labels as in the run, and in its order (`classes:` of the source)",
    ]


@pytest.fixture
def flats(tmp_path):
    """The data of a run with a table: sizes 10 to 40 train, so their mean is 25 and their deviation 11.18."""
    rows = [("size", "town", "kind", "price"), *((10 * n, "ab"[n % 2], "xy"[n % 2], n / 2) for n in range(1, 6))]
    with (tmp_path / "flats.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "config.yaml").write_text(
        "version: 1\nsource: {name: table, path: flats.csv, targets: {kind: class, price: number}}\n"
        "split: {train: 0.8, by: ordered}\nsequence: {name: table, scale_targets: false}\nbatch_size: 4\n"
        "model: tabular\ncompile: {optimizer: adam, loss: {kind: sparse_categorical_crossentropy, price: mse}}\n"
        "fit: {epochs: 1}\n"
    )
    loaded = load_config(tmp_path / "config.yaml")
    return tmp_path, loaded, open_data(loaded)


def test_rows_of_a_new_table_are_scaled_and_numbered_by_the_training_rows_of_the_run(flats, caplog):
    folder, loaded, data = flats
    (folder / "new.csv").write_text("town,size,left\nnowhere,45,1\nb,25,2\n,5,3\n")
    source = data.source.of_inputs([folder / "new.csv"])
    (x, _) = sequence_like_run(data, source, np.arange(3))[0]
    deviation = np.sqrt(125)
    assert x["numeric"][:, 0] == pytest.approx(np.array([45 - 25, 0, 5 - 25]) / deviation)
    assert "1 of 3 rows have a 'town' that training never saw" in caplog.text
    assert x["town"].tolist() == [0, 3, 1]  # unknown; the second known after 0 and 1; an empty cell


def test_another_source_is_divided_only_where_a_side_is_asked_for(tmp_path):
    for name in CLASSES:
        save(tmp_path / name / "a.png", 99, np.random.default_rng(0))
    run = TrainedRun(little_run(), [f"source.path={tmp_path}", "split={train: 1.0, val: 0.0, by: ordered}"])
    assert len(run.sequence("all").indices) == len(run.sequence("train").indices) == 3
    with pytest.raises(ConfigError, match="no validation"):
        run.sequence("val")


def test_targets_of_another_table_keep_the_class_indices_of_the_run(flats):
    folder, _, data = flats
    (folder / "test.csv").write_text("size,town,kind,price\n10,b,y,1\n20,b,y,2\n")
    named = load_config(folder / "config.yaml", [f"source.path={folder / 'test.csv'}"])
    source = open_other_source(named, data, "-s source.path=test.csv")
    assert source.targets["kind"].codes.tolist() == [1, 1]
    assert source.targets["kind"].names == ("x", "y")
    (folder / "test.csv").write_text("size,town,kind,price\n10,b,z,1\n20,b,y,2\n")
    with pytest.raises(DataError, match="the target 'kind' has other classes"):
        open_other_source(named, data, "-s source.path=test.csv")
