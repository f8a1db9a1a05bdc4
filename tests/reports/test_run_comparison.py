import json

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import CheckpointError, ConfigError
from seqtrain.reports.run_comparison import compare_runs
from seqtrain.reports.run_curves import draw_runs, spread
from seqtrain.reports.terminal import drawn
from tests.conftest import seqtrain
from tests.reports.run_folders import make_run

ORANGE, SKY_BLUE = (0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9)


def told(runs, width=100):
    return drawn(*compare_runs(runs).parts(width), width=width)


@pytest.fixture
def two(tmp_path):
    one = make_run(tmp_path / "runs" / "one", (0.5, 0.9))
    other = make_run(tmp_path / "runs" / "other", (0.4, 0.8), config={"fit": {"epochs": 9}, "batch_size": 16})
    return [one, other]


def test_only_what_differs_between_the_configs_is_told_for_each_run(two):
    document = compare_runs(two).to_json()
    assert document["differences"] == [
        {"key": "batch_size", "values": [32, 16]},
        {"key": "fit.epochs", "values": [4, 9]},
    ]
    assert [run["name"] for run in document["runs"]] == ["one", "other"]
    assert [run["metrics_at_best"]["val_accuracy"] for run in document["runs"]] == [0.9, 0.8]


def test_of_three_runs_a_key_is_told_that_two_have_alike(two, tmp_path):
    third = make_run(tmp_path / "runs" / "third", config={"batch_size": 16})
    assert compare_runs([*two, third]).to_json()["differences"] == [
        {"key": "batch_size", "values": [32, 16, 16]},
        {"key": "fit.epochs", "values": [4, 9, 4]},
    ]


def test_a_loss_by_output_stands_beside_one_for_all(two, tmp_path):
    third = make_run(tmp_path / "runs" / "third", config={"compile": {"loss": {"a": "mae", "b": "mse"}}})
    for runs in ([two[0], third], [third, two[0]]):
        compared = compare_runs(runs)
        values = compared.values(("compile", "loss"))
        assert {"a": "mae", "b": "mse"} in values and None not in values


def test_metrics_stand_side_by_side_with_a_mark_at_the_best(two):
    rows = [line.split() for line in told(two).splitlines()]
    assert ["batch_size", "32", "16"] in rows
    assert ["val_accuracy", "0.9", "*", "0.8"] in rows
    assert ["val_loss", "0.2", "*", "0.4"] in rows
    assert ["best", "epoch", "2", "2"] in rows


def test_no_loss_is_the_best_of_different_ones(two, tmp_path):
    other = make_run(tmp_path / "runs" / "third", (0.3, 0.7), config={"compile": {"loss": "mae"}})
    rows = [line.split() for line in told([*two, other]).splitlines()]
    assert ["val_accuracy", "0.9", "*", "0.8", "0.7"] in rows
    assert ["val_loss", "0.2", "0.4", "0.6"] in rows
    comparison = compare_runs([*two, other])
    names = ["loss", "val_loss", "val_price_loss", "accuracy", "val_mae"]
    assert [comparison.is_comparable(name) for name in names] == [False, False, False, True, True]


def test_on_a_narrow_terminal_the_runs_stand_below_each_other(two, tmp_path):
    more = [make_run(tmp_path / "runs" / f"number-{i}", config={"batch_size": i}) for i in range(1, 9)]
    lines = told([*two, *more], 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert "    number-3  3" in lines


def test_runs_that_mean_the_same_are_said_to(two, tmp_path):
    assert "their configs mean the same" in told([two[0], make_run(tmp_path / "again")])


def test_one_run_and_what_is_none_are_refused(two, tmp_path):
    with pytest.raises(ConfigError, match="at least two"):
        compare_runs([two[0], two[0]])
    with pytest.raises(CheckpointError, match="there is no run"):
        compare_runs([two[0], tmp_path])


def test_each_run_has_a_curve_of_its_own_colour(two, tmp_path):
    compared = compare_runs(two)
    drawn = draw_runs(compared.runs, compared.names, tmp_path / "c.png", "val_accuracy")
    assert drawn == ["val_accuracy"]
    with Image.open(tmp_path / "c.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for color in (ORANGE, SKY_BLUE):
        assert (pixels == color).all(axis=-1).sum() > 100


def test_a_metric_that_no_run_has_is_refused(two, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'val_loss'"):
        draw_runs(compare_runs(two).runs, ["a", "b"], tmp_path / "c.png", "val_los")


def test_a_run_that_diverged_does_not_flatten_the_others(two, tmp_path):
    make_run(tmp_path / "runs" / "wild", (0.5, -1e9))
    make_run(tmp_path / "runs" / "lost", (-1e9,))
    compared = compare_runs([*two, tmp_path / "runs" / "wild", tmp_path / "runs" / "lost"])
    draw_runs(compared.runs, compared.names, tmp_path / "c.png", "val_loss")
    with Image.open(tmp_path / "c.png") as picture:
        rows = np.flatnonzero((np.asarray(picture.convert("RGB")) == ORANGE).all(axis=-1).any(axis=1))
    assert rows[-1] - rows[0] > 150  # the first run falls from 1 to 0.2, of 540 pixels


def test_labels_keep_their_distance_and_stay_in_the_picture():
    assert spread([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.5, 0.6, 0.9])
    assert spread([0.98, 0.99, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])


def test_the_command_writes_the_picture_and_one_document(two, tmp_path):
    done = seqtrain("runs", "compare", *two, "--out", tmp_path / "new" / "compare.png", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert (document["picture"], document["drawn"]) == (
        str(tmp_path / "new" / "compare.png"),
        ["val_accuracy", "val_loss"],
    )
    with Image.open(tmp_path / "new" / "compare.png") as picture:
        assert picture.size == (1350, 1080)
