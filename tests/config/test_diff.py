import subprocess
import sys
from pathlib import Path

import pytest

from seqtrain import keras_api
from seqtrain.config import load_config
from seqtrain.config.diff import FREE, differences
from seqtrain.config.dump import dump
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError
from seqtrain.registry import callbacks

DIGITS = Path(__file__).parents[2] / "data_samples" / "digits"
TEXT = f"""version: 1
seed: 7
source: {{name: image_folder, path: {DIGITS}}}
split: {{train: 0.8, by: stratified}}
sequence: {{name: image, image_size: [32, 32], color: gray}}
batch_size: 64
model: {{name: cnn, filters: [8]}}
compile: {{optimizer: {{name: adam, learning_rate: 1e-3}}, loss: sparse_categorical_crossentropy, metrics: [accuracy]}}
fit: {{epochs: 2}}
callbacks:
  - tqdm
  - early_stopping: {{monitor: val_accuracy, patience: 10}}
"""


@pytest.fixture
def began(tmp_path):
    """The config.yaml of a run that began with TEXT."""
    (tmp_path / "c.yaml").write_text(TEXT)
    path = tmp_path / "run" / "config.yaml"
    path.parent.mkdir()
    path.write_text(dump(load_config(tmp_path / "c.yaml").config))
    return path


@pytest.fixture
def compare(began, tmp_path):
    def compare(*replacements, overrides=()):
        text = TEXT
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "c.yaml").write_text(text)
        forbidden, allowed = differences(began, load_config(tmp_path / "c.yaml", overrides))
        return list(map(str, forbidden)), list(map(str, allowed))

    return compare


def test_the_same_config_differs_in_nothing(compare):
    assert compare() == ([], [])


def test_the_same_values_written_otherwise_are_the_same(compare):
    shorter = ("{train: 0.8, by: stratified}", "{by: stratified}")
    defaults = ("filters: [8]", "filters: [8], kernel_size: 3")
    keras_default = ("learning_rate: 1e-3", "learning_rate: 0.001, beta_1: 0.9")
    assert compare(shorter, defaults, keras_default, ("- tqdm", "- {name: tqdm}")) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("epochs: 2", "epochs: 10", "fit.epochs: 2 -> 10"),
        ("epochs: 2", "epochs: 2, workers: auto", "fit.workers: 4 -> auto"),
        ("epochs: 2", "epochs: 2, use_multiprocessing: true", "fit.use_multiprocessing: false -> true"),
        ("patience: 10", "patience: 20", "callbacks.early_stopping.patience: 10 -> 20"),
        ("patience: 10", "patience: 10, verbose: 1", "callbacks.early_stopping.verbose: 0 -> 1"),
        (
            "  - tqdm\n",
            "  - tqdm: {leave_epoch_progress: false}\n",
            "callbacks.tqdm.leave_epoch_progress: true -> false",
        ),
        ("  - tqdm\n", "", "callbacks.tqdm: removed"),
        ("- tqdm", "- tqdm\n  - csv_logger: {filename: '{run_dir}/log.csv'}", "callbacks.csv_logger: added"),
        ("batch_size", "checkpoint: 10m\nbatch_size", "checkpoint.every: null -> 10m"),
        ("batch_size", "on_bad_sample: skip\nbatch_size", "on_bad_sample.action: error -> skip"),
        ("batch_size", "on_nan: {max: 9}\nbatch_size", "on_nan.max: 3 -> 9"),
        (str(DIGITS), str(DIGITS.parent), f"source.path: {DIGITS} -> {DIGITS.parent}"),
    ],
)
def test_what_no_weight_depends_on_may_change(compare, old, new, told):
    assert compare((old, new)) == ([], [told])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed: 7", "seed: 8", "seed: 7 -> 8"),
        ("batch_size: 64", "batch_size: 32", "batch_size: 64 -> 32"),
        ("train: 0.8", "train: 0.7", "split.train: 0.8 -> 0.7"),
        ("[32, 32]", "[32, 16]", "sequence.image_size: [32, 32] -> [32, 16]"),
        ("filters: [8]", "filters: [8, 16]", "model.filters: [8] -> [8, 16]"),
        ("filters: [8]", "filters: [8], dropout: 0.5", "model.dropout: 0.2 -> 0.5"),
        ("1e-3", "1e-2", "compile.optimizer.learning_rate: 0.001 -> 0.01"),
        ("name: adam,", "name: sgd,", "compile.optimizer: adam -> sgd"),
        ("[accuracy]", "[accuracy, {top_k_categorical_accuracy: {k: 3}}]", None),
        ("epochs: 2", "epochs: 2, steps_per_epoch: 3", "fit.steps_per_epoch: null -> 3"),
        ("epochs: 2", "epochs: 2, deterministic: true", "fit.deterministic: false -> true"),
        (str(DIGITS), f"{DIGITS}, classes: ['1', '2']", 'source.classes: null -> ["1", "2"]'),
        ("val_accuracy", "val_loss", "callbacks.early_stopping.monitor: val_accuracy -> val_loss"),
        ("- tqdm", "- tqdm\n  - reduce_lr_on_plateau", "callbacks.reduce_lr_on_plateau: added"),
        ("  - early_stopping: {monitor: val_accuracy, patience: 10}\n", "", "callbacks.early_stopping: removed"),
    ],
)
def test_what_a_weight_or_the_history_depends_on_may_not_change(compare, old, new, told):
    forbidden, allowed = compare((old, new))
    assert allowed == []
    assert forbidden == [told or 'compile.metrics: ["accuracy"] -> ["accuracy", "top_k_categorical_accuracy"]']


