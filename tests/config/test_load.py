import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seqtrain.config import load_config
from seqtrain.config.dump import dump
from seqtrain.errors import ConfigError

DIGITS = Path(__file__).parents[2] / "data_samples" / "digits"
GOOD = f"""
version: 1
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
def write(tmp_path):
    def write(text, name="c.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def told(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)


def test_a_right_config_loads_with_its_defaults(write):
    config = load_config(write(GOOD)).config
    assert config.compile.optimizer.arguments == {"learning_rate": 0.001}
    assert config.sequence.arguments["image_size"] == (32, 32)
    assert config.sequence.arguments["resize"] == "stretch"
    assert config.fit.max_queue_size == 10
    assert [callback.name for callback in config.callbacks] == ["tqdm", "early_stopping"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "batch_size: 64",
            "batch_sice: 64",
            r"c.yaml:7:1  batch_sice: unknown key\n.*\n  fix: did you mean 'batch_size'",
        ),
        (
            "batch_size: 64",
            "batch_size: 0",
            r"7:13  batch_size: wrong value\n  expected greater than or equal to 1\n  received 0",
        ),
        ("batch_size: 64", "batch_size: many", r"7:13  batch_size.*\n  expected a whole number\n  received \"many\""),
        ("batch_size: 64", "batch_size: true", r"7:13  batch_size.*\n  expected a whole number\n  received true"),
        ("batch_size: 64", "batch_size: 64\nepochs: 3", r"8:1  epochs: unknown key\n.*\n  fix: write it as fit.epochs"),
        ("version: 1", "version: 2", r"2:10  version: wrong value\n  expected 1\n  received 2"),
        ("seed: 7", "seed: -1", r"3:7  seed: wrong value\n  expected greater than or equal to 0"),
        (
            "name: image_folder",
            "name: image_foldr",
            r"unknown source 'image_foldr'\n  expected one of: .*\n  fix: did you mean 'image_folder'",
        ),
        (
            "filters: [8]",
            "filter: [8]",
            r"8:20  model.filter: unknown argument of model 'cnn'\n.*\n  fix: did you mean 'filters'",
        ),
        ("filters: [8]", "filters: eight", r"8:29  model.filters: wrong value\n  expected a list"),
        ("filters: [8]", "filters: [8, x]", r"8:33  model.filters.1: wrong value\n  expected a whole number"),
        ("filters: [8]", "num_classes: 3", r"8:20  model.num_classes: the run itself supplies 'num_classes'"),
        (
            ", image_size: [32, 32]",
            "",
            r"6:11  sequence.image_size: missing of sequence 'image'\n  fix: add `image_size:`",
        ),
        ("[32, 32]", "[32]", r"sequence.image_size"),
        ("train: 0.8", "train: 1.8", r"5:16  split.train: wrong value\n  expected less than or equal to 1"),
        (
            "train: 0.8",
            "train: 0.8, val: 0.3",
            r"5:8  split: wrong value\n  expected train and val that add up to at most 1",
        ),
        ("train: 0.8", "train: 1", r"5:8  split: wrong value\n  expected train below 1, or `val: 0`"),
        ("name: adam", "name: adm", r"unknown optimizer 'adm'\n  expected one of: .*\n  fix: did you mean 'adam'"),
        (
            "learning_rate: 1e-3",
            "learning_rat: 1e-3",
            r"unknown argument of optimizer 'adam'\n.*\n  fix: did you mean 'learning_rate'",
        ),
        ("learning_rate: 1e-3", "learning_rate: fast", r"compile.optimizer.learning_rate: wrong value"),
        ("1e-3", "{name: cosine_dekay, decay_steps: 9}", r"unknown schedule 'cosine_dekay'"),
        ("1e-3", "{name: cosine_decay, decay_steps: 9}", r"initial_learning_rate: missing of schedule 'cosine_decay'"),
        ("loss: sparse_categorical_crossentropy", "loss: sparse_crossentropy_categorical", r"unknown loss"),
        ("loss: sparse_categorical_crossentropy, ", "", r"compile.loss: missing"),
        (
            "metrics: [accuracy]",
            "metrics: [acuracy]",
            r"compile.metrics.0: unknown metric 'acuracy'.*\n.*\n  fix: did you mean 'accuracy'",
        ),
        (
            "monitor: val_accuracy",
            "monitr: val_accuracy",
            r"13:22  callbacks.1.early_stopping.monitr: unknown argument",
        ),
        ("- tqdm", "- tkdm", r"12:5  callbacks.0: unknown callback 'tkdm'\n.*\n  fix: did you mean 'tqdm'"),
        ("epochs: 2", "epochs: 2, class_weight: {a: b}", r"fit.class_weight.a: wrong value\n  expected a number"),
        (str(DIGITS), "./nowhere", r"4:36  source.path: no such file or folder\n  received .*/nowhere"),
        ("source:", "imports: [./mine.py]\nsource:", r"4:11  imports: no such file: .*/mine.py"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_fix(write, old, new, message):
    assert old in GOOD
    assert re.search(message, told(write(GOOD.replace(old, new, 1))))


def test_all_mistakes_are_told_in_one_go(write):
    text = GOOD.replace("seed: 7", "sead: 7").replace("epochs: 2", "epochs: none").replace("filters:", "filtres:")
    message = told(write(text), "fit.worker=2")
    assert [
        line.split("  ")[1].split(":")[0] for line in message.splitlines() if re.match(r"\S", line) and "  " in line
    ] == [
        "fit.worker",
        "sead",
        "model.filtres",
        "fit.epochs",
    ]
    assert message.count("fix:") >= 3


def test_an_override_beats_the_file_and_its_errors_name_it(write):
    path = write(GOOD)
    assert load_config(path, ["fit.epochs=9"]).config.fit.epochs == 9
    assert "-s fit.epochs=x  fit.epochs: wrong value" in told(path, "fit.epochs=x")


def test_extends_merges_deep_and_paths_stay_relative_to_their_file(write, tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "data").mkdir()
    base = GOOD.replace(str(DIGITS), "./data")
    (tmp_path / "base" / "base.yaml").write_text(base)
    config = load_config(write("extends: base/base.yaml\nfit: {workers: 1}\nmodel: {dropout: 0.5}\n")).config
    assert (config.fit.epochs, config.fit.workers) == (2, 1)
    assert config.model.arguments["filters"] == (8,)
    assert config.model.arguments["dropout"] == 0.5
    assert config.source.arguments["path"] == tmp_path / "base" / "data"


def test_extends_replaces_a_component_of_another_name_whole(write):
    write(GOOD, "base.yaml")
    config = load_config(write("extends: base.yaml\nmodel: {name: mlp, units: [4]}\n")).config
    assert config.model.name == "mlp"
    assert "filters" not in config.model.arguments


def test_extends_in_a_circle_is_told(write):
    write("extends: c.yaml\n", "b.yaml")
    assert "leads back to itself" in told(write("extends: b.yaml\n"))


def test_switches_understand_yes_and_no(write):
    config = load_config(
        write(GOOD.replace("epochs: 2", "epochs: 2, deterministic: yes, use_multiprocessing: no"))
    ).config
    assert config.fit.deterministic is True
    assert config.fit.use_multiprocessing is False


def test_the_resolved_config_reads_back_as_itself_here_and_in_yaml_1_1(write):
    first = load_config(write(GOOD.replace("filters: [8]", "filters: [8], dropout: 1e-3"))).config
    text = dump(first)
    assert dump(load_config(write(text, "again.yaml")).config) == text
    assert yaml.safe_load(text)["batch_size"] == 64


def test_text_that_looks_like_a_number_or_a_switch_is_quoted_when_dumped(write):
    classes = "classes: ['1e-3', 'no', '7', ok]"
    config = load_config(write(GOOD.replace("path:", f"{classes}, path:"))).config
    again = load_config(write(dump(config), "again.yaml")).config
    assert again.source.arguments["classes"] == ["1e-3", "no", "7", "ok"]


def test_an_import_that_fails_is_told_with_the_line_of_the_users_file(write):
    write("import math\n\nmath.sqroot(2)\n", "mine.py")
    message = told(write(GOOD.replace("seed: 7", "seed: 7\nimports: [./mine.py]")))
    assert "4:11  imports:" in message
    assert "AttributeError" in message
    assert "mine.py:3)" in message


def test_the_arguments_of_imported_components_are_checked(write):
    write(
        "from seqtrain.registry import models\n"
        "@models.register('test_load_model')\ndef build(units: int = 3, *, rate: float = 0.1): ...\n",
        "mine.py",
    )
    text = GOOD.replace("seed: 7", "imports: [./mine.py]").replace(
        "name: cnn, filters: [8]", "name: test_load_model, unit: 3"
    )
    assert "unknown argument of model 'test_load_model'\n  expected one of: units, rate" in told(write(text))


def test_checking_imports_neither_keras_nor_tensorflow(write):
    code = (
        "import sys; from pathlib import Path; from seqtrain.config import load_config;"
        f"load_config(Path({str(write(GOOD))!r}));"
        "from seqtrain.config.json_schema import json_schema; json_schema();"
        "print([name for name in ('keras', 'tensorflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


@pytest.mark.parametrize(
    "schedule",
    [
        "{name: cosine_decay, initial_learning_rate: 1e-3, decay_steps: 1000}",
        "{name: ExponentialDecay, initial_learning_rate: 1e-3, decay_steps: 10, decay_rate: 0.9}",
        "{name: piecewise_constant_decay, boundaries: [5, 10], values: [1e-2, 1e-3, 1e-4]}",
    ],
)
def test_a_learning_rate_may_be_a_schedule(write, schedule):
    config = load_config(write(GOOD.replace("1e-3", schedule, 1))).config
    assert set(config.compile.optimizer.arguments["learning_rate"]) >= {"name"}


def test_a_failed_import_is_not_followed_by_components_that_it_would_have_registered(write):
    text = GOOD.replace("seed: 7", "imports: [./nowhere.py]").replace("name: cnn, filters: [8]", "name: mine")
    assert told(write(text)).count("\n  ") <= 2


def test_a_wrong_choice_is_told_with_the_nearest(write):
    message = told(write(GOOD.replace("stratified", "stratifed").replace("gray", "grey")))
    assert "did you mean 'stratified'?" in message
    assert "did you mean 'gray'?" in message


def test_too_few_items_are_told_as_such(write):
    assert "sequence.image_size: too few items\n  expected at least 2\n  received [32]" in told(
        write(GOOD.replace("[32, 32]", "[32]"))
    )
