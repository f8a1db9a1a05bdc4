import pytest

from seqtrain.config.dump import dump
from seqtrain.config.load import load_config
from seqtrain.config.non_default import non_default

SHORT = """
source: {name: synthetic_sum, num_samples: 10}
sequence: arrays
model: mlp
compile: {loss: mse, metrics: [mae], optimizer: {name: sgd, momentum: 0.9}}
fit: {epochs: 3, use_multiprocessing: false}
on_nan: rollback
callbacks: [tqdm, {early_stopping: {patience: 0}}, early_stopping]
"""
NOT_DEFAULT = {
    "source": "synthetic_sum",
    "source.num_samples": 10,
    "sequence": "arrays",
    "model": "mlp",
    "compile.optimizer": "sgd",
    "compile.optimizer.momentum": 0.9,
    "compile.loss": "mse",
    "compile.metrics": ["mae"],
    "fit.epochs": 3,
    "on_nan.action": "rollback",
    "callbacks.early_stopping": "early_stopping",
    "callbacks.early_stopping (2)": "early_stopping",
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(SHORT)
    return path


def told(path):
    return {value.key: value.value for value in non_default(load_config(path))}


def test_only_what_is_not_the_default_departs_from_it(config):
    assert told(config) == NOT_DEFAULT


def test_defaults_that_are_written_out_do_not_depart(config):
    written = dump(load_config(config).config)
    assert "workers: 4" in written
    config.write_text(written)
    assert told(config) == NOT_DEFAULT
