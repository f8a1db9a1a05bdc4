"""Runs whose training data has changed since: what they predict stays, or is refused."""

import csv
import json
import shutil

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.inference.evaluation import evaluate
from seqtrain.inference.inspected_run import open_inspection
from seqtrain.inference.prediction import predict
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.sequences.keras_style import KerasStyleSequence
from seqtrain.sources.user_source import as_source
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit
from tests.training.little_run import MARKS, little_run

pytestmark = MARKS

TABLE = """version: 1
source: {name: table, path: data.csv, targets: {price: number, kind: class}}
split: {train: 0.8, by: random}
sequence: table
batch_size: 16
model: {name: tabular, units: [4]}
compile: {optimizer: adam, loss: {price: mse, kind: sparse_categorical_crossentropy}}
fit: {epochs: 1, workers: 0}
"""
SERIES = """version: 1
source: {name: series, path: data.csv, target: load, window: 6, horizon: 2}
split: {train: 0.8, by: ordered}
sequence: windows
batch_size: 16
model: {name: forecaster, filters: [4]}
compile: {optimizer: adam, loss: mse}
fit: {epochs: 1, workers: 0}
"""
RATINGS = """version: 1
source: {name: ratings, path: data.csv}
split: {train: 0.8, by: random}
sequence: ratings
batch_size: 16
model: recommender
compile: {optimizer: adam, loss: mse}
fit: {epochs: 1, workers: 0}
"""
FLATS = [("size", "town", "price", "kind")]
FLATS += [(n % 17, "abc"[n % 3], 3 * (n % 17) + n % 3 + 0.5, "xy"[n % 2]) for n in range(80)]


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def trained(folder, config, rows):
    write(folder / "data.csv", rows)
    (folder / "config.yaml").write_text(config)
    with pytest.MonkeyPatch.context() as patched:  # to draw takes longer than to train
        patched.setattr("seqtrain.training.run.draw_final_plots", lambda *arguments: None)
        fit(load_config(folder / "config.yaml"), FitOptions(folder / "run", "never", "none", ["seqtrain"]))
    return folder / "run"


def moved(run, folder):
    """A copy of a run and of what lies beside it, which may be changed."""
    shutil.copytree(run.parent, folder / "all", symlinks=True)
    config = folder / "all" / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(run.parent), str(folder / "all")))
    return folder / "all" / "run"


@pytest.fixture(scope="module")
def flats_run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("flats"), TABLE, FLATS)


@pytest.fixture
def flats(flats_run, tmp_path):
    """A run on a table, in a folder with the table."""
    return moved(flats_run, tmp_path)


def test_all_outputs_of_a_table_are_trained_and_their_losses_are_over_samples(flats):
    assert "not trained" not in (flats / "train.log").read_text()
    whole, rest = (evaluate(TrainedRun(flats, [f"batch_size={size}"]), "all").metrics for size in (80, 79))
    assert rest == pytest.approx(whole, rel=1e-4)


def predicted(run, path):
    out = run.parent / "out.csv"
    predict(run, [path], out=out)
    return out.read_text()


def test_rows_that_were_added_to_a_table_change_no_prediction(flats, tmp_path):
    run, folder = flats, flats.parent
    new = write(tmp_path / "new.csv", [("size", "town"), (5, "a"), (16, "c"), ("", ""), (3, "elsewhere")])
    before = predicted(run, new)
    write(folder / "data.csv", [*FLATS, *((1000 + n, "abcdefg"[n % 7], 9000 + n, "xy"[n % 2]) for n in range(80))])
    assert predicted(run, new) == before
    assert evaluate(TrainedRun(run), part="all").samples == 160
    with pytest.raises(CheckpointError, match="the data has changed since the run began"):
        evaluate(TrainedRun(run), part="val")


