import warnings

import keras
import numpy as np
import pytest

from seqtrain.registry import models


@pytest.fixture
def build():
    """Builds a model by its registered name, as a run does."""

    def build(name, arguments=None, **supplied):
        keras.utils.set_random_seed(7)
        return models.get(name).build(arguments or {}, supplied)

    return build


@pytest.fixture
def assert_survives_saving(tmp_path):
    def check(model, x):
        expected = model.predict(x, verbose=0)
        with warnings.catch_warnings():  # Keras converts TensorFlow's variables in a way that NumPy 2 deprecates
            warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword")
            model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)

    return check
