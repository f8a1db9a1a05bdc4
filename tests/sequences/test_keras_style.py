import random

import numpy as np
import pytest

from seqtrain.sequences.keras_style import seeded_globals, uses_global_random


class Numpy:
    def __getitem__(self, index):
        return np.random.rand(3)


class Standard:
    def __getitem__(self, index):
        return random.randint(0, index)


class Own:
    def __getitem__(self, index):
        return np.random.default_rng(index).random(3), random.Random(index).random(), self.random.random()


@pytest.mark.parametrize(("kind", "expected"), [(Numpy, True), (Standard, True), (Own, False)])
def test_a_class_that_draws_from_the_global_generators_is_recognised(kind, expected):
    assert uses_global_random(kind()) is expected


def test_seeded_globals_are_put_back():
    random.seed(5)
    np.random.seed(5)
    expected = random.Random(5).random(), np.random.RandomState(5).rand()
    with seeded_globals(1):
        inside = random.random(), np.random.rand()
    with seeded_globals(1):
        assert (random.random(), np.random.rand()) == inside
    assert (random.random(), np.random.rand()) == expected
