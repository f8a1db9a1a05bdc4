import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from seqtrain.config.load import load_config
from seqtrain.errors import ConfigError
from seqtrain.reports import inspected_batch as module
from seqtrain.reports.batch_predictions import batch_predictions
from seqtrain.reports.inspection import Inspection
from seqtrain.reports.output_spec import TrainingInfo
from seqtrain.reports.sample_epochs import epoch_numbers

CONFIGS = Path(__file__).parents[2] / "configs"


def predicting(predict, loss):
    """A model that predicts so, trained with a loss."""
    return lambda fields, x: batch_predictions(fields, {"": predict(x)}, TrainingInfo(loss))


def inspection(tmp_path, stage="augmented", side="train", epoch=0, config="augmented_digits", **settings):
    loaded = load_config(CONFIGS / f"{config}.yaml", [f"{key}={value}" for key, value in settings.items()])
    return Inspection(loaded, side, epoch, tmp_path, stage)


def only(look):
    return next(look.batches(1))


def test_before_augmentation_the_same_samples_are_shown(tmp_path):
    raw, fit, both = (only(inspection(tmp_path, stage, epoch=2)) for stage in ("raw", "augmented", "both"))
    assert raw.sample_ids == fit.sample_ids == both.sample_ids
    assert np.array_equal(both.fields[0].array, fit.fields[0].array)
    assert np.array_equal(both.before[0].array, raw.fields[0].array)
    assert not np.array_equal(raw.fields[0].array, fit.fields[0].array)
    assert both.to_json()["raw"]["x"] == raw.to_json()["fields"]["x"]
    assert "raw" not in fit.to_json()


def test_a_side_that_is_not_augmented_says_so(tmp_path):
    assert "before and after are the same" in only(inspection(tmp_path, "both", side="val")).text()
    assert "before and after" not in only(inspection(tmp_path, "both")).text()


def test_a_class_written_for_keras_has_nothing_before_augmentation(tmp_path):
    with pytest.raises(ConfigError, match="--stage both: a class written for Keras"):
        inspection(tmp_path, "both", config="my_sequences")
    with pytest.raises(ConfigError, match="--sample: a class written for Keras"):
        list(inspection(tmp_path, config="my_sequences").samples(["1"], [0]))


def test_one_sample_is_shown_as_it_stands_in_the_batches_of_each_epoch(tmp_path):
    ids = only(inspection(tmp_path)).sample_ids
    (shown,) = inspection(tmp_path, "both").samples([str(ids[4])], [0, 1, 2])
    assert shown.sample_ids == [ids[4]] * 3
    for epoch in range(3):
        for batch in inspection(tmp_path, epoch=epoch).batches(None):
            if ids[4] in batch.sample_ids:
                row = batch.sample_ids.index(ids[4])
                assert np.array_equal(shown.fields[0].array[epoch], batch.fields[0].array[row])
                assert shown.remarks[epoch] == f"epoch {epoch}, batch {batch.index}"
    assert len(np.unique(shown.before[0].array, axis=0)) == 1
    assert len(np.unique(shown.fields[0].array, axis=0)) == 3


def test_a_sample_is_named_by_the_end_of_its_path(tmp_path):
    look = inspection(tmp_path)
    index = int(look.data.split.train[0])
    path = Path(look.data.source[index]["path"])
    (shown,) = look.samples([f"{path.parent.name}/{path.name}"], [0])
    assert shown.sample_ids == [index]
    with pytest.raises(ConfigError, match="no samples end so"):
        list(look.samples(["nowhere.png"], [0]))
    with pytest.raises(ConfigError, match=r"500 samples end so(.|\n)*write more of the path"):
        list(look.samples([".png"], [0]))
    with pytest.raises(ConfigError, match=r"not on the side of train(.|\n)*--split val"):
        list(look.samples([str(look.data.split.val[0])], [0]))


