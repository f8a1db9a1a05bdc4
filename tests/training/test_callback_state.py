import json
import types

import keras
import pytest

from seqtrain.training.callback_state import CallbackStates

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # Keras's own

LOSSES = [1.0, 0.97, 0.94, 0.5, 0.49, 0.48, 0.47]


class Model:
    """What EarlyStopping and ReduceLROnPlateau need of a model."""

    def __init__(self):
        self.stop_training = False
        self.metrics = []
        self.optimizer = types.SimpleNamespace(learning_rate=keras.Variable(1.0))

    def get_weights(self):
        return []


def begun(make):
    callback = make()
    states = CallbackStates(["one"], [callback])
    callback.set_model(Model())
    callback.on_train_begin()
    states.note_changes()
    return callback, states


def judgements(callback, losses, first):
    told = []
    for epoch, loss in enumerate(losses, first):
        callback.on_epoch_end(epoch, {"loss": loss})
        told.append((callback.wait, callback.best, callback.model.stop_training))
    return told


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.callbacks.EarlyStopping(monitor="loss", mode="min", min_delta=0.05, patience=3),
        lambda: keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="min", min_delta=0.05, patience=2),
    ],
)
@pytest.mark.parametrize("at", range(1, len(LOSSES)))
def test_keras_callbacks_judge_after_a_resume_as_they_would_have(make, at):
    whole, _ = begun(make)
    expected = judgements(whole, LOSSES, 0)
    first, states = begun(make)
    before = judgements(first, LOSSES[:at], 0)
    arrays = {}
    document = json.loads(json.dumps(states.capture(arrays)))
    second, states = begun(make)
    states.restore(document, arrays)
    assert before + judgements(second, LOSSES[at:], at) == expected


def test_what_the_config_says_comes_from_the_config_that_a_run_goes_on_with():
    _, states = begun(lambda: keras.callbacks.EarlyStopping(monitor="loss", patience=3))
    arrays = {}
    document = states.capture(arrays)
    longer, states = begun(lambda: keras.callbacks.EarlyStopping(monitor="loss", patience=9))
    states.restore(document, arrays)
    assert longer.patience == 9


class Counts(keras.callbacks.Callback):
    def __init__(self, seen=0):
        super().__init__()
        self.seen = seen
        self.lock = object()


def test_a_callback_of_ones_own_keeps_what_changed_also_under_the_name_of_an_argument(caplog):
    callback, states = begun(Counts)
    callback.seen = 5
    document = states.capture({})
    assert "do not keep lock of the callback 'one'" in caplog.text
    other, states = begun(Counts)
    states.restore(document, {})
    assert other.seen == 5


class Own(keras.callbacks.Callback):
    def state_dict(self):
        return {"a": 1}

    def load_state_dict(self, state):
        self.loaded = state


def test_a_callback_may_say_itself_what_its_state_is():
    _, states = begun(Own)
    document = states.capture({})
    other, states = begun(Own)
    states.restore(document, {})
    assert other.loaded == {"a": 1}
