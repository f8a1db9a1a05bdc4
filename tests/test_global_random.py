import random

import numpy as np
import pytest

from seqtrain.global_random import seeded_globals, uses_global_random

# What is tested is the global state, so it is read and written throughout.
# ruff: noqa: NPY002


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


def draw(count):
    return [random.random() for _ in range(count)], np.random.normal(size=count).tolist()


@pytest.mark.parametrize("before", [0, 1, 2, 623, 700])
@pytest.mark.parametrize("within", [0, 1, 2, 1500])
def test_whoever_draws_next_gets_what_he_would_have_got(before, within):
    expected = []
    for drawn in (0, within):
        random.seed(5)
        np.random.seed(5)
        draw(before)
        for seed in range(3):
            if drawn:
                with seeded_globals(seed):
                    draw(drawn)
        expected.append((draw(3), np.random.get_state()[3:]))
    assert expected[0] == expected[1]


def test_numbers_depend_on_the_seed_alone():
    drawn = []
    for disturbance in (0, 3, 4):
        draw(disturbance)
        with seeded_globals(11):
            drawn.append(draw(5))
    assert drawn[0] == drawn[1] == drawn[2]
    legacy = np.random.RandomState(11)
    assert drawn[0][1] == legacy.normal(size=5).tolist()
    own = random.Random(11)
    assert drawn[0][0] == [own.random() for _ in range(5)]


def test_states_come_back_after_an_error_too():
    before = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(KeyError), seeded_globals(1):
        draw(3)
        raise KeyError
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
