import logging

import pytest


@pytest.fixture
def renewal(tmp_path):
    """For a run that has trained for longer than a drawing's share."""
    from seqtrain.training.background_plotter import BackgroundPlotter

    made = BackgroundPlotter(tmp_path)
    made._began -= 60
    yield made
    made.close()


def test_curves_are_drawn_by_a_process_of_their_own(renewal, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n1,0.5\n")
    renewal.on_epoch_end(0)
    assert renewal._process.wait(60) == 0
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["loss.png"]


def test_short_epochs_do_not_each_begin_a_drawing(renewal, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n")
    renewal.on_epoch_end(0)
    first = renewal._process
    renewal.on_epoch_end(1)
    assert renewal._process is first
    first.wait(60)
    renewal.on_epoch_end(2)
    assert renewal._process is None


def test_a_drawing_that_fails_is_told_once_and_not_tried_again(renewal, caplog):
    with caplog.at_level(logging.WARNING, "seqtrain"):
        renewal.on_epoch_end(0)
        assert renewal._process.wait(60) != 0
        renewal.on_epoch_end(1)
        renewal._began -= 60
        renewal.on_epoch_end(2)
    assert len(caplog.records) == 1 and "history.csv" in caplog.text
    assert renewal._process is None


def test_the_end_of_a_run_ends_a_drawing(renewal, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n")
    renewal.on_epoch_end(0)
    process = renewal._process
    renewal.on_train_end()
    assert process.returncode is not None and renewal._process is None
