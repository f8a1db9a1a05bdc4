import csv
import json
import logging
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import InterruptedRunError
from seqtrain.reports.output_spec import TrainingInfo
from seqtrain.sequences.base import BatchSequence
from seqtrain.structure import FieldSpec
from seqtrain.training.final_plots import draw_output, short_name
from seqtrain.training.options import FitOptions
from seqtrain.training.predictions import PredictedBatch
from seqtrain.training.session import fit
from tests.conftest import CONFIGS, ROOT

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword"  # Keras's own
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run whose last epoch is not its best."""
    folder = tmp_path_factory.mktemp("trained")
    settings = ["fit.epochs=3", "compile.optimizer.learning_rate=0.5", "callbacks=[]"]
    fit(load_config(ROOT / "tests" / "own" / "points.yaml", settings), FitOptions(folder, "auto", "none", ["seqtrain"]))
    return folder


def results_of(folder):
    return json.loads((folder / "plots" / "results.json").read_text())


@pytest.mark.slow
def test_results_are_of_the_best_weights_on_the_validation(trained):
    results = results_of(trained)
    best = json.loads((trained / "result.json").read_text())["best"]
    with (trained / "history.csv").open() as file:
        row = list(csv.DictReader(file))[best["epoch"]]
    assert results["epoch"] == best["epoch"]
    numbers = results["outputs"]["y"]["numbers"]
    assert numbers["samples"] == 40
    assert numbers["accuracy"] == pytest.approx(float(row["val_accuracy"]))


@pytest.mark.slow
def test_pictures_and_the_table_of_classes_are_there(trained):
    for name in ("confusion_matrix", "roc", "precision_recall", "loss", "accuracy", "learning_rate", "data_wait"):
        assert (trained / "plots" / f"{name}.png").stat().st_size > 1000
    with (trained / "plots" / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["below", "above"]
    assert sum(int(row["support"]) for row in rows) == 40
    assert not [path for path in trained.rglob("*") if "unfinished" in path.name]


@pytest.mark.slow
def test_where_the_best_weights_are_gone_the_last_are_shown_and_said_to_be(trained, tmp_path, caplog):
    from seqtrain.inference.trained_run import TrainedRun
    from seqtrain.training.final_plots import draw_final_plots
    from seqtrain.training.run_folder import RunFolder

    shutil.copytree(trained, tmp_path / "run", symlinks=True)
    opened = TrainedRun(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "best").unlink()
    folder = RunFolder(tmp_path / "run")
    draw_final_plots(folder, opened.data, opened.model, lambda: None, is_done=True)
    folder.close()
    shown = results_of(tmp_path / "run")
    assert (shown["checkpoint"], shown["epoch"]) == ("last", 2)
    assert "the run has no best checkpoint" in caplog.text


@pytest.mark.slow
def test_a_stop_breaks_the_results_off(trained):
    from seqtrain.inference.trained_run import TrainedRun
    from seqtrain.training.final_plots import draw_final_plots
    from seqtrain.training.run_folder import RunFolder

    def check():
        raise InterruptedRunError(2)

    opened = TrainedRun(trained)
    folder = RunFolder(trained)
    (trained / "plots" / "results.json").rename(trained / "kept.json")
    with pytest.raises(InterruptedRunError):
        draw_final_plots(folder, opened.data, opened.model, check, is_done=True)
    folder.close()
    assert not (trained / "plots" / "results.json").exists()
    (trained / "kept.json").rename(trained / "plots" / "results.json")


def test_a_part_of_a_file_is_named_by_the_file_and_its_first_corner(tmp_path):
    file = tmp_path / "Paris, France" / "scan.nii"
    file.parent.mkdir()
    file.touch()
    assert short_name(str(file)) == "scan.nii"
    assert short_name(f"{file}, patch at z 0 to 7, y 8 to 15, x 4 to 11") == "scan.nii\npatch at z 0, y 8, x 4"
    assert short_name(f"{file}, axial slice 5") == "scan.nii\naxial slice 5"
    assert short_name("x.npy[3]") == short_name("12") == ""


def test_a_history_that_cannot_be_read_is_a_warning(tmp_path, caplog):
    from seqtrain.training.final_plots import draw_final_plots

    with caplog.at_level(logging.WARNING, "seqtrain"):
        draw_final_plots(SimpleNamespace(path=tmp_path), None, None, lambda: None, is_done=False)
    assert "some plots were not drawn" in caplog.text and "history.csv" in caplog.text


def test_a_run_without_validation_says_so(tmp_path):
    from seqtrain.training.final_plots import draw_final_plots

    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n")
    folder = SimpleNamespace(path=tmp_path, plots=tmp_path / "plots")
    draw_final_plots(folder, SimpleNamespace(val=None), None, lambda: None, is_done=True)
    assert results_of(tmp_path)["skipped"] == "the run has no validation"


def test_each_of_several_outputs_has_results_of_its_own(tmp_path):
    from seqtrain.training.final_plots import results_of_outputs

    spec = (
        FieldSpec((1,), "float32"),
        {"kind": FieldSpec((), "int32", classes=("flat", "house")), "price": FieldSpec((), "float32")},
    )
    sequence = BatchSequence()
    sequence.spec = spec
    targets = {"kind": np.array([0, 1, 1], np.int32), "price": np.array([1, 2, 3], np.float32)}
    made = {"price": np.array([[1.5], [2], [3]]), "kind": np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])}
    batch = PredictedBatch(np.arange(3), made, (np.zeros((3, 1)), targets))
    outputs = results_of_outputs(sequence, iter([batch, batch]), TrainingInfo({"kind": ..., "price": "mse"}))
    documents = {each.name: draw_output(each, tmp_path, has_others=True) for each in outputs}
    assert documents["y.kind"]["numbers"]["accuracy"] == pytest.approx(2 / 3)
    assert documents["y.price"]["numbers"]["mae"] == pytest.approx(0.5 / 3)
    assert documents["y.kind"]["classes"] == "classes.kind.csv"
    assert (tmp_path / "residuals.price.png").is_file() and (tmp_path / "roc.kind.png").is_file()


@pytest.mark.parametrize("scale_targets", [True, False])
def test_values_that_were_scaled_are_judged_in_the_unit_of_the_data(scale_targets, tmp_path):
    from seqtrain.loading.pipeline import open_data
    from seqtrain.training.final_plots import results_of_outputs

    settings = [
        f"sequence.scale_targets={str(scale_targets).lower()}",
        "source.targets={price: number}",
        "split.by=random",
    ]
    settings += ["compile.loss=mse", "compile.metrics=[]"]
    data = open_data(load_config(CONFIGS / "table.yaml", settings))
    batch = data.val[0]
    predicted = PredictedBatch(np.arange(len(batch[1])), {"": batch[1][:, None] + 1}, batch)
    (output,) = results_of_outputs(data.val, iter([predicted]), TrainingInfo.of(data, None))
    deviation = data.source.targets["price"][data.split.train].std() if scale_targets else 1
    numbers = output.results.numbers()
    assert (numbers["mae"], numbers["rmse"]) == pytest.approx((deviation, deviation), rel=1e-4)
    document = draw_output(output, tmp_path, has_others=False)
    assert "unit" not in document and ("deviation" in document) == scale_targets
    if scale_targets:
        assert (document["column"], document["deviation"]) == ("price", pytest.approx(deviation, rel=1e-4))
    truth = output.results.kept.columns()[0]
    assert np.isin(truth.round(), data.source.targets["price"][data.split.val].round()).all()


def test_values_of_several_columns_are_said_to_be_in_standard_deviations(tmp_path):
    from seqtrain.loading.pipeline import open_data
    from seqtrain.training.final_plots import results_of_outputs

    data = open_data(load_config(CONFIGS / "series.yaml", ["source.target=[load_mw, temperature_c]"]))
    batch = data.val[0]
    predicted = PredictedBatch(np.arange(len(batch[1])), {"": batch[1]}, batch)
    (output,) = results_of_outputs(data.val, iter([predicted]), TrainingInfo.of(data, None))
    assert output.results.unit == "standard deviations" and output.results.scale == (0, 1)
    assert draw_output(output, tmp_path, has_others=False)["unit"] == "standard deviations"
