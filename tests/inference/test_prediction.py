import contextlib
import csv
import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqtrain.cli import results
from seqtrain.config import load_config
from seqtrain.errors import ConfigError, DataError, InterruptedRunError
from seqtrain.inference import prediction, readable_batches
from seqtrain.inference.mask_size import in_image_size
from seqtrain.inference.output_paths import OutputPaths
from seqtrain.inference.prediction import predict
from seqtrain.inference.prediction_files import ArrayWriter, ImageWriter, TableWriter, palette
from seqtrain.inference.prediction_format import check_format
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.reports.output_spec import OutputSpec
from seqtrain.sequences.fitted import Scale
from seqtrain.sources.listed_files import ListedArrays
from seqtrain.sources.npy_files import npy_array
from seqtrain.structure import FieldSpec
from seqtrain.training.options import FitOptions
from seqtrain.training.predictions import PredictedBatch, predict_on_batch, predicted_batches
from seqtrain.training.session import fit
from tests.conftest import CONFIGS, DATA, seqtrain
from tests.training.little_run import MARKS, little_run, save

pytestmark = MARKS


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def photos(tmp_path):
    """Seven pictures at two depths, two of them no pictures, so that batches of five hold one each."""
    rng = np.random.default_rng(1)
    lights = {"a": 220, "b/c": 30, "b/d": 120, "e": 220, "f": 30}
    for name, light in lights.items():
        save(tmp_path / "photos" / f"{name}.png", light, rng)
    for name in ("a_bad", "g_bad"):
        (tmp_path / "photos" / f"{name}.png").write_bytes(b"nothing")
    return tmp_path / "photos"


def test_what_fit_validated_is_predicted_alike_from_its_files(tmp_path):
    run = TrainedRun(little_run())
    batches = list(predicted_batches(run.model, run.sequence("val"), run.data))
    paths = [run.source.describe(index) for each in batches for index in each.items]
    done = predict(little_run(), [*map(type(tmp_path), paths)], out=tmp_path / "p.npy")
    assert (done.exit_code, done.samples) == (0, 12)
    assert np.array_equal(np.load(tmp_path / "p.npy"), np.concatenate([each.outputs[""] for each in batches]))
    assert [row["path"] for row in rows_of((tmp_path / "p.inputs.csv").read_text())] == paths


def test_a_folder_is_predicted_in_the_order_of_its_paths_and_unreadable_files_are_told(photos, caplog):
    done = predict(little_run(), [photos], out=photos.parent / "out.csv")
    rows = rows_of((photos.parent / "out.csv").read_text())
    names = ["a", "a_bad", "b/c", "b/d", "e", "f", "g_bad"]
    assert [row["path"] for row in rows] == [str(photos / f"{name}.png") for name in names]
    assert (done.exit_code, done.failed, done.to_json()["status"]) == (3, 2, "incomplete")
    assert list(done.to_json()["errors"]) == [str(photos / "a_bad.png"), str(photos / "g_bad.png")]
    assert [row["error"] != "" for row in rows] == ["bad" in name for name in names]
    for row in rows:
        shares = {name: row[f"p_{name}"] for name in ("bright", "dark", "mid")}
        if row["error"]:
            assert set(shares.values()) == {row["class"]} == {""}
        else:
            assert sum(map(float, shares.values())) == pytest.approx(1, abs=1e-5)
            assert row["probability"] == shares[row["class"]] == max(shares.values(), key=float)
    assert sum(done.classes.values()) == 5
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 2


def test_bad_files_may_pass_where_the_config_says_so(photos):
    settings = ["on_bad_sample={action: skip, max: 2}"]
    assert predict(little_run(), [photos], settings, out=photos.parent / "out.jsonl").exit_code == 0
    documents = [json.loads(line) for line in (photos.parent / "out.jsonl").read_text().splitlines()]
    assert [set(each) == {"path", "error"} for each in documents] == [False, True, False, False, False, False, True]


def test_a_file_alone_that_cannot_be_read_is_told_and_not_replaced(photos, tmp_path):
    done = predict(little_run(), [photos / "a_bad.png"], out=tmp_path / "one.csv")
    assert done.failed == 1
    assert [row["error"] for row in rows_of((tmp_path / "one.csv").read_text())] == [
        "the file is not an image that can be read"
    ]


