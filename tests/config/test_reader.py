from pathlib import Path

import pytest

from seqtrain.config.reader import read_file, read_text
from seqtrain.errors import ConfigError


def read(text):
    mistakes = []
    return read_text(text, "c.yaml", Path("/data"), mistakes).plain(), mistakes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 0.001),
        ("1.5E+2", 150.0),
        (".5", 0.5),
        ("10", 10),
        ("-3", -3),
        ("0x1f", 31),
        ("0o17", 15),
        ("true", True),
        ("~", None),
        ("no", "no"),
        ("on", "on"),
        ("'1e-3'", "1e-3"),
        ('"true"', "true"),
        ("2024-01-01", "2024-01-01"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(written, meant):
    value, _ = read(f"key: {written}")
    assert value == {"key": meant}
    assert type(value["key"]) is type(meant)


def test_places_are_the_line_and_column_of_keys_and_values():
    node = read_text("a:\n  b: {c: 5}\n", "c.yaml", Path("/data"), [])
    assert node.find(["a", "b", "c"]).place == "c.yaml:2:10"
    assert node.key_place(["a", "b", "c"]) == "c.yaml:2:7"


def test_a_key_given_twice_is_a_mistake_that_names_both_places():
    _, (mistake,) = read("a: 1\nb: 2\na: 3\n")
    assert (
        str(mistake)
        == "c.yaml:3:1  'a' is given twice\n  received the first at c.yaml:1:1\n  fix: remove one of the two"
    )


def test_aliases_and_merge_keys_are_expanded():
    value, mistakes = read("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n")
    assert value["use"] == {"x": 1, "y": 3}
    assert not mistakes


def test_class_names_that_look_like_switches_or_numbers_stay_keys():
    assert read("{no: 1, 7: 2}")[0] == {"no": 1, "7": 2}


def aliases_that_explode():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", r"c.yaml:1:5  is not valid YAML: mapping values are not allowed here"),
        ("a:\n\t- b", r"fix: indent with spaces, not tabs"),
        ("a: [1, 2", r"c.yaml:1:\d+  is not valid YAML"),
        ("a: 1\n---\nb: 2", r"c.yaml:2:1  .*another document"),
        ("a: *nowhere", r"c.yaml:1:4  .*undefined alias"),
        ("a: !!python/object:os.system x", r"c.yaml:1:4  the tag .* is not allowed"),
        ("a: &x [*x]", "too much|too deeply"),
        ("[" * 3000, "too deeply"),
        (aliases_that_explode(), "its aliases expand to too much"),
        ("? [a, b]\n: c", "a key must be a word"),
        ("a: \x01", "unprintable"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_place(text, told):
    with pytest.raises(ConfigError, match=told):
        read(text)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such config file\n  fix: did you mean 'digits.yaml'"),
        (b"- a\n- b\n", "expected a mapping .*\n  received a list"),
        (b"", "received an empty document"),
        (b"just words", "received text"),
        (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
    ],
)
def test_a_file_that_is_no_config_is_told(tmp_path, content, told):
    (tmp_path / "digits.yaml").write_text("a: 1")
    path = tmp_path / "digit.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        read_file(path, [])


def test_a_folder_is_not_a_config(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        read_file(tmp_path, [])
