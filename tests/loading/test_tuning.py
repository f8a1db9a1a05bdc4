"""What `workers: auto` sees and chooses; no time is asserted, only what follows from large differences."""

import time

import numpy as np
import pytest

from seqtrain.loading import tuning
from seqtrain.loading.tuning import Speed, choose, doubling, measure, named
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.keras_style import KerasStyleSequence


class Sleeping:
    """Waits without holding the interpreter, as a disk or a decoder does."""

    def __init__(self):
        self.epochs = 0

    def __len__(self):
        return 4

    def __getitem__(self, index):
        time.sleep(0.02)
        return np.zeros((5, 1)), np.zeros(5)

    def on_epoch_end(self):
        self.epochs += 1


def test_measuring_counts_samples_and_leaves_the_sequence_as_it_was():
    wrapped = Sleeping()
    speed = measure(KerasStyleSequence(wrapped, 1, True), WorkerOptions(1), 0.2)
    assert 0 < speed.samples_per_s <= 5 / 0.02
    assert speed.first_batch_s >= 0.02
    assert wrapped.epochs == 0


@pytest.mark.parametrize(("most", "counts"), [(1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])])
def test_numbers_of_workers_double_up_to_the_cores(most, counts):
    assert doubling(most) == counts


def chosen(monkeypatch, table):
    monkeypatch.setattr(tuning, "num_cores", lambda: 4)
    monkeypatch.setattr(
        tuning,
        "measure",
        lambda sequence, workers, seconds: Speed(workers, table[workers.processes][workers.count], 0.1),
    )
    told = []
    workers, _ = choose(None, WorkerOptions(1), told.append)
    return named(workers), told[0]


def test_threads_are_chosen_where_they_scale(monkeypatch):
    name, told = chosen(monkeypatch, {False: {1: 100, 2: 190, 4: 370}, True: {}})
    assert name == "4 threads"
    assert "threads scale" in told


def test_the_fewest_threads_are_chosen_that_are_about_as_fast_as_any(monkeypatch):
    name, told = chosen(monkeypatch, {False: {1: 100, 2: 190, 4: 192}, True: {}})
    assert name == "2 threads"
    assert "more are hardly faster" in told


def test_processes_are_chosen_where_threads_hold_the_interpreter(monkeypatch):
    name, told = chosen(monkeypatch, {False: {1: 100, 2: 90, 4: 80}, True: {2: 180, 4: 350}})
    assert name == "4 processes"
    assert "holds the interpreter" in told


def test_one_thread_is_chosen_where_nothing_helps(monkeypatch):
    name, _ = chosen(monkeypatch, {False: {1: 100, 2: 90, 4: 80}, True: {2: 60, 4: 70}})
    assert name == "1 thread"