@pytest.mark.slow
def test_a_class_written_for_keras_is_asked_for_each_sample_where_one_of_a_batch_is_bad(tmp_path):
    loaded = load_config(CONFIGS / "my_sequences.yaml", ["fit.epochs=1", "fit.steps_per_epoch=1", "callbacks=[]"])
    fit(loaded, FitOptions(tmp_path / "run", "never", "none", ["seqtrain"]))
    digits = [DATA / "digits" / name for name in ("3", "5")]
    good = [next(iter(sorted(folder.iterdir()))) for folder in digits]
    (tmp_path / "bad.png").write_bytes(b"nothing")
    inputs = [good[0], tmp_path / "bad.png", good[1]]
    done = predict(tmp_path / "run", inputs, out=tmp_path / "p.npy")
    assert done.failed == 1
    predicted = np.load(tmp_path / "p.npy")
    assert np.isnan(predicted).all(axis=1).tolist() == [False, True, False]
    predict(tmp_path / "run", good, out=tmp_path / "good.npy")
    assert predicted[[0, 2]] == pytest.approx(np.load(tmp_path / "good.npy"), abs=1e-6)


def test_a_manifest_names_paths_beside_it(photos, tmp_path):
    (tmp_path / "list.csv").write_text("path,who\nphotos/f.png,x\nphotos/a.png,y\nphotos/none.png,z\n")
    predict(little_run(), [tmp_path / "list.csv"], out=tmp_path / "p.csv")
    rows = rows_of((tmp_path / "p.csv").read_text())
    assert [row["path"].removeprefix(f"{photos}/") for row in rows] == ["f.png", "a.png", "none.png"]
    assert [bool(row["error"]) for row in rows] == [False, False, True]


