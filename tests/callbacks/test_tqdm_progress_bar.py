import io
import os
import re
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from seqtrain import console
from seqtrain.callbacks import tqdm_progress_bar
from seqtrain.callbacks.epoch_text import metric_parts
from seqtrain.callbacks.fitted_bar import FittedBar, Segment, fitted
from seqtrain.callbacks.tqdm_progress_bar import TQDMProgressBar
from seqtrain.errors import ConfigError

X = np.arange(24, dtype="float32").reshape(12, 2) / 24
Y = X.sum(axis=1)
LINE = (
    r"Epoch {}/3  loss: \d+\.\d{{4}} - mae: \d+\.\d{{4}} - val_loss: \d+\.\d{{4}} - val_mae: \d+\.\d{{4}} - \d+\.\d s"
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """A slow machine tells no more than a fast one."""
    monkeypatch.setattr(console, "PATIENCE_S", 3600)


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=True)  # for nine steps there is no need to trace
    return model


@pytest.fixture
def terminal(monkeypatch):
    stderr = Terminal()
    for module in (console, tqdm_progress_bar):  # pytest takes `sys.stderr` itself back before the test
        monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=stderr, modules=sys.modules))
    monkeypatch.setenv("TERM", "xterm")
    return stderr


def fit(model, *callbacks, **arguments):
    options = {"epochs": 3, "batch_size": 4, "validation_data": (X, Y), "verbose": 0} | arguments
    return model.fit(X, Y, callbacks=list(callbacks), **options)


def drawn(text):
    """Every line that was ever drawn, without tqdm's moves and the blanks over what was there before."""
    return [line.rstrip() for line in re.split(r"\x1b\[A|\n|\r", text) if line.strip()]


@pytest.fixture
def columns(terminal, monkeypatch):
    """Sets the width of the terminal."""
    terminal.fileno = lambda: 2

    def wide(count):
        monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((count, 24)))

    wide(80)
    return wide


class Logs(keras.callbacks.Callback):
    """Adds to the logs of batches and epochs, as a run's measuring of its pace does."""

    def __init__(self, **logs):
        super().__init__()
        self.added = logs

    def on_train_batch_end(self, batch, logs=None):
        logs.update(self.added)

    on_epoch_end = on_train_batch_end


def test_a_pipe_gets_a_plain_line_an_epoch_and_nothing_else(model, capsys):
    fit(model, TQDMProgressBar())
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(LINE.format(number), line)


def test_a_line_shows_the_metrics_of_its_epoch(model, capsys):
    history = fit(model, TQDMProgressBar(metrics_format="{name}={value:.6f}", metrics_separator=" | "), epochs=1)
    expected = " | ".join(f"{name}={values[0]:.6f}" for name, values in history.history.items())
    assert capsys.readouterr().err.startswith(f"Epoch 1/1  {expected} | ")


def test_a_terminal_gets_bars_and_keeps_the_metrics_of_each_epoch(model, terminal):
    history = fit(model, TQDMProgressBar())
    lines = drawn(terminal.getvalue())
    assert re.fullmatch(r"Training +100% \|[█#]+\| after \d\.\d s", lines[-1])
    for number in (1, 2, 3):
        assert any(re.match(rf"Epoch {number}/3 0/3 \|", line) for line in lines)
        kept = " - ".join(f"{name}: {values[number - 1]:0.4f}" for name, values in history.history.items())
        assert any(re.fullmatch(rf"Epoch {number}/3  {re.escape(kept)} - \d\.\d s", line) for line in lines)
    assert not any("Epoch 4" in line for line in lines)


def test_the_bars_of_the_training_and_of_the_epoch_stand_below_each_other(model, terminal):
    fit(model, TQDMProgressBar(), epochs=10)
    lines = drawn(terminal.getvalue())
    bars = {line.index("|") for line in lines if line.startswith(("Epoch", "Training")) and "|" in line}
    assert len(bars) == 1


def test_the_bar_of_the_training_shows_samples_per_second_and_the_wait_for_data(model, terminal):
    fit(model, Logs(samples_per_s=1520.4, data_wait=0.031), TQDMProgressBar(update_per_second=1e6))
    lines = drawn(terminal.getvalue())
    assert any(line.startswith("Training") and line.endswith("left, 1520 samples/s, data wait 3%") for line in lines)
    live = [line for line in lines if re.match(r"Epoch 2/3 2/3 \|", line)]
    assert re.search(r"\d\d:\d\d left  loss: 0\.\d{4} - mae: 0\.\d{4}$", live[-1])


