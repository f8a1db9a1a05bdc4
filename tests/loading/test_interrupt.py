"""A stream that is interrupted: who waits for a batch is told at once."""

import signal
import threading

import numpy as np
import pytest

from seqtrain.errors import InterruptedRunError
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.keras_style import KerasStyleSequence


class Blocking:
    """Written for Keras: its batches from the second on are made when they may."""

    def __init__(self):
        self.calls = 0
        self.waits = threading.Event()
        self.may_go_on = threading.Event()

    def __len__(self):
        return 6

    def __getitem__(self, index):
        self.calls += 1
        if index > 0:
            self.waits.set()
            self.may_go_on.wait()
        return np.full((2, 1), index), np.zeros(2)


@pytest.fixture
def blocking():
    sequence = Blocking()
    yield sequence
    sequence.may_go_on.set()


def stream_of(blocking, workers=2):
    return BatchStream(KerasStyleSequence(blocking, 1, False), training_schedule(6), WorkerOptions(workers))


def interrupt_when_it_waits(stream, blocking, error):
    def interrupt():
        blocking.waits.wait()
        stream.interrupt(error)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


def test_who_waits_for_a_batch_is_told_of_an_interruption_and_so_is_every_later_take(blocking):
    error = InterruptedRunError(15)
    with stream_of(blocking) as stream:
        stream.take()
        thread = interrupt_when_it_waits(stream, blocking, error)
        for position in (None, None, 0):  # batch 0 is kept, and is not given either
            with pytest.raises(InterruptedRunError) as caught:
                stream.take(position)
            assert caught.value is error
        blocking.may_go_on.set()
        thread.join()


def test_an_uninterruptible_take_goes_on_waiting_and_gets_its_batch(blocking):
    with stream_of(blocking) as stream:
        stream.interrupt(InterruptedRunError(2))
        taken = []
        consumer = threading.Thread(target=lambda: taken.extend(stream.take(None, False) for _ in range(3)))
        consumer.start()
        blocking.waits.wait()
        blocking.may_go_on.set()
        consumer.join()
        assert [made.index for made in taken] == [0, 1, 2]
        with pytest.raises(InterruptedRunError):
            stream.take()


def test_without_workers_an_interrupted_take_makes_nothing(blocking):
    with stream_of(blocking, workers=0) as stream:
        stream.take()
        stream.interrupt(InterruptedRunError(2))
        with pytest.raises(InterruptedRunError):
            stream.take()
        assert blocking.calls == 1
        blocking.may_go_on.set()
        assert stream.take(interruptible=False).index == 1


def test_a_signal_handler_may_interrupt_the_thread_that_waits(blocking):
    with stream_of(blocking) as stream:
        stream.take()
        before = signal.signal(signal.SIGUSR1, lambda number, frame: stream.interrupt(InterruptedRunError(number)))
        try:
            main = threading.get_ident()
            thread = threading.Thread(target=lambda: (blocking.waits.wait(), signal.pthread_kill(main, signal.SIGUSR1)))
            thread.start()
            with pytest.raises(InterruptedRunError):
                stream.take()
            thread.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