def test_a_component_of_another_name_is_told_as_a_whole(compare):
    assert compare(("{name: cnn, filters: [8]}", "{name: mlp, units: [4]}"))[0] == ["model: cnn -> mlp"]


def test_a_mistake_names_both_lines(began, tmp_path):
    (tmp_path / "c.yaml").write_text(TEXT.replace("filters: [8]", "filters: [16]").replace("seed: 7", "seed: 8"))
    lines = began.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "filters:" in text)
    forbidden, _ = differences(began, load_config(tmp_path / "c.yaml"))
    seed, filters = (difference.mistake() for difference in forbidden)
    assert seed.where == f"{tmp_path}/c.yaml:2:7"
    assert filters.where == f"{tmp_path}/c.yaml:7:29"
    assert filters.expected == f"[8], as in {began}:{line}:{lines[line - 1].index('[') + 1}"
    assert filters.received == "[16]"


def test_an_override_is_named_as_the_place(began, tmp_path):
    loaded = load_config(tmp_path / "c.yaml", ["callbacks.early_stopping.monitor=val_loss"])
    (difference,), _ = differences(began, loaded)
    assert difference.mistake().where == "-s callbacks.early_stopping.monitor=val_loss"


def test_keys_that_a_later_version_added_do_not_count_as_changed(began, compare):
    older = began.read_text()
    for later in ("  deterministic: false\n", "  dropout: 0.2\n"):
        assert later in older
        older = older.replace(later, "")
    start, end = older.index("on_nan:"), older.index("callbacks:")
    began.write_text(older[:start] + older[end:])
    assert compare() == ([], [])


def test_callbacks_of_one_name_are_compared_one_by_one(began, tmp_path):
    two = "- csv_logger: {filename: a.csv}\n  - csv_logger: {filename: b.csv}"
    (tmp_path / "c.yaml").write_text(TEXT.replace("- tqdm", two))
    began.write_text(dump(load_config(tmp_path / "c.yaml").config))
    (tmp_path / "c.yaml").write_text(TEXT.replace("- tqdm", two.replace("b.csv", "c.csv")))
    forbidden, allowed = differences(began, load_config(tmp_path / "c.yaml"))
    assert forbidden == []
    assert list(map(str, allowed)) == [f"callbacks.csv_logger (2).filename: {tmp_path}/b.csv -> {tmp_path}/c.csv"]


def test_another_order_of_callbacks_that_may_matter_is_refused(began, tmp_path):
    first, second = "  - swap_ema_weights\n", "  - model_checkpoint: {filepath: '{run_dir}/a.keras'}\n"
    (tmp_path / "c.yaml").write_text(TEXT + first + second)
    began.write_text(dump(load_config(tmp_path / "c.yaml").config))
    (tmp_path / "c.yaml").write_text(TEXT + second + first)
    forbidden, _ = differences(began, load_config(tmp_path / "c.yaml"))
    assert list(map(str, forbidden)) == [
        'callbacks: ["early_stopping", "swap_ema_weights", "model_checkpoint"]'
        ' -> ["early_stopping", "model_checkpoint", "swap_ema_weights"]'
    ]


@pytest.mark.parametrize("content", ["seed: [", "- 1\n", "seed: x\n", ""])
def test_a_config_yaml_that_is_none_is_a_checkpoint_error(began, tmp_path, content):
    began.write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.yaml"):
        differences(began, load_config(tmp_path / "c.yaml"))


@pytest.mark.parametrize("key", FREE)
def test_every_key_of_the_table_exists(key):
    section, *rest = key.split(".")
    assert section in RunConfig.model_fields
    if section == "fit":
        assert rest[0] in RunConfig.model_fields["fit"].annotation.model_fields
    if section == "callbacks" and rest[0] != "*":
        assert rest[0] in callbacks
        assert set(rest[1:]) <= set(callbacks.get(rest[0]).settings.parameters)


def test_each_of_keras_own_callbacks_was_thought_of():
    """A new one in Keras must be put into the table, or here: these change weights, or how a run is judged."""
    refused = {"backup_and_restore", "reduce_lr_on_plateau", "swap_ema_weights", "terminate_on_nan"}
    known = refused | {key.split(".")[1] for key in FREE if key.startswith("callbacks.")} - {"*"}
    assert {keras_api.snake_case(name) for name in keras_api.offered("callback")} <= known


def test_comparing_imports_neither_keras_nor_tensorflow(began, tmp_path):
    code = (
        "import sys; from pathlib import Path; from seqtrain.config import load_config;"
        "from seqtrain.config.diff import differences;"
        f"differences(Path({str(began)!r}), load_config(Path({str(tmp_path / 'c.yaml')!r})));"
        "print([name for name in ('keras', 'tensorflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
