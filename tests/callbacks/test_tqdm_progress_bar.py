import io
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from seqtrain.callbacks import tqdm_progress_bar
from seqtrain.callbacks.tqdm_progress_bar import TQDMProgressBar

X = np.arange(24, dtype="float32").reshape(12, 2) / 24
Y = X.sum(axis=1)
LINE = (
    r"Epoch {}/3  loss: \d+\.\d{{4}} - mae: \d+\.\d{{4}} - val_loss: \d+\.\d{{4}} - val_mae: \d+\.\d{{4}} - \d+\.\d s"
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


@pytest.fixture
def terminal(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr(tqdm_progress_bar, "sys", SimpleNamespace(stderr=stderr))
    return stderr


def fit(model, *callbacks, **arguments):
    options = {"epochs": 3, "batch_size": 4, "validation_data": (X, Y), "verbose": 0} | arguments
    return model.fit(X, Y, callbacks=list(callbacks), **options)


def last_drawn(text):
    """What each line of the terminal shows in the end, without tqdm's moves."""
    return [line.rsplit("\r", 1)[-1] for line in re.sub(r"\x1b\[A", "\n", text).split("\n")]


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


def test_a_terminal_gets_bars(model, terminal):
    history = fit(model, TQDMProgressBar())
    text = terminal.getvalue()
    assert [f"Epoch {n}/3" in text for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert re.search(r"Training: 100%.* 3/3 ", text)
    final = " - ".join(f"{name}: {values[-1]:0.4f}" for name, values in history.history.items())
    assert any(line.startswith("3/3") and line.rstrip().endswith(final) for line in last_drawn(text))


def test_a_terminal_gets_lines_where_they_are_asked_for(model, terminal):
    fit(model, TQDMProgressBar(progress="lines"))
    assert len(terminal.getvalue().splitlines()) == 3


def test_none_is_silent(model, terminal):
    callback = TQDMProgressBar(progress="none")
    fit(model, callback)
    model.evaluate(X, Y, verbose=0, callbacks=[callback])
    assert terminal.getvalue() == ""


def test_bars_can_be_left_out(model, terminal):
    fit(model, TQDMProgressBar(show_epoch_progress=False))
    assert "Epoch 1" not in terminal.getvalue()
    assert "Training: 100%" in terminal.getvalue()
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
    first, second = terminal.getvalue().split("Epoch 2/2")
    assert "0/?" in first
    assert "3/3" in first
    assert "?/?" not in second
    assert "0/3" in second


def test_an_interruption_in_an_epoch_leaves_bars_that_close(model, terminal):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    callback = TQDMProgressBar()
    with pytest.raises(KeyboardInterrupt):
        fit(model, callback, Interrupt())
    assert callback._steps is not None
    callback.close()
    callback.close()
    assert (callback._overall, callback._steps, callback._evaluation) == (None, None, None)
    assert any(line.startswith("2/3") for line in last_drawn(terminal.getvalue()))
    fit(model, callback)
    assert "Training: 100%" in terminal.getvalue()


def test_a_run_that_goes_on_begins_its_bar_in_the_middle(model, terminal):
    fit(model, TQDMProgressBar(), initial_epoch=2)
    assert "Epoch 1/3" not in terminal.getvalue()
    assert re.search(r"Training:  67%.* 2/3 ", terminal.getvalue())
    assert re.search(r"Training: 100%.* 3/3 ", terminal.getvalue())


def test_an_evaluation_by_itself_has_a_bar_or_a_line(model, terminal, capsys):
    values = model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[TQDMProgressBar()])
    assert any(
        line.startswith("3/3") and f"loss: {values[0]:0.4f} - mae: {values[1]:0.4f}" in line
        for line in last_drawn(terminal.getvalue())
    )
    terminal.truncate(0)
    model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[TQDMProgressBar(progress="lines")])
    assert re.fullmatch(
        rf"\0*Evaluation  loss: {values[0]:0.4f} - mae: {values[1]:0.4f} - \d+\.\d s\n", terminal.getvalue()
    )


def test_logs_that_are_no_numbers_do_not_stop_training(model, capsys):
    class Notes(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs.update(note="fine", matrix=np.eye(2), learning_rate=np.float32(0.5))

    fit(model, Notes(), TQDMProgressBar(), epochs=1)
    line = capsys.readouterr().err
    assert "learning_rate: 0.5000" in line
    assert "note" not in line
    assert "matrix" not in line