def test_columns_and_classes_that_have_changed_are_refused(flats, tmp_path):
    run, folder = flats, flats.parent
    new = write(tmp_path / "new.csv", [("size", "town", "area"), (5, "a", 1)])
    write(folder / "data.csv", [*FLATS, (5, "a", 2.5, "z")])
    with pytest.raises(CheckpointError, match=r"the classes of 'kind' differ(.|\n)*\['x', 'y'\]\n(.|\n)*'z'"):
        predicted(run, new)
    write(folder / "data.csv", [(*row, "area" if row is FLATS[0] else 7) for row in FLATS])
    with pytest.raises(CheckpointError, match="the numeric columns of the table differ"):
        predicted(run, new)


def test_rows_that_were_added_to_a_series_change_no_forecast(tmp_path):
    rows = [("load",), *((round(float(np.sin(n / 5)), 4),) for n in range(120))]
    run = trained(tmp_path, SERIES, rows)
    past = write(tmp_path / "past.csv", rows[:20])
    before = predicted(run, past)
    write(tmp_path / "data.csv", [*rows, *((500 + n % 40,) for n in range(120))])
    assert predicted(run, past) == before


def test_ids_that_have_changed_are_refused(tmp_path):
    rows = [("userId", "movieId", "rating"), *((n % 9 + 1, n % 7 + 1, n % 5) for n in range(63))]
    run = trained(tmp_path, RATINGS, rows)
    new = write(tmp_path / "new.csv", [("userId", "movieId"), (3, 4)])
    before = predicted(run, new)
    write(tmp_path / "data.csv", [*rows, (1, 1, 5)])
    assert predicted(run, new) == before  # of a user and an item that were there
    write(tmp_path / "data.csv", [*rows, (0, 1, 5)])
    with pytest.raises(CheckpointError, match="the users are not those(.|\n)*9, sha256"):
        predicted(run, new)
    write(tmp_path / "data.csv", [*rows, (rows[1][0], 1234, 5)])
    with pytest.raises(CheckpointError, match="the items are not those"):
        predicted(run, new)


def test_a_class_folder_with_another_name_is_refused_and_pictures_that_were_added_are_not(tmp_path):
    run = moved(little_run(), tmp_path)
    pictures = run.parent / "pictures"
    first, *_ = sorted(path.name for path in pictures.iterdir())
    shutil.copy(next((pictures / first).iterdir()), pictures / first / "new.png")
    assert predict(run, [pictures / first], out=tmp_path / "out.csv").samples == 13
    with pytest.raises(CheckpointError, match="the data has changed since the run began"):
        evaluate(TrainedRun(run), part="val")
    (pictures / first).rename(pictures / "zz")
    with pytest.raises(CheckpointError, match=f"the classes are not those(.|\n)*expected {first}(.|\n)*zz"):
        TrainedRun(run)