def test_without_that_bar_the_bar_of_the_epoch_shows_them(model, terminal):
    pace = Logs(samples_per_s=1520.4, data_wait=0.031)
    fit(model, pace, TQDMProgressBar(show_overall_progress=False, update_per_second=1e6))
    assert any(
        line.startswith("Epoch 2/3 2/3 |") and line.endswith(" - 1520 samples/s - data wait 3%")
        for line in drawn(terminal.getvalue())
    )


@pytest.mark.parametrize("width", [30, 80, 200])
def test_no_line_is_wider_than_the_terminal_and_the_loss_stays(model, terminal, columns, width):
    columns(width)
    many = Logs(samples_per_s=1520.4, data_wait=0.031, **{f"metric_{number}": number / 20 for number in range(20)})
    fit(model, many, TQDMProgressBar(update_per_second=1e6), epochs=1)
    lines = drawn(terminal.getvalue())
    assert max(map(len, lines)) < width
    kept = next(line for line in lines if re.match(r"(Epoch )?1/1  loss", line))
    assert ("val_mae" in kept) == (width > 30)
    assert ("metric_1:" in kept) == (width == 200)
    assert not any("metric_19" in line for line in lines)


def test_a_terminal_that_became_narrower_gets_shorter_lines(model, terminal, columns):
    class Resize(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                terminal.truncate(0)
                columns(40)

    fit(model, Resize(), TQDMProgressBar(update_per_second=1e6))
    after = terminal.getvalue().replace("\0", "")
    assert any(line.startswith("Epoch 2/3") for line in drawn(after))
    assert after.count("\x1b[J") == 1
    pieces = re.split(r"\x1b\[[AJ]|\n|\r", after)  # with the blanks over longer lines, which would wrap too
    assert max(map(len, pieces)) < 40


def test_bars_have_no_colour(model, terminal):
    fit(model, TQDMProgressBar(update_per_second=1e6))
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", terminal.getvalue())) <= {"\x1b[A"}


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(model, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    fit(model, TQDMProgressBar())
    assert [line[:9] for line in terminal.getvalue().splitlines()] == ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]


def test_a_line_that_would_look_the_same_is_not_drawn_again(terminal):
    bar = FittedBar("Training", "postfix", ", ", total=3, bar_format="{desc} {n_fmt}", file=terminal)
    before = terminal.getvalue()
    bar.refresh()
    assert terminal.getvalue() == before
    bar.update(1)
    bar.refresh()
    assert terminal.getvalue().endswith("\rTraining 1")
    bar.close()


def test_a_long_epoch_is_more_than_a_line_in_a_log(model, capsys, monkeypatch):
    monkeypatch.setattr(tqdm_progress_bar, "LINE_EVERY_S", 0)
    fit(model, TQDMProgressBar(validation_steps=3), epochs=1)
    lines = capsys.readouterr().err.splitlines()
    assert [re.match(r"Epoch 1/1  (?:(.*?)  )?loss: \d", line)[1] for line in lines] == [
        *["1/3", "2/3", "3/3"],
        *["validating 1/3", "validating 2/3", "validating 3/3"],
        None,
    ]


def test_a_log_says_once_that_the_model_is_compiled(model, capsys, monkeypatch):
    monkeypatch.setattr(console, "PATIENCE_S", 0)
    fit(model, TQDMProgressBar())
    assert capsys.readouterr().err.splitlines().count("compiling the model") == 1


def test_a_rate_of_no_updates_is_refused():
    with pytest.raises(ConfigError, match="update_per_second: must be above 0"):
        TQDMProgressBar(update_per_second=0)


def test_metrics_stand_in_the_order_of_reading_and_small_ones_stay_visible():
    logs = {"accuracy": 0.5, "learning_rate": 1e-5, "loss": 2.0, "val_accuracy": 0.25, "val_loss": 3.0}
    texts = [part.text for part in metric_parts(logs, "{name}: {value:0.4f}")]
    assert texts == [
        *["loss: 2.0000", "accuracy: 0.5000"],
        *["val_loss: 3.0000", "val_accuracy: 0.2500", "learning_rate: 1.0e-05"],
    ]
    assert metric_parts(logs, "{name}={value:.1f}")[-1].text == "learning_rate=0.0"


def test_the_metric_that_is_watched_stays_where_room_is_short():
    logs = {"loss": 2.0, "pixel_accuracy": 0.5, "mean_iou": 0.1, "val_loss": 3.0, "val_mean_iou": 0.25}
    parts = metric_parts(logs, "{name}: {value:0.2f}", watched="val_mean_iou")
    assert fitted(parts, 60, " - ") == "loss: 2.00  mean_iou: 0.10  val_loss: 3.00"
    assert fitted(parts, 70, " - ") == "loss: 2.00  mean_iou: 0.10  val_loss: 3.00  val_mean_iou: 0.25"


def test_what_matters_least_is_left_out_first():
    parts = [Segment("loss", 0), Segment("more", 2), Segment("val", 1)]
    assert [fitted(parts, room, " - ") for room in (17, 16, 15, 14, 9, 8, 4, 3)] == [
        *["loss - more - val", "loss  more  val", "loss  more  val"],
        *["loss  val", "loss  val", "loss", "loss", ""],
    ]


def test_a_terminal_gets_lines_where_they_are_asked_for(model, terminal):
    fit(model, TQDMProgressBar(progress="lines"))
    assert len(terminal.getvalue().splitlines()) == 3


def test_none_is_silent(model, terminal):
    callback = TQDMProgressBar(progress="none")
    fit(model, callback)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    assert terminal.getvalue() == ""


def test_bars_can_be_left_out(model, terminal):
    fit(model, TQDMProgressBar(show_epoch_progress=False, update_per_second=1e6))
    assert "Epoch 1" not in terminal.getvalue()
    assert re.search(r"Training 100% .* left, loss: \d\.\d{4}, mae: ", terminal.getvalue())
    terminal.truncate(0)
    fit(model, TQDMProgressBar(show_overall_progress=False))
    assert "Training" not in terminal.getvalue()


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_unknown_number_of_steps_is_known_from_the_second_epoch_on(model, terminal):
    import tensorflow as tf

    data = tf.data.Dataset.from_generator(
        lambda: ((X[i : i + 4], Y[i : i + 4]) for i in range(0, 12, 4)),
        output_signature=(tf.TensorSpec((None, 2)), tf.TensorSpec((None,))),
    )
    model.fit(data, epochs=2, verbose=0, shuffle=False, callbacks=[TQDMProgressBar()])
    lines = drawn(terminal.getvalue())
    assert any(line.startswith("Epoch 1/2 0/? |") and line.endswith("--:-- left") for line in lines)
    assert any(line.startswith("Epoch 2/2 0/3 |") for line in lines)


def test_an_interruption_in_an_epoch_leaves_bars_that_close(model, terminal):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    callback = TQDMProgressBar()
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, Interrupt())
    assert "stopped" not in terminal.getvalue()
    callback.close()
    closed = terminal.getvalue()
    callback.close()
    assert terminal.getvalue() == closed
    lines = drawn(closed)
    assert any(re.match(r"Epoch 1/3 2/3 \|.*\| stopped  loss: ", line) for line in lines)
    assert re.match(r"Training +\d+% .* after \d\.\d s", lines[-1])
    fit(model, callback)
    assert drawn(terminal.getvalue())[-1].startswith("Training 100%")


def test_a_run_that_goes_on_begins_its_bar_in_the_middle(model, terminal):
    fit(model, TQDMProgressBar(), initial_epoch=2)
    assert "Epoch 1/3" not in terminal.getvalue()
    assert re.search(r"Training +67% ", terminal.getvalue())
    assert re.search(r"Training +100% ", terminal.getvalue())


def test_an_evaluation_by_itself_has_a_bar_or_a_line(model, terminal, capsys):
    values = model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[TQDMProgressBar()])
    lines = drawn(terminal.getvalue())
    kept = rf"Evaluation  loss: {values[0]:0.4f} - mae: {values[1]:0.4f} - \d+\.\d s"
    assert lines[0].startswith("Evaluating 0/3 |")
    assert re.fullmatch(kept, lines[-1])
    terminal.truncate(0)
    model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[TQDMProgressBar(progress="lines")])
    assert re.fullmatch(rf"\0*{kept}\n", terminal.getvalue())


def test_logs_that_are_no_numbers_do_not_stop_training(model, capsys):
    class Notes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(note="fine", matrix=np.eye(2), learning_rate=np.float32(0.5))

    fit(model, Notes(), TQDMProgressBar(), epochs=1)
    line = capsys.readouterr().err
    assert "learning_rate: 0.5000" in line
    assert "note" not in line
    assert "matrix" not in line
