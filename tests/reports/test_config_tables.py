import re
from pathlib import Path

from seqtrain.config.compare import Change
from seqtrain.config.explain import Explained
from seqtrain.config.flat import FlatValue
from seqtrain.reports.config_tables import differences, explained
from seqtrain.reports.terminal import drawn

VALUES = [
    Explained("seed", 7, "file", ("c.yaml:2:7",), "Of the order. And of more."),
    Explained("fit.epochs", 3, "command line", ("-s fit.epochs=3",), "Passes over the samples."),
    Explained("fit.clip", None, "default", (), "Float, defaults to 0.9. If set, the norm is clipped."),
]


def told(width, whole):
    return drawn(*explained(Path("c.yaml"), VALUES, width, whole=whole), width=width)


def test_rows_stand_in_columns_below_their_section():
    assert told(100, whole=False).splitlines() == [
        "c.yaml: 1 here, 1 by -s, 1 by default",
        "",
        "seed      7     c.yaml:2:7  Of the order.",
        "",
        "fit                         The training loop and the loader.",
        "  epochs  3     -s          Passes over the samples.",
        "  clip    null  default     If set, the norm is clipped.",
    ]


def test_meanings_are_told_whole_where_one_key_is_asked_for():
    assert "Of the order. And of more." in told(100, whole=True)


def test_nothing_is_wider_than_a_narrow_terminal():
    lines = told(40, whole=True).splitlines()
    assert max(map(len, lines)) <= 40
    assert "    Of the order. And of more." in lines


def test_a_difference_shows_both_values_with_their_places():
    one = FlatValue(("fit", "epochs"), 2, "a.yaml:3:1", False, "", ("fit", "epochs"))
    other = FlatValue(("fit", "epochs"), 10, "b.yaml:1:1", True, "", ("fit", "epochs"))
    text = drawn(*differences(Path("a.yaml"), Path("b.yaml"), [Change(("fit", "epochs"), one, other)]))
    assert "fit.epochs\n  - 2   a.yaml:3:1\n  + 10  default\n\n1 difference" in text
    assert differences(Path("a"), Path("b"), []) == ["a and b mean the same"]


def test_defaults_are_dim():
    parts = explained(Path("c.yaml"), VALUES, 100, whole=False)
    (dim,) = [line for line in drawn(*parts, width=100, is_colored=True).splitlines() if "\x1b[2m" in line]
    assert re.search(r"clip .*null", dim)
