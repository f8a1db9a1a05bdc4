import logging

import pytest

from seqtrain.config import load_config
from seqtrain.config.compare import compare
from seqtrain.config.dump import dump
from seqtrain.errors import CheckpointError, ConfigError
from tests.config.test_explain import BASE


@pytest.fixture
def compared(tmp_path):
    def compared(*replacements):
        text = BASE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "a.yaml").write_text(BASE)
        (tmp_path / "b.yaml").write_text(text)
        return [change.to_json() for change in compare(tmp_path / "a.yaml", tmp_path / "b.yaml")]

    return compared


def test_the_same_written_otherwise_is_no_difference(compared):
    assert (
        compared(
            ("split: 0.7", "split: {train: 0.7, by: random}"),
            ("optimizer: adam", "optimizer: {name: adam, beta_1: 0.9}"),
        )
        == []
    )


def test_a_loss_by_output_and_one_for_all_are_each_whole(compared, tmp_path):
    old = "loss: sparse_categorical_crossentropy"
    (found,) = compared((old, "loss: {a: mse, b: {name: huber, delta: 2.0}}"))
    assert found == {
        "key": "compile.loss",
        "a": {"value": "sparse_categorical_crossentropy", "place": f"{tmp_path}/a.yaml:8:9"},
        "b": {"value": {"a": "mse", "b": "huber"}, "place": f"{tmp_path}/b.yaml:8:13"},
    }
    (back,) = (change.to_json() for change in compare(tmp_path / "b.yaml", tmp_path / "a.yaml"))
    assert (back["a"], back["b"]) == (found["b"], found["a"])


def test_a_difference_names_values_and_lines_of_both_files(compared, tmp_path):
    assert compared(("epochs: 2", "epochs: 3"), ("version: 1\n", "version: 1\nseed: 4\n")) == [
        {"key": "seed", "a": {"value": 0, "place": None}, "b": {"value": 4, "place": f"{tmp_path}/b.yaml:2:7"}},
        {
            "key": "fit.epochs",
            "a": {"value": 2, "place": f"{tmp_path}/a.yaml:9:15"},
            "b": {"value": 3, "place": f"{tmp_path}/b.yaml:10:15"},
        },
    ]


def test_of_another_component_what_is_written_of_both_differs_too(tmp_path):
    models = {"a": "{name: cnn, filters: [8, 16], dropout: 0.1}", "b": "{name: mlp, units: [4], dropout: 0.3}"}
    for name, model in (*models.items(), ("c", "{name: mlp, units: [4]}")):
        (tmp_path / f"{name}.yaml").write_text(BASE.replace("{name: cnn, filters: [8, 16]}", model))
    found = compare(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert [(".".join(change.keys), change.before.value, change.after.value) for change in found] == [
        ("model", "cnn", "mlp"),
        ("model.dropout", 0.1, 0.3),
    ]
    assert [change.keys for change in compare(tmp_path / "a.yaml", tmp_path / "c.yaml")] == [("model",)]


def test_the_order_of_callbacks_is_a_difference(tmp_path):
    for name, callbacks in (("a", "[tqdm, terminate_on_nan]"), ("b", "[terminate_on_nan, tqdm]")):
        (tmp_path / f"{name}.yaml").write_text(f"{BASE}callbacks: {callbacks}\n")
    (found,) = compare(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert found.before.value == ["tqdm", "terminate_on_nan"]
    assert found.after.value == ["terminate_on_nan", "tqdm"]


def test_a_run_folder_stands_for_its_config(tmp_path):
    (tmp_path / "a.yaml").write_text(BASE)
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(dump(load_config(tmp_path / "a.yaml").config))
    assert compare(tmp_path / "a.yaml", run) == []
    with pytest.raises(CheckpointError, match=r"holds no config\.yaml"):
        compare(tmp_path / "a.yaml", tmp_path)


def test_data_and_imports_that_are_elsewhere_do_not_hinder_a_comparison(compared, caplog):
    caplog.set_level(logging.WARNING, "seqtrain")
    found = compared(
        ("path: ", "path: /elsewhere"), ("version: 1\n", "imports: [./gone.py]\n"), ("{name: cnn,", "{name: mine,")
    )
    assert [each["key"] for each in found] == ["imports", "source.path", "model"]
    assert "gone.py" in caplog.text


def test_a_config_with_another_mistake_is_refused(compared):
    with pytest.raises(ConfigError, match="epoch: unknown key"):
        compared(("epochs: 2", "epoch: 2"))