def test_patches_of_one_volume_are_all_shown(tmp_path):
    look = inspection(tmp_path, config="volume_patches")
    volume = int(look.data.split.train[0])
    (shown,) = look.samples([str(volume)], [0])
    items = look.sequence.source_indices(look.sequence.indices)
    assert len(shown.sample_ids) == np.count_nonzero(items == volume) > 1


def test_epochs_are_numbers_and_ranges():
    assert epoch_numbers("0-2,7") == [0, 1, 2, 7]
    for wrong in ("", "a", "3-", "2-1"):
        with pytest.raises(ValueError):
            epoch_numbers(wrong)


def test_predictions_stand_in_the_order_of_the_rows_and_on_the_page(tmp_path):
    look = inspection(tmp_path, config="digits", batch_size=4)
    look.predictor = predicting(lambda x: np.eye(10, dtype=np.float32)[[3] * len(x)] * 0.9, "crossentropy")
    batch = only(look)
    look.finish()
    document = batch.to_json()["predictions"]["y"]
    assert document["predicted"] == [3] * 4
    assert document["wrong"] == [label != 3 for label in batch.fields[1].array.tolist()]
    assert document["probability"] == [pytest.approx(0.9)] * 4
    html = (tmp_path / "index.html").read_text()
    assert f"{sum(document['wrong'])} of 4 are wrong" in html
    assert "http" not in html


def test_the_page_holds_every_sheet_and_the_json_names_it(tmp_path):
    look = inspection(tmp_path)
    assert len(list(look.batches(3))) == 3
    sheets = look.finish()
    html = Path(look.to_json()["page"]).read_text()
    assert html.count("data:image/png;base64,") == len(sheets) == 3
    assert "train, epoch 0, batch 2 of 13" in html
    json.dumps(look.to_json())


def test_the_most_confident_mistakes_of_all_batches_are_listed_first(tmp_path):
    look = inspection(tmp_path, config="digits", side="val", batch_size=10, **{"fit.workers": 0})
    steps = iter(range(20))

    def predict(x):
        """The sure class 9, surer from batch to batch."""
        share = 0.5 + next(steps) / 50
        return np.tile(np.array([(1 - share) / 9] * 9 + [share], np.float32), (len(x), 1))

    look.predictor = predicting(predict, "crossentropy")
    labels = {}
    for batch in look.batches(None):
        labels |= {
            f"#{index}": str(label) for index, label in zip(batch.sample_ids, batch.fields[1].array, strict=True)
        }
    look.finish()
    # The last two batches hold the 20 samples of class 9, which are right, so the two before them are the worst.
    assert [row[2] for row in look.worst] == ["17"] * 10 + ["16"] * 10
    assert all(row[3] == labels[row[1].split()[0]] == "8" for row in look.worst)
    assert (tmp_path / "index.html").read_text().index("To look at first") > 0


@pytest.mark.parametrize("stage", ["augmented", "both"])
def test_each_predicted_series_is_drawn_over_its_own_sample(tmp_path, monkeypatch, stage):
    drawn = []
    monkeypatch.setattr(module, "contact_sheet", lambda panels, **options: drawn.append(panels))
    look = inspection(tmp_path, stage, side="val", config="series")
    look.predictor = predicting(lambda x: x[:, -12:, :1] * np.linspace(2, 3, len(x))[:, None, None], "mse")
    shown = only(look)
    if stage == "both":  # what is augmented is not what it was before
        before = [dataclasses.replace(field, array=field.array + 1) for field in shown.fields]
        dataclasses.replace(shown, before=before).sheet()
        assert [panel.name for panel in drawn[-1]] == ["before", "after"]
        assert not drawn[-1][0].over
    known, target = (field.array for field in drawn[-1][-1].fields)
    (over,) = drawn[-1][-1].over
    ratio = (over.array / known[:, -12:, :1]).mean(axis=(1, 2))
    np.testing.assert_allclose(over.array, known[:, -12:, :1] * ratio[:, None, None], rtol=1e-4)
    errors = np.abs(over.array - target).mean(axis=(1, 2))
    assert (np.diff(errors) < 1e-6).all()  # the largest first, which is not the order of the batch
