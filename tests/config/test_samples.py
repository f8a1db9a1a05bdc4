"""How a sequence of one's own gets the samples of its side: by names, told before anything is built."""

import json

import pytest

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.registry import Registry, sequences, sources
from seqtrain.reports.components import component_details, details_text


def roles_of(signature, **names):
    """What the run supplies to a function of a signature."""
    registry = Registry("sequences", sequences.supplied, sequences.usual_names, _loaded=True)
    namespace = {}
    exec(f"def build({signature}): ...", namespace)
    registry.register("own", **names)(namespace["build"])
    return dict(registry.get("own").roles)


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("x_set, y_set, batch_size", {"x_set": "x_set", "y_set": "y_set", "batch_size": "batch_size"}),
        ("file_paths, labels", {"file_paths": "x_set", "labels": "y_set"}),
        ("images, masks", {"images": "x_set", "masks": "y_set"}),
        ("X, y, shuffle=True", {"X": "x_set", "y": "y_set"}),
        ("list_IDs, labels, dim=(32, 32)", {"list_IDs": "x_set", "labels": "y_by_x"}),
        ("df, directory", {"df": "data"}),
        ("dataset", {"dataset": "dataset"}),
        ("images: str, labels", {}),  # the name of a folder
        ("x_set, labels=None, data=None", {"x_set": "x_set"}),
        ("labels, path", {}),  # labels alone are no samples
        ("images=(32, 32), labels=3", {}),  # with defaults they are settings
        ("source, indices, labels", {"source": "source", "indices": "indices"}),
    ],
)
def test_usual_names_are_understood(signature, expected):
    assert roles_of(signature) == expected


def test_the_decorator_says_what_other_names_are():
    assert roles_of("files, digits", x_set="files", y_set="digits") == {"files": "x_set", "digits": "y_set"}
    assert roles_of("frame, x", data="x") == {"x": "data"}
    with pytest.raises(
        ConfigError, match=r"x_set='file'\): it has no parameter 'file'\n.*\n  fix: did you mean 'files'"
    ):
        roles_of("files", x_set="file")
    with pytest.raises(ConfigError, match="nothing is called 'x_sets'"):
        roles_of("files", x_sets="files")


@pytest.fixture
def load(tmp_path):
    """Loads a config whose sequence is a class of the given body; the class is forgotten afterwards."""

    def load(body, arguments=None, **sections):
        (tmp_path / "own.py").write_text(
            f"from seqtrain.registry import sequences, sources\n@sequences.register('own')\nclass Own:\n{body}"
            "@sources.register('plain')\nclass Plain:\n"
            "    def __len__(self): return 10\n    def __getitem__(self, index): return {}\n"
        )
        document = {
            "version": 1,
            "imports": ["./own.py"],
            "source": {"name": "synthetic_sum", "num_samples": 40},
            "sequence": {"name": "own", **(arguments or {})},
            "batch_size": 4,
            "model": "mlp",
            "compile": {"loss": "mse"},
            **sections,
        }
        (tmp_path / "config.yaml").write_text(json.dumps(document))
        return load_config(tmp_path / "config.yaml")

    yield load
    for registry, name in ((sequences, "own"), (sources, "plain")):
        if name in registry:
            registry.unregister(name)


BATCHES = "    def __len__(self): return 1\n    def __getitem__(self, index): return 0\n"


def told(load, *arguments, **sections):
    with pytest.raises(ConfigError) as raised:
        load(*arguments, **sections)
    return str(raised.value)


def test_a_sequence_without_samples_is_refused_unless_nothing_validates(load):
    message = told(load, f"    def __init__(self, batch_size, size=3): ...\n{BATCHES}")
    assert "sequence: 'own' takes no samples, so training and validation would see the same ones" in message
    assert "`split: {train: 1, val: 0}`" in message


def test_without_validation_a_sequence_needs_no_samples(load):
    load(f"    def __init__(self, batch_size): ...\n{BATCHES}", split={"train": 1, "val": 0})


def test_a_missing_argument_is_told_with_the_line_that_lets_the_run_supply_it(load):
    message = told(load, f"    def __init__(self, my_labels, my_files, batch_size): ...\n{BATCHES}")
    assert "@sequences.register('own', x_set='my_files', y_set='my_labels')" in message


def test_a_usual_name_that_the_config_sets_is_a_setting(load):
    body = f"    def __init__(self, images, batch_size): ...\n{BATCHES}"
    loaded = load(body, {"images": "data/x.npy"}, split={"train": 1, "val": 0})
    assert loaded.config.sequence.arguments == {"images": "data/x.npy"}
    assert "images" not in sequences.get("own").roles_besides({"images"})


def test_a_function_as_a_default_is_left_to_the_class(load):
    loaded = load(f"    def __init__(self, x, y, read=len, size=3): ...\n{BATCHES}")
    assert loaded.config.sequence.arguments == {"size": 3}


def test_a_usual_name_is_nothing_to_set(load):
    loaded = load(f"    def __init__(self, images, labels, batch_size, size=3): ...\n{BATCHES}")
    assert loaded.config.sequence.arguments == {"size": 3}


def test_a_class_without_length_or_batches_is_told(load):
    message = told(load, "    def __init__(self, x, y): ...\n")
    assert "'own' has no length" in message and "'own' has no batches" in message


@pytest.mark.parametrize(
    ("signature", "source", "expected"),
    [
        ("x, y", {"name": "plain"}, "takes samples as `x_set` and `y_set`, which 'plain' does not give"),
        ("df", {"name": "synthetic_sum", "num_samples": 40}, "takes a DataFrame, which 'synthetic_sum' does not give"),
    ],
)
def test_a_form_that_the_source_does_not_give_is_told(load, signature, source, expected):
    assert expected in told(load, f"    def __init__(self, {signature}): ...\n{BATCHES}", source=source)


def test_the_list_says_what_was_understood(load, tmp_path):
    load(f"    def __init__(self, file_paths, labels, batch_size, size=3): ...\n{BATCHES}")
    text = details_text(component_details("own", tmp_path))
    assert "file_paths: the samples of its side (x_set)" in text and "labels: their targets (y_set)" in text
    assert "size (any, default 3)" in text


def test_the_list_finds_a_class_by_the_configs_of_the_folder(load, tmp_path):
    load(f"    def __init__(self, x, y): ...\n{BATCHES}")
    sequences.unregister("own")
    sources.unregister("plain")
    (tmp_path / "own.py").rename(tmp_path / "other.py")
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("own.py", "other.py"))
    assert "x: the samples of its side (x_set)" in details_text(component_details("own", tmp_path))
