import random
import threading

import numpy as np
import pytest

from seqtrain.global_random import SeededBatches, seeded_globals
from seqtrain.sequences.base import BatchSequence

# What is tested is the global state, so it is read and written throughout.
# ruff: noqa: NPY002


def draw(count):
    return [random.random() for _ in range(count)], np.random.normal(size=count).tolist()


def states():
    return random.getstate(), str(np.random.get_state())


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
    before = states()
    with pytest.raises(KeyError), seeded_globals(1):
        draw(3)
        raise KeyError
    assert states() == before


class Drawing(BatchSequence):
    """Draws in some batches, by a function of a library."""

    seed = 3

    def __init__(self, *drawing):
        self.drawing = drawing
        self.made = []

    def batch(self, epoch, position):
        self.made.append(position)
        return (np.random.permutation(5) if position in self.drawing else np.arange(5),)


def test_a_batch_that_draws_is_the_same_whatever_was_made_and_drawn_before():
    alone = SeededBatches(Drawing(4)).batch(0, 4)[0].tolist()
    batches = SeededBatches(Drawing(4))
    for position in range(4):
        batches.batch(0, position)
    draw(7)
    before = states()
    assert batches.batch(0, 4)[0].tolist() == alone
    assert states() == before


def test_only_the_first_batch_that_draws_is_made_twice_if_those_before_it_did_not():
    np.random.seed(0)  # without a normal number that is left
    sequence = Drawing(2, 3)
    batches = SeededBatches(sequence)
    for position in range(5):
        batches.batch(0, position)
    assert sequence.made == [0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(("drawing", "expected"), [((), 0), ((0, 1, 2), 1), ((2,), 1)])
def test_that_a_sequence_draws_is_told_once(drawing, expected):
    found = []
    batches = SeededBatches(Drawing(*drawing), lambda: found.append(True))
    for position in range(4):
        batches.batch(0, position)
    assert len(found) == expected


def test_a_batch_that_fails_fails_with_seeded_numbers():
    class Failing(Drawing):
        def batch(self, epoch, position):
            if position:
                raise KeyError(np.random.randint(10**9))
            return super().batch(epoch, position)

    told = []
    for disturbance in (2, 5):
        batches = SeededBatches(Failing())
        batches.batch(0, 0)
        draw(disturbance)
        with pytest.raises(KeyError) as raised:
            batches.batch(0, 1)
        told.append(raised.value.args)
    assert told[0] == told[1]


def test_draws_elsewhere_do_not_count_as_those_of_a_batch_that_is_made_again_without_them():
    class Disturbed(Drawing):
        def batch(self, epoch, position):
            if self.made == [0]:
                other = threading.Thread(target=np.random.rand)
                other.start()
                other.join()
            return super().batch(epoch, position)

    np.random.seed(0)
    found = []
    batches = SeededBatches(sequence := Disturbed(), lambda: found.append(True))
    for position in range(3):
        batches.batch(0, position)
    assert (found, sequence.made) == ([], [0, 1, 1, 2])


def test_a_batch_that_takes_only_a_normal_number_that_was_left_is_seeded_too():
    class Normal(Drawing):
        def batch(self, epoch, position):
            return (np.random.normal() if position else 0.0,)

    told = []
    for disturbance in (1, 3):
        batches = SeededBatches(Normal())
        batches.batch(0, 0)
        np.random.seed(disturbance)
        np.random.normal()
        told.append(batches.batch(0, 1))
    assert told[0] == told[1]


def test_threads_that_seed_do_not_disturb_those_that_do_not_draw():
    class Slow(Drawing):
        def batch(self, epoch, position):
            event.wait(0.002)
            return super().batch(epoch, position)

    event = threading.Event()
    np.random.seed(0)
    plain, drawing = Slow(), Slow(*range(100))
    drawn = {}
    streams = SeededBatches(plain), SeededBatches(drawing)

    def work(start):
        for position in range(start, 30, 3):
            streams[0].batch(0, position)
            drawn[position] = streams[1].batch(0, position)[0].tolist()

    threads = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(plain.made) == sorted(drawing.made) == list(range(30))
    alone = SeededBatches(Drawing(*range(100)))
    assert drawn == {position: alone.batch(0, position)[0].tolist() for position in range(30)}
