"""Rows of predictions are those of the samples, or there are none: classes of users may shuffle unseen."""

import json

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import DataError
from seqtrain.inference.prediction import predict
from seqtrain.registry import models, sequences
from seqtrain.training.options import FitOptions
from seqtrain.training.session import fit
from tests.conftest import DATA

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation")]  # of Keras
CODE = """
import numpy as np
from PIL import Image
from seqtrain.registry import models, sequences

def read(paths):
    return np.stack([np.asarray(Image.open(path).resize((8, 8)), "float32") for path in paths])

@sequences.register("shuffling")
class Shuffling:
    def __init__(self, file_paths, labels, batch_size, shuffle=True, draws="own"):
        self.paths, self.labels, self.b = np.asarray(file_paths), np.asarray(labels), batch_size
        self.rows = np.arange(len(file_paths))
        if shuffle and draws == "own":
            np.random.default_rng(5).shuffle(self.rows)
        elif shuffle:
            np.random.shuffle(self.rows)

    def __len__(self):
        return -(-len(self.rows) // self.b)

    def __getitem__(self, i):
        rows = self.rows[i * self.b : (i + 1) * self.b]
        return read(self.paths[rows]), self.labels[rows]

@sequences.register("shuffling_generator")
def shuffling_generator(file_paths, labels, batch_size):
    rows = np.random.permutation(len(file_paths))
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        yield read(np.asarray(file_paths)[part]), np.asarray(labels)[part]

@models.register("flat")
def flat(input_shape, num_classes):
    import keras

    layers = [keras.layers.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(num_classes, "softmax")]
    return keras.Sequential(layers)
"""
INPUTS = [DATA / "digits" / "3"]


@pytest.fixture
def trained(tmp_path):
    """Trains one step with a sequence of the code above; returns the run folder."""

    def trained(sequence):
        (tmp_path / "own.py").write_text(CODE)
        document = {
            "version": 1,
            "imports": ["./own.py"],
            "source": {"name": "image_folder", "path": str(DATA / "digits")},
            "sequence": sequence,
            "batch_size": 32,
            "model": "flat",
            "compile": {"loss": "sparse_categorical_crossentropy"},
            "fit": {"epochs": 1, "steps_per_epoch": 1, "validation_steps": 1},
        }
        (tmp_path / "config.yaml").write_text(json.dumps(document))
        fit(load_config(tmp_path / "config.yaml"), FitOptions(tmp_path / "run", "never", "none", ["seqtrain"]))
        return tmp_path / "run"

    yield trained
    for registry, names in ((sequences, ("shuffling", "shuffling_generator")), (models, ("flat",))):
        for name in names:
            registry.unregister(name)


def test_a_class_that_shuffles_in_its_constructor_predicts_only_where_it_does_not(trained, tmp_path):
    run, out = trained("shuffling"), tmp_path / "p.npy"
    with pytest.raises(DataError, match=r"Shuffling does not give its samples in order(?s:.*)sequence.shuffle=false"):
        predict(run, INPUTS, out=out)
    with pytest.raises(DataError, match="Shuffling draws random numbers in its constructor"):
        predict(run, INPUTS, ["sequence.draws=global"], out=out)
    done = predict(run, INPUTS, ["sequence.shuffle=false"], out=out)
    assert done.failed == 0 and len(np.load(out)) == len(list(INPUTS[0].iterdir()))


def test_a_generator_that_shuffles_predicts_nothing(trained, tmp_path):
    with pytest.raises(DataError, match="shuffling_generator does not give its samples in order"):
        predict(trained("shuffling_generator"), INPUTS, out=tmp_path / "p.npy")