def test_a_run_of_a_version_that_wrote_down_no_classes_is_opened(tmp_path):
    run = moved(little_run(), tmp_path)
    split = json.loads((run / "split.json").read_text())
    del split["known"], split["data_sha256"]
    (run / "split.json").write_text(json.dumps(split))
    assert evaluate(TrainedRun(run), part="val").samples == 12
    (run.parent / "pictures").rename(run.parent / "elsewhere")  # which nobody knows to be the run's own
    there = [f"source.path={run.parent / 'elsewhere'}"]
    found = evaluate(TrainedRun(run, there))
    assert (found.samples, found.split) == (36, "all")
    (run / "split.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"split\.json  cannot be read"):
        TrainedRun(run, there)


def test_data_that_lies_elsewhere_now_is_named_beside_the_inputs(flats, tmp_path):
    run, folder = flats, flats.parent
    new = write(tmp_path / "new.csv", [("size", "town"), (5, "a"), (16, "c")])
    before = predicted(run, new)
    (folder / "data.csv").rename(tmp_path / "elsewhere.csv")
    with pytest.raises(
        ConfigError,
        match=r"source\.path: no such file or folder(.|\n)*-s source\.path=PATH \(of predict beside INPUT,",
    ):
        predicted(run, new)
    with pytest.raises(ConfigError, match=r"no such file or folder(.|\n)*did you mean 'elsewhere.csv'"):
        predict(run, [new], [f"source.path={tmp_path / 'elsewhare.csv'}"], out=tmp_path / "out.csv")
    few = write(tmp_path / "few.csv", [*FLATS[:20], (5, "", 2.5, "x")])
    for own in (tmp_path / "elsewhere.csv", few):
        predict(run, [new], [f"source.path={own}"], out=tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == before


def test_batches_of_a_run_are_looked_at_by_its_scales_and_not_where_its_data_has_changed(flats, tmp_path):
    run, folder = flats, flats.parent
    look = (None, "val", 0, tmp_path / "out", "augmented", run)
    shown = next(open_inspection(*look).batches(1))
    assert "predicted y.price" in shown.text()
    (folder / "data.csv").rename(tmp_path / "elsewhere.csv")
    with pytest.raises(ConfigError, match="say where it lies now"):
        open_inspection(*look)
    moved = next(open_inspection(*look, [f"source.path={tmp_path / 'elsewhere.csv'}"]).batches(1))
    assert moved.to_json() | {"ms": 0} == shown.to_json() | {"ms": 0}
    for setting in ("seed=99", "split.train=0.7"):
        with pytest.raises(CheckpointError, match="another split: its seed or its shares"):
            open_inspection(*look, [f"source.path={tmp_path / 'elsewhere.csv'}", setting])
    write(folder / "data.csv", [*FLATS, (9000, "a", 1e6, "x")])
    with pytest.raises(CheckpointError, match=r"the data has changed(.|\n)*look at other data with -s source"):
        open_inspection(*look)
    other = open_inspection(*look, [f"source.path={folder / 'data.csv'}"])
    for sequence in (other.data.train, other.data.val):
        assert json.loads(json.dumps(sequence.fitted())) == json.loads((run / "fitted.json").read_text())
    with pytest.raises(CheckpointError, match="the data has changed"):
        open_inspection(*look, ["seed=99"])


def test_batches_of_another_config_are_what_the_run_knows(flats, tmp_path):
    run, folder = flats, flats.parent
    rows = [FLATS[0], *((size * 10, town + "x", price, kind) for size, town, price, kind in FLATS[1:])]
    write(tmp_path / "data.csv", rows)
    (tmp_path / "config.yaml").write_text(TABLE)
    other = load_config(tmp_path / "config.yaml")
    write(folder / "data.csv", [*FLATS, (1, "a", 2.5, "x")])  # what a run's own data has become is not shown
    shown = next(open_inspection(other, "train", 0, tmp_path / "out", "augmented", run).batches(1))
    arrays = {field.name: field.array for field in shown.fields}
    scale = json.loads((run / "fitted.json").read_text())["targets"]["price"]
    prices = arrays["y.price"] * scale["deviation"] + scale["mean"]
    np.testing.assert_allclose(prices - np.round(prices - 0.5), 0.5, atol=1e-3)
    assert not arrays["x.town"].any()  # all are unknown
    write(tmp_path / "data.csv", [*rows, (1, "a", 2.5, "z")])
    with pytest.raises(ConfigError, match=r"config\.yaml:2(.|\n)*the classes of 'kind'(.|\n)*leave the config out"):
        open_inspection(other, "train", 0, tmp_path / "out", "augmented", run)


def test_a_config_of_another_form_than_the_run_is_refused(tmp_path):
    rows = [("load",), *((round(float(np.sin(n / 5)), 4),) for n in range(120))]
    run = trained(tmp_path, SERIES.replace("sequence: windows", "sequence: {name: windows, scale: false}"), rows)
    (tmp_path / "other.yaml").write_text(SERIES)
    look = ("val", 0, tmp_path / "out", "augmented", run)
    with pytest.raises(ConfigError, match=r"other\.yaml:2(.|\n)*this config scales its samples, and the run"):
        open_inspection(load_config(tmp_path / "other.yaml"), *look)
    with pytest.raises(CheckpointError, match="what was fitted on the training samples differ"):
        KerasStyleSequence([(np.zeros(1), np.zeros(1))], 0, True).take_fitted({"columns": {}})


def test_what_a_run_knows_may_not_be_damaged_or_missing(flats):
    for name, damaged in (("fitted.json", "{}"), ("split.json", "{}"), ("split.json", '{"sha256": "1", "known": []}')):
        kept = (flats / name).read_text()
        (flats / name).write_text(damaged)
        with pytest.raises(CheckpointError, match="columns of the table differ|has been changed since it was written"):
            TrainedRun(flats)
        (flats / name).write_text(kept)
    (flats / "fitted.json").unlink()
    with pytest.raises(CheckpointError, match=r"fitted\.json  cannot be read"):
        TrainedRun(flats)


def test_steps_that_no_longer_fit_the_data_are_a_matter_of_training_alone(flats):
    config = flats / "config.yaml"
    config.write_text(config.read_text().replace("steps_per_execution: 1", "steps_per_execution: 3"))
    assert load_config(config).config.compile.steps_per_execution == 3
    assert evaluate(TrainedRun(flats)).samples == 16


def test_names_of_a_users_source_may_be_numbers_of_numpy():
    class Own:
        classes = tuple(np.unique([7, 3]))
        label_classes = ("day", "night")

    assert json.loads(json.dumps(as_source(Own()).known_names)) == {
        "classes": ["3", "7"],
        "label_classes": ["day", "night"],
    }


def test_where_the_data_is_gone_other_data_is_evaluated_alike(flats, tmp_path):
    run, folder = flats, flats.parent
    test = write(tmp_path / "test.csv", [FLATS[0], *FLATS[20:60]])
    setting = f"source.path={test}"
    with pytest.raises(ConfigError, match="written over a file of the data"):
        predict(run, [], [setting], out=test)
    before = evaluate(TrainedRun(run, [setting]))
    assert before.text().splitlines()[-1].startswith("errors of price are in its standard deviation, ")
    (folder / "data.csv").unlink()
    after = evaluate(TrainedRun(run, [setting]))
    assert (after.metrics, after.samples, after.split) == (before.metrics, 40, "all")
    write(test, [FLATS[0], *(row for row in FLATS[20:60] if row[3] == "x")])
    with pytest.raises(
        CheckpointError, match=r"the classes of 'kind' differ(.|\n)*data back, which is not where it was"
    ):
        TrainedRun(run, [setting])


def test_data_that_lies_elsewhere_is_the_runs_own_for_evaluate_too(flats, tmp_path):
    run, folder = flats, flats.parent
    before = evaluate(TrainedRun(run))
    fitted = json.loads((run / "fitted.json").read_text())
    assert before.deviations == {"price": fitted["targets"]["price"]["deviation"]}
    (folder / "data.csv").rename(tmp_path / "elsewhere.csv")
    setting = f"source.path={tmp_path / 'elsewhere.csv'}"
    assert evaluate(TrainedRun(run, [setting])) == before
    assert predict(run, [], [setting], out=tmp_path / "out.csv").samples == 80
    with pytest.raises(CheckpointError, match="another split"):
        evaluate(TrainedRun(run, [setting, "split.train=0.5"]), "val")
    write(tmp_path / "elsewhere.csv", [FLATS[0], (3, "b", 8.5, "y"), *FLATS[1:]])
    assert evaluate(TrainedRun(run, [setting])).samples == 81
    with pytest.raises(CheckpointError, match=r"the data has changed(.|\n)*choose all samples"):
        evaluate(TrainedRun(run, [setting]), "val")
