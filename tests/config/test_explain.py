import pytest

from seqtrain.config import load_config
from seqtrain.config.explain import explain
from seqtrain.errors import ConfigError
from tests.conftest import DATA

BASE = f"""version: 1
source: {{name: image_folder, path: {DATA / "digits"}}}
split: 0.7
sequence: {{name: image, image_size: [32, 32], color: gray}}
model: {{name: cnn, filters: [8, 16]}}
compile:
  optimizer: adam
  loss: sparse_categorical_crossentropy
fit: {{epochs: 2}}
"""
OWN = """extends: base.yaml
fit:
  workers: 3
callbacks:
  - early_stopping: {monitor: val_loss}
"""


@pytest.fixture
def explained(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "own.yaml").write_text(OWN)

    def explained(*overrides, key=""):
        values = explain(load_config(tmp_path / "own.yaml", overrides), key)
        return {value.key: (value.value, value.origin, value.places) for value in values}

    return explained


def test_each_value_tells_the_file_line_and_column_or_the_base_or_the_override_it_came_from(explained, tmp_path):
    values = explained("fit.max_queue_size=5")
    assert values["fit.workers"] == (3, "file", (f"{tmp_path}/own.yaml:3:12",))
    assert values["fit.epochs"] == (2, "extends", (f"{tmp_path}/base.yaml:9:15",))
    assert values["fit.max_queue_size"] == (5, "command line", ("-s fit.max_queue_size=5",))
    assert values["fit.deterministic"] == (False, "default", ())


def test_a_value_written_in_short_has_the_place_of_what_is_written(explained, tmp_path):
    values = explained()
    assert values["split.train"] == (0.7, "extends", (f"{tmp_path}/base.yaml:3:8",))
    assert values["split.by"] == ("random", "default", ())
    assert values["compile.optimizer"] == ("adam", "extends", (f"{tmp_path}/base.yaml:7:14",))
    assert values["compile.optimizer.learning_rate"] == (0.001, "default", ())
    assert values["callbacks.early_stopping"] == ("early_stopping", "file", (f"{tmp_path}/own.yaml:5:5",))
    assert values["callbacks.early_stopping.monitor"][1] == "file"
    assert values["callbacks.early_stopping.patience"] == (0, "default", ())


def test_an_override_within_a_list_is_told_beside_the_place_of_the_list(explained, tmp_path):
    filters = explained("model.filters.1=32")["model.filters"]
    assert filters == ([8, 32], "extends", (f"{tmp_path}/base.yaml:5:29", "-s model.filters.1=32"))


def test_the_own_name_of_an_optimizer_is_a_default_although_a_name_is_written_beside_it(explained):
    values = explained("compile.optimizer={name: adam, beta_1: 0.8}")
    assert values["compile.optimizer.beta_1"][:2] == (0.8, "command line")
    assert values["compile.optimizer.name"] == (None, "default", ())


def test_the_arguments_of_a_schedule_are_explained_one_by_one(explained):
    values = explained("compile.optimizer.learning_rate={name: cosine_decay, initial_learning_rate: 1, decay_steps: 9}")
    assert values["compile.optimizer.learning_rate"][0] == "cosine_decay"
    assert values["compile.optimizer.learning_rate.decay_steps"][:2] == (9, "command line")
    assert values["compile.optimizer.learning_rate.warmup_steps"] == (0, "default", ())


def test_a_key_shows_itself_and_what_is_below_it_alone(explained):
    assert set(explained(key="split")) == {"split.train", "split.val", "split.by", "split.column"}
    assert set(explained(key="fit.epochs")) == {"fit.epochs"}


def test_an_unknown_key_is_told_with_the_nearest(explained):
    with pytest.raises(ConfigError, match=r"has no 'fit.epoch'(.|\n)*did you mean 'fit.epochs'"):
        explained(key="fit.epoch")


def test_sections_and_arguments_have_the_meaning_of_their_docstrings(tmp_path, explained):
    explained()
    meanings = {value.key: value.meaning for value in explain(load_config(tmp_path / "own.yaml"))}
    assert meanings["fit.use_multiprocessing"] == "Processes instead of threads, for code that holds the interpreter."
    assert meanings["split.train"] == "Share of the samples that trains."
    assert meanings["source.path"] == "The folder of the class folders."
    assert "exponential moving average" in meanings["compile.optimizer.use_ema"]
