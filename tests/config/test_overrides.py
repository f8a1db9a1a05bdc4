from pathlib import Path

import pytest

from seqtrain.config.overrides import apply_override
from seqtrain.config.reader import read_text
from seqtrain.errors import ConfigError

TEXT = """
model: {name: cnn, filters: [1, 2]}
compile: {optimizer: adam}
fit: {epochs: 3}
callbacks: [tqdm, early_stopping: {patience: 2}, {name: csv_logger, filename: a}]
"""


def after(*overrides):
    root = read_text(TEXT, "c.yaml", Path("/data"), [])
    for override in overrides:
        apply_override(root, override, [])
    return root


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("fit.epochs=5", ["fit", "epochs"], 5),
        ("fit.workers=2", ["fit", "workers"], 2),
        ("split.train=0.7", ["split", "train"], 0.7),
        ("model={name: mlp, units: [3]}", ["model"], {"name": "mlp", "units": [3]}),
        ("compile.optimizer.learning_rate=1e-2", ["compile", "optimizer"], {"name": "adam", "learning_rate": 0.01}),
        ("callbacks.early_stopping.patience=7", ["callbacks", 1, "early_stopping", "patience"], 7),
        ("callbacks.csv_logger.filename=b", ["callbacks", 2, "filename"], "b"),
        ("callbacks.0=terminate_on_nan", ["callbacks", 0], "terminate_on_nan"),
        ("callbacks.tqdm.update_per_second=1", ["callbacks", 0], {"name": "tqdm", "update_per_second": 1}),
        ("model.filters.1=9", ["model", "filters"], [1, 9]),
        ("callbacks=[]", ["callbacks"], []),
        ("note=", ["note"], None),
    ],
)
def test_an_override_sets_one_value(override, path, value):
    assert after(override).find(path).plain() == value


def test_the_place_of_an_overridden_value_is_the_override():
    root = after("model={name: mlp, units: [3]}")
    assert root.find(["model", "units", 0]).place == "-s model={name: mlp, units: [3]}"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("epochs", "-s epochs  is not an override\n  expected path=value"),
        (".=3", "is not an override"),
        ("fit.epochs.x=3", "-s fit.epochs.x=3  'x' leads into a value that has no parts"),
        (
            "callbacks.early_stoping.patience=3",
            "has no 'early_stoping'\n  expected one of: tqdm, early_stopping, csv_logger",
        ),
        ("fit.epochs=[1", "is not valid YAML"),
    ],
)
def test_a_wrong_override_is_named(override, told):
    with pytest.raises(ConfigError, match=told):
        after(override)
