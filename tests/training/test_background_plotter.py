import logging

import pytest


class Clock:
    """A clock that only a test moves on."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plotter(tmp_path, clock):
    """For a run that has trained for longer than a drawing's share."""
    from seqtrain.training.background_plotter import BackgroundPlotter

    made = BackgroundPlotter(tmp_path, clock)
    clock.now += 60
    yield made
    made.close()


def test_curves_are_drawn_by_a_process_of_their_own(plotter, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n1,0.5\n")
    plotter.on_epoch_end(0)
    assert plotter.process.wait(60) == 0
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["loss.png"]


def test_short_epochs_do_not_each_begin_a_drawing(plotter, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n")
    plotter.on_epoch_end(0)
    first = plotter.process
    plotter.on_epoch_end(1)
    assert plotter.process is first
    first.wait(60)
    plotter.on_epoch_end(2)
    assert plotter.process is None


def test_a_drawing_that_fails_is_logged_once_and_not_tried_again(plotter, clock, caplog):
    with caplog.at_level(logging.WARNING, "seqtrain"):
        plotter.on_epoch_end(0)
        assert plotter.process.wait(60) != 0
        plotter.on_epoch_end(1)
        clock.now += 60
        plotter.on_epoch_end(2)
    assert len(caplog.records) == 1 and "history.csv" in caplog.text
    assert plotter.process is None


def test_the_end_of_a_run_ends_a_drawing(plotter, tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,1\n")
    plotter.on_epoch_end(0)
    process = plotter.process
    plotter.on_train_end()
    assert process.returncode is not None and plotter.process is None
