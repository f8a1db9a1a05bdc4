from pathlib import Path

import pytest

from seqtrain.signature import REQUIRED, signature_of
from seqtrain.static_signatures import SourceModules, module_path, read_once, signature_of_class

SOURCE = '''
from keras import Callback
from typing import Literal

class Base:
    """A base.

    Args:
        level: How high.
    """
    def __init__(self, level=1, size=2.0**3, **kwargs):
        if kwargs:
            raise ValueError(kwargs)

class Child(Base):
    """A child.

    Args:
        color: Its colour,
            in words.
    """
    def __init__(self, color: Literal["red", "blue"], *, flag: bool = False, **kwargs):
        super().__init__(size=3, **kwargs)

class Grandchild(module.Child):
    """A grandchild."""

class Open(Base):
    def __init__(self, **options):
        self.options = options
'''


@pytest.fixture
def modules(tmp_path):
    path = tmp_path / "family.py"
    path.write_text(SOURCE)
    return SourceModules([path])


def test_keywords_that_are_handed_on_are_resolved_through_the_base(modules):
    signature = modules.signature("Child")
    assert list(signature.parameters) == ["color", "flag", "level"]  # size is given by Child itself
    assert signature.parameters["color"].default is REQUIRED
    assert signature.parameters["color"].meaning == "Its colour, in words."
    assert signature.parameters["level"].meaning == "How high."
    assert not signature.takes_any_keyword
    assert signature.docstring.splitlines()[0] == "A child."


def test_defaults_may_be_arithmetic(modules):
    assert modules.signature("Base").parameters["size"].default == 8.0


def test_a_class_without_an_initializer_has_that_of_its_base(modules):
    assert list(modules.signature("Grandchild").parameters) == ["color", "flag", "level"]


def test_keywords_that_are_kept_are_any_keywords(modules):
    assert modules.signature("Open").takes_any_keyword


def test_the_static_signature_of_the_progress_bar_is_the_real_one():
    from seqtrain.callbacks.tqdm_progress_bar import TQDMProgressBar

    read = signature_of_class("seqtrain.callbacks.tqdm_progress_bar", "TQDMProgressBar")
    assert read.parameters == signature_of(TQDMProgressBar).parameters


def test_a_missing_package_is_told_by_name():
    with pytest.raises(ModuleNotFoundError, match="no package 'not_there'"):
        module_path("not_there.module")


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "module.py"
    path.write_text("x = 1")
    return path


def test_source_that_has_not_changed_is_read_once(source):
    texts = iter(["first", "second"])

    def read():
        return next(texts)

    assert [read_once([source], read) for _ in range(3)] == ["first"] * 3
    source.write_text("x = 10")
    assert read_once([source], read) == "second"


@pytest.mark.parametrize("damage", [b"", b"no pickle", b"cos\nnot_there\n."])
def test_what_was_kept_and_is_damaged_is_read_again(source, damage):
    for _ in range(2):
        assert read_once([source], str) == ""
        (kept,) = source.with_name("cache").rglob("*.pickle")
        assert kept.read_bytes() != damage
        kept.write_bytes(damage)


def test_a_cache_folder_that_cannot_be_made_costs_nothing_but_the_reading(source):
    source.with_name("cache").write_text("a file where the folder would be")
    assert read_once([source], str) == ""


def test_a_user_without_a_home_has_everything_read(source, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    assert read_once([source], str) == ""
