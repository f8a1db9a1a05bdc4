import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from seqtrain.errors import DataError
from seqtrain.reports.curves import best_point, draw, fine_tuned_from

HISTORY = """epoch,accuracy,learning_rate,loss,val_accuracy,val_loss
0,0.5,0.001,1.2,0.4,1.5
1,0.75,0.001,0.6,0.9,nan
2,0.8,0.0005,0.5,0.6,
3,0.9,0.0005,0.3,0.7,0.8
"""
BLUE, ORANGE, GRAY = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x76, 0x76, 0x76)


@pytest.fixture
def history(tmp_path):
    def write(text):
        path = tmp_path / "history.csv"
        path.write_text(text)
        return path

    return write


def shows(path, color, pixels=1):
    with Image.open(path) as picture:
        return (np.asarray(picture.convert("RGB")) == color).all(axis=-1).sum() >= pixels


def test_each_metric_has_one_picture_with_training_and_validation(history, tmp_path):
    paths = draw(history(HISTORY), tmp_path / "plots")
    assert [path.name for path in paths] == ["accuracy.png", "learning_rate.png", "loss.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert picture.size == (900, 600)
        assert shows(path, BLUE)
        assert shows(path, ORANGE) == (path.name != "learning_rate.png")


def test_one_epoch_is_drawn(history, tmp_path):
    (path,) = draw(history("epoch,loss\n0,0.5\n"), tmp_path)
    assert shows(path, BLUE)


def test_the_beginning_of_fine_tuning_is_a_line_in_every_picture(history, tmp_path):
    line = 150  # letters have a few such pixels too
    assert not any(shows(path, GRAY, line) for path in draw(history(HISTORY), tmp_path))
    assert all(shows(path, GRAY, line) for path in draw(history(HISTORY), tmp_path, 2))
    assert not any(shows(path, GRAY, line) for path in draw(history(HISTORY), tmp_path, 4))  # no epoch of it is done


def test_the_last_beginning_of_fine_tuning_in_the_log_counts(tmp_path):
    log = tmp_path / "train.log"
    assert fine_tuned_from(log) is None
    log.write_text("2026-01-01 10:00:00,000 INFO fine-tuning from epoch 7 on\n")
    assert fine_tuned_from(log) == 6
    log.write_text(log.read_text() + "a\n2026-01-01 11:00:00,000 INFO fine-tuning from epoch 5 on\nb\n")
    assert fine_tuned_from(log) == 4


def test_nothing_unfinished_is_left(history, tmp_path):
    paths = draw(history(HISTORY), tmp_path / "plots")
    assert sorted((tmp_path / "plots").iterdir()) == sorted(paths)


def test_points_between_gaps_are_seen(history, tmp_path):
    rows = [f"{epoch},{1 / (epoch + 1)},{0.5 if epoch % 5 == 0 else ''}" for epoch in range(30)]
    (path,) = draw(history("\n".join(["epoch,loss,val_loss", *rows])), tmp_path)
    assert shows(path, ORANGE)


def test_a_metric_without_any_number_is_left_out(history, tmp_path):
    assert [path.name for path in draw(history("epoch,loss,odd\n0,0.5,nan\n1,inf,text\n"), tmp_path)] == ["loss.png"]


def test_a_metric_name_with_a_slash_stays_in_the_folder(history, tmp_path):
    assert draw(history("epoch,a/../b\n0,1\n"), tmp_path) == [tmp_path / "a_.._b.png"]


def test_a_history_without_an_epoch_gives_no_picture(history, tmp_path):
    assert draw(history("epoch,loss\n"), tmp_path / "plots") == []
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("text", ["step,loss\n0,1\n", "epoch,loss\nfirst,1\n"])
def test_a_file_that_is_no_history_is_told(history, tmp_path, text):
    with pytest.raises(DataError, match="the history cannot be read") as told:
        draw(history(text), tmp_path)
    assert "history.csv" in str(told.value)


def test_a_missing_history_is_told(tmp_path):
    with pytest.raises(DataError, match="FileNotFoundError"):
        draw(tmp_path / "history.csv", tmp_path)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        *[(name, 2) for name in ("loss", "mse", "mean_absolute_error", "rmse", "decoder_loss", "false_positives")],
        *[(name, 3) for name in ("accuracy", "auc", "f1_score", "recall", "r2_score", "mean_io_u")],
    ],
)
def test_the_best_epoch_is_the_lowest_of_an_error_and_the_highest_of_a_score(metric, expected):
    assert best_point(metric, [(1, 0.5), (2, 0.1), (3, 0.9), (4, 0.9)])[0] == expected


def test_matplotlib_is_imported_when_something_is_drawn():
    program = "import sys, seqtrain.reports.curves; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
