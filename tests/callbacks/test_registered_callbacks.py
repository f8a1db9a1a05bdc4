import keras
import pytest

from seqtrain.errors import ConfigError
from seqtrain.registry import callbacks


def test_the_progress_bar_is_built_with_what_the_run_supplies():
    built = callbacks.get("tqdm").build({"update_per_second": 2}, {"progress": "none", "run_dir": "unused"})
    assert (type(built).__name__, built.update_per_second, built.progress) == ("TQDMProgressBar", 2, "none")
    assert "progress" not in callbacks.get("tqdm").settings.parameters


def test_early_stopping_takes_every_argument_of_keras():
    arguments = {
        "monitor": "val_accuracy",
        "min_delta": 0.1,
        "patience": 3,
        "verbose": 1,
        "mode": "max",
        "baseline": 0.5,
        "restore_best_weights": True,
        "start_from_epoch": 2,
    }
    assert set(callbacks.get("early_stopping").settings.parameters) == set(arguments)
    built = callbacks.get("early_stopping").build(arguments, {})
    assert isinstance(built, keras.callbacks.EarlyStopping)
    assert (built.patience, built.monitor) == (3, "val_accuracy")


def test_a_callback_that_needs_a_function_is_not_offered():
    with pytest.raises(ConfigError, match="unknown callback 'lambda_callback'"):
        callbacks.get("lambda_callback")