def test_mistakes_on_the_command_line_are_told_before_anything_is_written(photos, tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        predict(little_run(), [tmp_path / "photo"])
    with pytest.raises(ConfigError, match="name INPUT, or another source"):
        predict(little_run(), [])
    with pytest.raises(ConfigError, match="png cannot hold what this model puts out"):
        predict(little_run(), [photos], out=tmp_path / "out", out_format="png")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_prediction_keeps_what_is_done_under_another_name(photos, tmp_path, monkeypatch):
    batches = prediction.readable_batches

    def broken_off(*arguments):
        yield next(batches(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(prediction, "readable_batches", broken_off)
    with pytest.raises(InterruptedRunError) as interrupted, results.interruptible():
        predict(little_run(), [photos], out=tmp_path / "p.npy")
    assert interrupted.value.exit_code == 130
    assert not (tmp_path / "p.npy").exists()
    assert np.load(tmp_path / "p.npy.partial").shape == (5, 3)
    assert len(rows_of((tmp_path / "p.inputs.csv.partial").read_text())) == 5


def test_sigterm_ends_a_command_as_ctrl_c_does():
    before = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(InterruptedRunError) as interrupted,
        results.interruptible(),
        contextlib.suppress(Exception),  # as where a class of the user's is asked for a batch
    ):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert (interrupted.value.exit_code, interrupted.value.status) == (143, "interrupted")
    assert signal.getsignal(signal.SIGTERM) is before


def test_arrays_are_one_row_after_another_and_of_one_form(tmp_path):
    class Like:
        fields = {"x": FieldSpec((2, 3), "float32"), "y": FieldSpec((), "int64")}  # noqa: RUF012
        labels = np.array([4, 5])
        classes = ("a", "b")

    np.save(tmp_path / "many.npy", np.arange(12, dtype=np.float64).reshape(2, 2, 3))
    np.save(tmp_path / "one.npy", np.full((2, 3), 9, np.float32))
    source = ListedArrays([npy_array(tmp_path / "many.npy"), npy_array(tmp_path / "one.npy")], Like())
    rows = np.empty((3, 2, 3), np.float32)
    source.read_rows(np.array([2, 0, 1]), {"x": rows})
    assert rows[:, 0, 0].tolist() == [9, 0, 6]
    assert [source.describe(index) for index in (1, 2)] == [f"{tmp_path}/many.npy[1]", f"{tmp_path}/one.npy[0]"]
    np.save(tmp_path / "bytes.npy", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(DataError, match="not like the samples"):
        ListedArrays([npy_array(tmp_path / "bytes.npy")], Like())


def test_two_classes_may_come_as_one_number_or_as_logits():
    one = OutputSpec("", "classes", ("no", "yes"))
    assert one.cells(np.array([[0.75], [0.25]], np.float32)) == [["yes", 0.75, 0.25, 0.75], ["no", 0.75, 0.75, 0.25]]
    logits = OutputSpec("kind", "classes", ("a", "b"), from_logits=True)
    assert logits.headings() == ["kind", "kind_probability", "kind_p_a", "kind_p_b"]
    assert logits.cells(np.log(np.array([[1.0, 3.0]]))) == [["b", 0.75, 0.25, 0.75]]


def test_values_go_back_into_the_units_of_the_data_and_no_number_becomes_an_empty_cell(tmp_path):
    spec = OutputSpec("", "values", columns=("price", "rooms"), scales={"price": Scale(100, 10), "rooms": Scale(3, 2)})
    writer = TableWriter(tmp_path / "v.csv", [spec], "row", as_json=False)
    writer.write(
        PredictedBatch(np.arange(2), {"": np.array([[1.5, -1], [np.nan, 0]], np.float32)}, names=["f:2", "f:3"])
    )
    assert writer.close(is_complete=True) == [str(tmp_path / "v.csv")]
    assert (tmp_path / "v.csv").read_text() == "row,price,rooms,error\nf:2,115.0,1.0,\nf:3,,3.0,\n"


def test_values_in_a_npy_are_in_the_unit_of_the_data(tmp_path):
    spec = OutputSpec("", "values", columns=("a_1", "b_1"), scales={"a": Scale(10.0, 2.0), "b": Scale(100.0, 4.0)})
    writer = ArrayWriter(tmp_path / "p.npy", [spec], "row")
    writer.write(PredictedBatch(np.arange(1), {"": np.array([[[0.5, -1.0]]], np.float16)}, names=["1"]))
    writer.close(is_complete=True)
    written = np.load(tmp_path / "p.npy")
    assert (written.tolist(), written.dtype) == ([[[11.0, 96.0]]], np.float32)
    many = np.array([[2**53 + 1]])
    assert OutputSpec("", "values", columns=("a",)).in_units(many) is many


def test_rows_of_a_npy_that_could_not_be_read_are_nan(tmp_path):
    writer = ArrayWriter(tmp_path / "p.npy", [OutputSpec("", "array")], "path")
    for batch in (np.ones((2, 3), np.float32), np.full((1, 3), 2, np.float32)):
        writer.write(
            PredictedBatch(
                np.arange(len(batch)),
                {"": batch},
                names=["a", "b"][: len(batch)],
                errors={0: "no"} if len(batch) == 2 else {},
            )
        )
    writer.close(is_complete=True)
    expected = np.array([[np.nan] * 3, [1, 1, 1], [2, 2, 2]])
    assert np.load(tmp_path / "p.npy") == pytest.approx(expected, nan_ok=True)


def test_masks_are_palette_pictures_called_as_their_files(tmp_path):
    (tmp_path / "in").mkdir()
    places = OutputPaths(
        tmp_path / "out", [tmp_path / "in"], [str(tmp_path / "in/a/x.jpg"), str(tmp_path / "in/y.tif")]
    )
    spec = OutputSpec("", "mask", ("ground", "disc"))
    writer = ImageWriter(tmp_path / "out", spec, places, None)
    scores = np.array([[[0.9, 0.1], [0.2, 0.8]]], np.float32)  # one row of two pixels
    writer.write(PredictedBatch(np.arange(1), {"": scores[None]}, names=[str(tmp_path / "in/a/x.jpg")]))
    picture = Image.open(tmp_path / "out/a/x.png")
    assert picture.mode == "P"
    assert np.asarray(picture).tolist() == [[0, 1]]
    assert picture.convert("RGB").getpixel((0, 0)) == (0, 0, 0) != picture.convert("RGB").getpixel((1, 0))
    assert len(palette()) == 3 * 256
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["x.png"]


def test_pictures_of_one_stem_keep_their_extensions_and_of_one_name_are_refused(tmp_path):
    assert OutputPaths(Path("out"), [tmp_path], ["in/cat.jpg", "in/cat.png"])("in/cat.jpg").name == "cat.jpg.png"
    assert OutputPaths(Path("out"), [tmp_path], ["x.npy[3]"])("x.npy[3]").name == "x_000003.png"
    with pytest.raises(ConfigError, match="two predictions would be called cat.png"):
        OutputPaths(Path("out"), [tmp_path], ["a/cat.png", "b/cat.png"])


def test_without_inputs_the_folders_below_that_of_all_files_are_kept(tmp_path):
    places = OutputPaths(tmp_path, [], ["/data/a/scan.nii.gz", "/data/b/scan.nii.gz"], as_png=False)
    assert places("/data/b/scan.nii.gz") == tmp_path / "b/scan.nii.gz"


def test_no_prediction_is_written_over_an_input_or_over_the_data(photos):
    names = [str(photos / "a.png"), str(photos / "b/c.png"), str(photos / "b/a.png")]
    save(photos / "b/a.png", 100, np.random.default_rng(0))
    OutputPaths(photos.parent / "out", [photos], names)
    for out in (photos, photos / "b"):  # its own, and another one
        with pytest.raises(ConfigError, match="written over a file of the data"):
            OutputPaths(out, [photos], names)
    masks = photos.parent / "masks"
    mask = save(masks / "a.png", 1, np.random.default_rng(0))
    OutputPaths(masks, [photos], names, ["elsewhere.png"])
    with pytest.raises(ConfigError, match="written over a file of the data"):
        OutputPaths(masks, [photos], names, ["elsewhere.png", str(mask)])


def test_no_sample_is_left_out_of_the_last_batch(photos):
    (photos / "a_bad.png").unlink()
    (photos / "g_bad.png").unlink()
    save(photos / "z.png", 100, np.random.default_rng(0))
    done = predict(little_run(), [photos], ["sequence.drop_remainder=true"], out=photos.parent / "out.csv")
    assert done.to_json()["status"] == "predicted"
    assert len(rows_of((photos.parent / "out.csv").read_text())) == 6


def test_masks_go_into_a_folder(photos):
    with pytest.raises(ConfigError, match="png needs a folder, and this is a file"):
        check_format("png", [OutputSpec("", "mask", ("a", "b"))], None, photos / "a.png")


def test_predictions_do_not_go_among_the_inputs(photos):
    (photos / "masks").mkdir()
    with pytest.raises(ConfigError, match="would lie among the inputs"):
        OutputPaths(photos / "masks", [photos], [str(photos / "a.png")])
    with pytest.raises(ConfigError, match=r"the same sample is named twice\n(.|\n)*a\.png\n  fix: name it once"):
        OutputPaths(photos.parent / "masks", [], [str(photos / "a.png")] * 2)


@pytest.mark.parametrize("name", ["list.csv", "photos/a.png", "run"])
def test_no_table_is_written_over_an_input_or_over_the_data(photos, name):
    manifest = photos.parent / "list.csv"
    manifest.write_text("path\nphotos/a.png\nphotos/e.png\n")
    place = photos.parent / name if name != "run" else next((little_run().parent / "pictures").rglob("*.png"))
    before = place.read_bytes()
    for out_format in ("csv", "jsonl"):  # a .npy has a name of its own
        with pytest.raises(ConfigError, match="written over a file of the data"):
            predict(little_run(), [manifest], out=place, out_format=out_format)
    assert place.read_bytes() == before
    assert not list(place.parent.glob("*.partial"))


def test_no_array_is_written_over_an_input(photos):
    rows = photos.parent / "x.inputs.csv"
    rows.write_text("path\nphotos/a.png\n")
    with pytest.raises(ConfigError, match="written over a file of the data"):
        predict(little_run(), [rows], out=photos.parent / "x.npy")


@pytest.mark.parametrize("first_is_missing", [True, False])
def test_a_missing_first_picture_does_not_make_rows_of_files(photos, first_is_missing):
    manifest = photos.parent / "list.csv"
    names = ["nowhere.png", "photos/a.png"]
    manifest.write_text("\n".join(["path", *(names if first_is_missing else names[::-1]), ""]))
    predict(little_run(), [manifest], out=photos.parent / "out.csv")
    assert (photos.parent / "out.csv").read_text().startswith("path,")


def test_an_output_that_is_called_as_another_column_loses_nothing(tmp_path):
    names = ("error", "row", "price/m2")
    specs = [OutputSpec(name, "values", columns=(name,)) for name in names]
    outputs = {name: np.ones((2, 1)) for name in names}
    rows = PredictedBatch(np.arange(2), outputs, names=["t.csv:2", "t.csv:3"], errors={1: "is damaged"})
    writer = TableWriter(tmp_path / "p.jsonl", specs, "row", as_json=True)
    writer.write(rows)
    writer.close(is_complete=True)
    first, second = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    assert first == {"row": "t.csv:2", "predicted_error": 1, "predicted_row": 1, "price/m2": 1}
    assert second == {"row": "t.csv:3", "error": "is damaged"}
    arrays = ArrayWriter(tmp_path / "result.v2", specs, "row")
    arrays.write(rows)
    written = [Path(path).name for path in arrays.close(is_complete=True)]
    assert written == ["result.v2_error.npy", "result.v2_row.npy", "result.v2_price_m2.npy", "result.v2.inputs.csv"]


def test_a_sample_of_which_the_model_puts_out_nan_has_an_error(photos, tmp_path, monkeypatch):
    def with_nan(model, x):
        outputs = predict_on_batch(model, x)
        return {name: np.concatenate([np.full_like(rows[:1], np.nan), rows[1:]]) for name, rows in outputs.items()}

    monkeypatch.setattr(readable_batches, "predict_on_batch", with_nan)
    done = predict(little_run(), [photos / "e.png", photos / "a.png"], out=tmp_path / "p.csv")
    first, second = rows_of((tmp_path / "p.csv").read_text())
    assert (first["class"], first["error"].partition(";")[0]) == ("", "the model puts out NaN or infinite numbers")
    assert second["class"] and not second["error"]
    assert (done.exit_code, done.failed, sum(done.classes.values()), len(done.errors)) == (3, 1, 1, 1)


def test_names_that_have_no_folder_in_common_are_no_reason_to_fail(tmp_path):
    assert OutputPaths(tmp_path, [], ["/data/a.png", "b.png"])("/data/a.png") == tmp_path / "a.png"


def test_a_picture_of_an_earlier_prediction_is_not_taken_for_one_of_a_sample_that_cannot_be_read(tmp_path):
    spec = OutputSpec("", "mask", ("ground", "disc"))
    writer = ImageWriter(tmp_path, spec, lambda name: tmp_path / f"{name}.png", None)
    scores = np.array([[[[0.9, 0.1]]]], np.float32)
    writer.write(PredictedBatch(np.arange(1), {"": scores}, names=["x"]))
    assert (tmp_path / "x.png").exists()
    writer.write(PredictedBatch(np.arange(1), {"": scores}, names=["x"], errors={0: "is damaged"}))
    assert not (tmp_path / "x.png").exists()


def test_a_batch_of_no_samples_is_none_that_is_missing(photos, tmp_path, monkeypatch):
    batches = prediction.readable_batches

    def with_an_empty_one(*arguments):
        for batch in batches(*arguments):
            yield batch
        outputs = {name: rows[:0] for name, rows in batch.outputs.items()}
        yield PredictedBatch(batch.items[:0], outputs)

    monkeypatch.setattr(prediction, "readable_batches", with_an_empty_one)
    done = predict(little_run(), [photos / "b"], out=tmp_path / "p.csv")
    assert (done.exit_code, done.samples) == (0, 2)


def test_masks_come_in_the_size_of_their_pictures_however_these_were_resized():
    mask = np.array([[1, 2], [3, 4]], np.uint8)
    assert in_image_size(mask, (2, 4), "stretch").tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    # A picture of 2 x 4 was scaled to 2 x 4 pixels and cut to its middle: its edges are not known.
    assert in_image_size(mask, (2, 4), "crop").tolist() == [[0, 1, 2, 0], [0, 3, 4, 0]]
    # One of 2 x 8 became 1 x 4 in the middle of 4 x 4.
    padded = np.zeros((4, 4), np.uint8)
    padded[1] = [1, 2, 3, 4]
    assert in_image_size(padded, (2, 8), "pad").tolist() == [[1, 1, 2, 2, 3, 3, 4, 4]] * 2


@pytest.mark.slow
def test_the_command_streams_to_stdout_and_ends_with_3_where_a_file_is_bad(photos):
    done = seqtrain("predict", little_run(), photos, "--out", "-")
    assert done.code == 3
    assert len(rows_of(done.out)) == 7
    assert "predicted 5 of 7 samples" in done.err
    refused = seqtrain("predict", little_run(), photos, "--out", "-", "--json")
    assert refused.code == 2
