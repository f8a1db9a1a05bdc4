"""What every registered component must keep, shown on the shipped configs, which name each of them."""

import pickle

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.loading.pipeline import open_data
from seqtrain.registry import FAMILIES, models, sequences, sources
from seqtrain.structure import map_structure, named_leaves
from tests.conftest import CONFIGS

ALL = sorted(CONFIGS.glob("*.yaml"))


# What is written for Keras tells neither samples nor spec.
OWN = [path for path in ALL if not path.stem.startswith("my_")]


@pytest.fixture(params=ALL, ids=lambda path: path.stem, scope="module")
def any_data(request):
    return open_data(load_config(request.param))


@pytest.fixture(params=OWN, ids=lambda path: path.stem, scope="module")
def data(request):
    return open_data(load_config(request.param))


def assert_equal(one, other):
    for (name, a), (_, b) in zip(named_leaves(one), named_leaves(other), strict=True):
        assert a.dtype == b.dtype, name
        assert np.array_equal(a, b), name


def test_every_source_sequence_and_model_has_a_config():
    loaded = [load_config(path).config for path in ALL]
    users = {name for registry in FAMILIES.values() for name in registry.names() if name.startswith("my_")}
    for registry, attribute in ((sources, "source"), (sequences, "sequence"), (models, "model")):
        named = {getattr(config, attribute).name for config in loaded}
        missing = {name for name in registry.names() if name not in named} - users - {"small", "compiled"}
        assert {name for name in missing if registry.get(name).load().__module__.startswith("seqtrain.")} == set()


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_component_is_documented(family):
    for name in FAMILIES[family].names():
        component = FAMILIES[family].get(name)
        if component.load().__module__.startswith("seqtrain."):
            assert component.signature.summary, name
            undocumented = [argument for argument, p in component.settings.parameters.items() if not p.meaning]
            assert not undocumented, f"{name}: {undocumented}"


def test_a_batch_is_equal_however_often_it_is_made(any_data):
    for sequence in (any_data.train, any_data.val):
        for position in (0, len(sequence) - 1):
            assert_equal(sequence[position], sequence[position])


def test_batches_are_as_the_spec_declares(data):
    for sequence in (data.train, data.val):
        batch = sequence.batch(0, 0)
        fields = [leaf for _, leaf in named_leaves(sequence.spec)]
        for (name, array), field in zip(named_leaves(batch), fields, strict=True):
            assert array.shape == (len(sequence.sample_indices(0, 0)), *field.shape), name
            assert array.dtype == field.dtype, name
            assert array.ctypes.data % 64 == 0, name


def test_every_sample_comes_once_an_epoch(data):
    for epoch in (0, 1):
        for sequence, samples in ((data.train, data.split.train), (data.val, data.split.val)):
            seen = np.concatenate([sequence.sample_indices(epoch, position) for position in range(len(sequence))])
            left_out = len(sequence.indices) % sequence.batch_size if sequence.drop_remainder else 0
            assert len(seen) == len(np.unique(seen)) == len(sequence.indices) - left_out
            assert set(seen) <= set(sequence.indices)
            assert set(sequence.source_indices(sequence.indices)) == set(samples)


def test_training_has_a_new_order_each_epoch_and_validation_has_not(data):
    orders = [np.concatenate([data.train.sample_indices(e, p) for p in range(len(data.train))]) for e in (0, 1)]
    assert not np.array_equal(*orders)
    assert np.array_equal(data.val.sample_indices(0, 0), data.val.sample_indices(1, 0))
    assert_equal(data.val.batch(0, 0), data.val.batch(5, 0))


def test_rows_written_apart_are_the_batch(data):
    indices = data.train.sample_indices(1, 0)
    rows = data.train.allocate(len(indices))
    middle = len(indices) // 2
    for part in (slice(middle, None), slice(None, middle)):
        data.train.write(indices[part], 1, map_structure(lambda array, part=part: array[part], rows))
    assert_equal(data.train.finish(rows), data.train.batch(1, 0))


def test_a_sequence_pickles_small_and_makes_the_same_batches(data):
    pickled = pickle.dumps(data.train)
    assert_equal(pickle.loads(pickled)[0], data.train[0])
    assert len(pickled) < 400_000
