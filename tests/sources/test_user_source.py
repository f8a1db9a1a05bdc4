import copy
import pickle

import numpy as np
import pytest

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.base import Source
from seqtrain.sources.user_source import as_source
from seqtrain.splits import split_source


class Plain:
    """A user's own source, which inherits from nothing and counts how often its labels are worked out."""

    def __init__(self, length: int = 4) -> None:
        self.length = length
        self.classes = ("below", "above")
        self.num_looks = 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return {"x": index}

    @property
    def labels(self):
        self.num_looks += 1
        return np.arange(self.length) % 2

    def column(self, name):
        return np.array([f"{name} {index // 2}" for index in range(self.length)])


class Slotted:
    __slots__ = ("length",)

    def __init__(self, length=3):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return {"x": index}


class Reduced(Plain):
    def __reduce__(self):
        return Reduced, (self.length,)


class Wrapper:
    """Hands on what it does not have itself to another source."""

    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, index):
        return self.inner[index]

    def __getattr__(self, name):
        if name == "inner":  # not there yet while unpickling
            raise AttributeError(name)
        return getattr(self.inner, name)


def test_a_source_of_a_users_own_keeps_its_attributes_and_gets_the_others():
    own = Plain()
    source = as_source(own)
    assert source is own
    assert isinstance(source, Plain)
    assert type(source).__name__ == "Plain"
    assert (len(source), source[2], source.classes) == (4, {"x": 2}, ("below", "above"))
    assert source.labels.tolist() == [0, 1, 0, 1]
    assert source.column("patient").tolist() == ["patient 0", "patient 0", "patient 1", "patient 1"]
    assert (source.groups, source.files, source.block_size, source.has_rows) == (None, None, 1, False)
    assert source.describe(3) == "sample 3"


def test_making_it_a_source_computes_no_property():
    assert as_source(Plain()).num_looks == 0


def test_it_is_split_by_its_own_column():
    split = split_source(as_source(Plain()), SplitConfig(train=0.5, by="group", column="patient"), 0)
    assert sorted([split.train.tolist(), split.val.tolist()]) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(
    "own", [Plain(5), Slotted(5), Reduced(5), Wrapper(Plain(5))], ids=lambda own: type(own).__name__
)
@pytest.mark.parametrize("how", [copy.copy, lambda source: pickle.loads(pickle.dumps(source))], ids=["copy", "pickle"])
def test_a_copy_is_a_source_too(own, how):
    copied = how(as_source(own))
    assert type(copied).__name__ == type(own).__name__
    assert (len(copied), copied[1], copied.groups, copied.describe(0)) == (5, {"x": 1}, None, "sample 0")


def test_what_a_wrapper_hands_on_is_kept():
    source = as_source(Wrapper(Plain()))
    assert source.classes == ("below", "above")
    assert source.labels.tolist() == [0, 1, 0, 1]


def test_a_list_is_a_source():
    source = as_source([{"x": 1}, {"x": 2}])
    assert (len(source), source[1], source.labels) == (2, {"x": 2}, None)


@pytest.mark.parametrize("base", [object, Source])
def test_what_a_source_has_follows_from_what_it_reads(base):
    class Masked(base):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return {}

        def read_mask(self, index):
            return np.zeros((2, 2), np.uint8)

    source = as_source(Masked())
    assert (source.has_masks, source.has_pictures, source.has_rows, source.has_objects) == (True, False, False, False)


def test_a_source_without_columns_says_so():
    source = as_source([{"x": 1}])
    with pytest.raises(ConfigError, match="has no columns"):
        source.column("patient")
    with pytest.raises(DataError, match="a sequence that takes `x_set` and `y_set` cannot read from a"):
        source.as_columns(np.array([0]))


class Registering(Plain):
    """Refuses a second class of its name, as base classes with a registry do."""

    names: set = set()

    def __init_subclass__(cls, **keywords):
        assert cls.__qualname__ not in Registering.names
        Registering.names.add(cls.__qualname__)


class Registered(Registering):
    def purged(self, train, val):
        return train[1:]


class ReducedByItself(Plain):
    def __reduce__(self):
        return self.__class__, (self.length,)


def test_a_class_that_hears_of_its_subclasses_keeps_what_it_has():
    source = as_source(Registered(5))
    assert source.labels.tolist() == [0, 1, 0, 1, 0] and source.length == 5
    assert (source.groups, source.describe(1)) == (None, "sample 1")
    copied = pickle.loads(pickle.dumps(source))
    assert (len(copied), copied[1], copied.classes) == (5, {"x": 1}, ("below", "above"))


@pytest.mark.parametrize("own", [Registered(5), type("Windows", (Plain,), {"purged": Registered.purged})(5)])
def test_the_former_name_of_a_method_is_understood(own):
    assert as_source(own).drop_leaking(np.arange(3), np.arange(3, 5)).tolist() == [1, 2]


def test_a_class_that_reduces_to_itself_is_pickled():
    assert len(pickle.loads(pickle.dumps(as_source(ReducedByItself(5))))) == 5
