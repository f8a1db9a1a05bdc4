"""Streams that begin in the middle: the batches of one that began at 0, also of classes that change between epochs."""

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import WorkerError
from seqtrain.loading.batch_errors import describe_batch
from seqtrain.loading.order import training_schedule
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.keras_style import KerasStyleSequence
from seqtrain.user_files import load_file
from tests.conftest import CONFIGS, ROOT

FILE = ROOT / "tests" / "own" / "faults.py"
WORKERS = [WorkerOptions(0), WorkerOptions(1), WorkerOptions(3), WorkerOptions(1, True), WorkerOptions(2, True)]
LENGTH = 6
STARTS = [0, 1, 5, 6, 17, 18, 21]  # 18: the first of epoch 3


@pytest.fixture(scope="module")
def faults():
    load_file(FILE)
    return next(module for name, module in sys.modules.items() if name.startswith("seqtrain_import_faults"))


def stream_of(wrapped, workers, start=0):
    workers = WorkerOptions(workers.count, workers.processes, 4, imports=(str(FILE),))
    return BatchStream(KerasStyleSequence(wrapped, 1, True), training_schedule(LENGTH), workers, start)


def batches(stream, count):
    return [tuple(array.tolist() for array in stream.take().batch) for _ in range(count)]


@pytest.mark.parametrize("workers", WORKERS, ids=str)
def test_a_class_that_changes_between_epochs_is_brought_to_where_a_stream_begins(faults, workers):
    with stream_of(faults.Counting(), WorkerOptions(0)) as whole:
        expected = batches(whole, 24)
    assert len({str(sorted(expected[n : n + 6])) for n in (0, 6, 12, 18)}) == 4  # every epoch its own
    for start in (17, 18) if workers.processes else STARTS:
        with stream_of(faults.Counting(), workers, start) as stream:
            assert stream.position == start
            assert batches(stream, 3) == expected[start : start + 3]


@pytest.mark.parametrize("workers", [WorkerOptions(0), WorkerOptions(1), WorkerOptions(2, True)], ids=str)
def test_what_a_class_draws_from_the_global_generators_is_the_same_from_any_start(faults, workers):
    with stream_of(faults.GlobalRandom(), WorkerOptions(0)) as whole:
        expected = batches(whole, 21)
    with stream_of(faults.GlobalRandom(), workers, 18) as stream:
        assert batches(stream, 3) == expected[18:]


def test_a_stream_may_begin_before_the_epoch_that_a_class_has_come_to(points):
    points.write_text(
        points.read_text().replace("{name: tutorial}", "{name: shuffled_at_start}")
    )  # draws as it is made
    data = open_data(load_config(points))
    steps = len(data.train)
    with data.training_stream() as stream:
        expected = batches(stream, 3 * steps)
    for start in (steps + 2, 0):
        with data.training_stream(start) as stream:
            assert batches(stream, steps) == expected[start : start + steps]


@pytest.mark.parametrize("workers", WORKERS, ids=str)
def test_an_on_epoch_end_that_raises_is_named_and_leaves_nobody_behind(faults, workers, tmp_path):
    before = threading.active_count()
    with stream_of(faults.EndRaises(marker=str(tmp_path)), workers) as stream:
        for _ in range(LENGTH):
            stream.take()
        for _ in range(2):
            with pytest.raises(WorkerError, match=r"EndRaises\.on_epoch_end after epoch 0(?s:.*)RuntimeError: no disk"):
                stream.take()
    assert threading.active_count() == before
    pids = {int(path.name) for path in tmp_path.iterdir()}
    assert (os.getpid() in pids) == (not workers.processes)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids - {os.getpid()})


def test_a_batch_is_described_with_its_samples_and_their_files():
    data = open_data(load_config(CONFIGS / "digits.yaml"))
    first, second, *others = data.train.sample_indices(2, 1).tolist()
    assert describe_batch(data.train, 2, 1, most=2) == (
        f"batch 1 of epoch 2 (samples {first}: {data.source.describe(first)}, "
        f"{second}: {data.source.describe(second)} and {len(others)} more)"
    )


def test_a_batch_of_a_class_that_tells_no_samples_is_described_by_its_number(faults):
    sequence = KerasStyleSequence(faults.Counting(), 1, True)
    assert describe_batch(sequence, 4, 1) == "batch 1 of epoch 4"
    assert np.array_equal(sequence[1][1], np.zeros(3))
