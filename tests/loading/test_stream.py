import threading

import numpy as np
import pytest

from seqtrain.errors import DataError, ResourceError, WorkerError
from seqtrain.loading.memory import HeapBuffers
from seqtrain.loading.order import training_schedule, validation_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.keras_style import KerasStyleSequence
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec


class Numbers(Source):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return {"x": index}


class NumbersSequence(SampleSequence):
    """Batches of the samples' own numbers, and of a random number each."""

    def __init__(self, size=50, batch_size=8, seed=1, training=True, bad=None):
        super().__init__(Numbers(size), np.arange(size), batch_size, seed, training)
        self.spec = (FieldSpec((), "int64"), FieldSpec((), "float64"))
        self.bad = bad

    def write_sample(self, index, generator, rows):
        if index == self.bad:
            raise DataError("is truncated", where=f"sample {index}")
        rows[0][0] = index
        rows[1][0] = generator.random()


class Drawing:
    """Written for Keras: draws its batches from NumPy's global generator, as many tutorials do."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return np.random.random((2, 3)), np.zeros(2)  # noqa: NPY002 - as users write


class Counting:
    """Written for Keras: counts its epochs, and must not be called out of them."""

    def __init__(self, length=5):
        self.length = length
        self.epoch = 0
        self.calls = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.calls.append((self.epoch, index))
        return np.full((2, 1), index), np.full((2, 1), self.epoch)

    def on_epoch_end(self):
        self.may_end.wait()
        self.epoch += 1


def taken(sequence, workers, count, schedule=None, queue=4):
    schedule = schedule or training_schedule(len(sequence))
    with BatchStream(sequence, schedule, WorkerOptions(workers, max_queue_size=queue), end=count) as stream:
        return [stream.take() for _ in range(count)]


@pytest.mark.parametrize("workers", [0, 1, 2, 4, 8])
def test_batches_are_the_same_with_any_number_of_workers(workers):
    expected = [NumbersSequence().batch(*divmod(position, 7)) for position in range(21)]
    for made, batch in zip(taken(NumbersSequence(), workers, 21), expected, strict=True):
        assert np.array_equal(made.batch[0], batch[0])
        assert np.array_equal(made.batch[1], batch[1])


def test_every_sample_comes_once_an_epoch_and_each_epoch_has_its_own_order():
    epochs = [[], [], []]
    for made in taken(NumbersSequence(), 3, 21):
        epochs[made.epoch].extend(made.batch[0].tolist())
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert epochs[1] != epochs[2]


@pytest.mark.parametrize("workers", [0, 4])
def test_on_epoch_end_runs_once_an_epoch_between_its_last_batch_and_the_next(workers):
    counting = Counting()
    made = taken(KerasStyleSequence(counting, 1, True), workers, 15)
    assert sorted(counting.calls) == [(epoch, index) for epoch in range(3) for index in range(5)]
    assert [int(m.batch[1][0, 0]) for m in made] == [0] * 5 + [1] * 5 + [2] * 5
    assert counting.epoch == 3


def test_the_consumer_takes_what_is_made_while_on_epoch_end_runs():
    counting = Counting()
    counting.may_end.clear()
    with BatchStream(
        KerasStyleSequence(counting, 1, True), training_schedule(5), WorkerOptions(2, max_queue_size=8)
    ) as stream:
        for _ in range(5):
            stream.take()
        assert counting.epoch == 0
        counting.may_end.set()
        assert stream.take().epoch == 1


def test_the_first_two_batches_can_be_taken_again_until_the_third():
    with BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(2, max_queue_size=4)) as stream:
        first, second = stream.take(0), stream.take(1)
        assert stream.take(0) is first
        assert stream.take(1) is second
        assert stream.take(2).index == 2
        assert not stream.is_kept(0)


@pytest.mark.parametrize("workers", [0, 3])
def test_another_position_begins_there(workers):
    with BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(workers, max_queue_size=4)) as stream:
        stream.take(0)
        made = stream.take(9)
        assert (made.epoch, made.index) == (1, 2)
        assert np.array_equal(made.batch[0], NumbersSequence().batch(1, 2)[0])
        assert stream.take().index == 3


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_that_cost_next_to_nothing_come_in_order_too_and_from_wherever_one_begins_again(workers):
    sequence, generator, position = NumbersSequence(batch_size=2), np.random.default_rng(workers), 0
    expected = {}
    with BatchStream(sequence, training_schedule(25), WorkerOptions(workers, max_queue_size=6)) as stream:
        for count in generator.integers(1, 300, 12):
            for at in range(position, position + count):
                epoch, index = divmod(at, 25)
                if at not in expected:
                    expected[at] = NumbersSequence(batch_size=2).batch(epoch, index)[0].tolist()
                made = stream.take(at)
                assert (made.epoch, made.index, made.batch[0].tolist()) == (epoch, index, expected[at])
            position = int(generator.integers(0, 500))


def test_validation_repeats_its_first_batches():
    sequence = NumbersSequence(training=False)
    made = taken(sequence, 2, 6, validation_schedule(3))
    assert [m.index for m in made] == [0, 1, 2, 0, 1, 2]
    assert made[0].batch[0].tolist() == list(range(8))


def test_at_most_max_queue_size_batches_are_made_ahead():
    class Watching(Counting):
        taken, most = 0, 0

        def __getitem__(self, index):
            batch = super().__getitem__(index)
            self.most = max(self.most, len(self.calls) - self.taken)
            return batch

    watching = Watching(length=200)
    with BatchStream(
        KerasStyleSequence(watching, 1, True), training_schedule(200), WorkerOptions(4, max_queue_size=3)
    ) as stream:
        for _ in range(100):
            stream.take()
            watching.taken += 1
    # One more may be begun between the taking of a batch and its count here.
    assert watching.most <= 4


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_out_at_its_batch_and_names_the_sample(workers):
    sequence = NumbersSequence(training=False, bad=20)
    with BatchStream(sequence, training_schedule(7), WorkerOptions(workers, max_queue_size=4)) as stream:
        assert stream.take().index == 0
        assert stream.take().index == 1
        with pytest.raises(DataError, match="sample 20  is truncated"):
            stream.take()


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (None, "received NoneType"),
        ((1, 2, 3, 4), "received tuple of 4"),
        ((np.zeros((3, 1)), np.zeros((2, 1))), "received {'x': 3, 'y': 2}"),
        (7, "received int"),
    ],
)
def test_a_wrong_batch_is_told(returned, told):
    class Wrong(Counting):
        def __getitem__(self, index):
            return returned

    stream = BatchStream(KerasStyleSequence(Wrong(), 1, True), training_schedule(5), WorkerOptions(2, max_queue_size=4))
    with stream, pytest.raises(WorkerError, match=f"Wrong.__getitem__(?s:.*){told}"):
        stream.take()


def test_an_exception_of_the_users_class_shows_its_traceback():
    class Raising(Counting):
        def __getitem__(self, index):
            raise KeyError("no such patient")

    stream = BatchStream(
        KerasStyleSequence(Raising(), 1, True), training_schedule(5), WorkerOptions(1, max_queue_size=4)
    )
    with stream, pytest.raises(WorkerError, match="batch 0 of epoch 0 could not be made: KeyError") as caught:
        stream.take()
    assert "in __getitem__" in str(caught.value)
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_exception_of_on_epoch_end_ends_the_stream():
    class Raising(Counting):
        def on_epoch_end(self):
            raise RuntimeError("no disk")

    with BatchStream(
        KerasStyleSequence(Raising(), 1, True), training_schedule(5), WorkerOptions(2, max_queue_size=4)
    ) as stream:
        for _ in range(5):
            stream.take()
        with pytest.raises(WorkerError, match="RuntimeError: no disk"):
            stream.take()


def test_where_there_is_no_memory_for_a_batch_every_take_from_there_on_says_so(monkeypatch):
    with BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(2, max_queue_size=1)) as stream:
        stream.take()

        def full(buffers):
            raise MemoryError("no room")

        monkeypatch.setattr(HeapBuffers, "take", full)
        told = []
        while len(told) < 2:  # one or two may have been begun before
            try:
                stream.take()
            except ResourceError as error:
                told.append(str(error))
        assert all("out of memory: no room" in each for each in told)


def test_an_on_epoch_end_that_hangs_is_told():
    counting = Counting()
    counting.may_end.clear()
    workers = WorkerOptions(2, timeout_s=0.5)
    with BatchStream(KerasStyleSequence(counting, 1, True), training_schedule(5), workers) as stream:
        with pytest.raises(WorkerError, match="on_epoch_end has not returned within 0.5 seconds"):
            for _ in range(6):
                stream.take()
        counting.may_end.set()


@pytest.mark.parametrize("workers", [0, 2])
def test_beyond_its_end_a_stream_has_no_batch(workers):
    with BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(workers), end=2) as stream:
        stream.take()
        stream.take()
        with pytest.raises(IndexError, match="ends at 2"):
            stream.take()


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_while_a_batch_is_finished_is_told(workers):
    class Unfinished(NumbersSequence):
        def finish(self, rows):
            raise IndexError("no such class")

    stream = BatchStream(Unfinished(), training_schedule(7), WorkerOptions(workers))
    with stream, pytest.raises(WorkerError, match="batch 0 of epoch 0 could not be made: IndexError: no such class"):
        stream.take()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_single_maker_seeds_the_global_generators_for_each_batch(workers):
    class Random(Counting):
        def __getitem__(self, index):
            return np.random.random((2, 1)), np.zeros(2)  # noqa: NPY002 - as users write

    batches = [taken(KerasStyleSequence(Random(), 1, True), workers, 5)[3].batch[0] for _ in range(2)]
    assert np.array_equal(*batches)


@pytest.mark.parametrize("options", [WorkerOptions(0), WorkerOptions(1), WorkerOptions(2, processes=True)])
def test_validation_has_other_random_numbers_than_training_and_the_same_each_time(options):
    def numbers(training, num_batches):
        sequence = KerasStyleSequence(Drawing(), 1, training)
        schedule = training_schedule(2) if training else validation_schedule(2)
        with BatchStream(sequence, schedule, options) as stream:
            return [stream.take().batch[0].tobytes() for _ in range(num_batches)]

    training, validation = numbers(True, 6), numbers(False, 6)
    assert len(set(training)) == 6
    assert len(set(validation)) == 2
    assert validation[:2] * 3 == validation
    assert not set(training) & set(validation)


def test_closing_ends_every_thread():
    before = threading.active_count()
    stream = BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(8, max_queue_size=4))
    stream.take()
    stream.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("batch", [[[1.0, 2.0], [0, 1]], ([[1.0], [2.0]], [0, 1]), {"a": [1, 2]}, np.zeros((2, 3))])
def test_lists_tuples_dicts_and_arrays_are_batches(batch):
    class Lists(Counting):
        def __getitem__(self, index):
            return batch

    (made,) = taken(KerasStyleSequence(Lists(), 1, True), 0, 1)
    assert isinstance(made.batch, tuple)
