"""Classes written for Keras that fail in every way, in worker processes; Keras itself is not imported."""

import ctypes
import os
import random
import signal
import time
from pathlib import Path

import numpy as np


class Counting:
    """Batches of the epoch and the batch's number."""

    seed = 0

    def __init__(self, length=6, marker=None):
        self.length = length
        self.marker = marker
        self.epoch = 0
        self.rows = np.arange(length)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == 2:
            self.fail()
        return np.full((3, 2), self.rows[index]), np.full(3, self.epoch)

    def on_epoch_end(self):
        self.epoch += 1
        np.random.shuffle(self.rows)

    def fail(self):
        """Nothing fails here."""

    def first_time(self):
        """Whether no worker failed before; failing once is what a replaced worker mends."""
        if Path(self.marker).exists():
            return False
        Path(self.marker).touch()
        return True


class KilledOnce(Counting):
    def fail(self):
        if self.first_time():
            os.kill(os.getpid(), signal.SIGKILL)


class KilledAlways(Counting):
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)


class Segfault(Counting):
    def fail(self):
        ctypes.string_at(0)


class Exit(Counting):
    def fail(self):
        os._exit(3)


class Hang(Counting):
    def fail(self):
        time.sleep(1000)


class Unpicklable(Counting):
    def fail(self):
        error = RuntimeError("holds a lambda")
        error.function = lambda: None
        raise error


class OutOfMemory(Counting):
    def fail(self):
        np.zeros((1 << 60,), dtype=np.uint8)


class NoneReturned(Counting):
    def __getitem__(self, index):
        return None if index == 2 else super().__getitem__(index)


class Growing(Counting):
    """Batches whose shape varies, of several fields and types."""

    def __getitem__(self, index):
        x = {"text": np.full((2, 1 + 7 * index), "wörd"), "pixels": np.full((2, 3, index + 1), index, np.uint8)}
        return x, (np.zeros(2, bool), np.ones((2, 1), np.float16)), np.ones(2)


class GlobalRandom(Counting):
    """Uses the global generators, as many classes do."""

    def __getitem__(self, index):
        return np.random.random((2, 2)), np.array([random.random(), random.random()])


class Unshareable(Counting):
    def __init__(self):
        super().__init__()
        self.function = lambda: None


class Slow(Counting):
    """Takes its time, so that a run can be killed meanwhile; leaves the numbers of its processes."""

    def __getitem__(self, index):
        (Path(self.marker) / str(os.getpid())).touch()
        time.sleep(0.05)
        return super().__getitem__(index)


class EndRaises(Counting):
    """Leaves the numbers of its processes, and cannot end an epoch."""

    def __getitem__(self, index):
        (Path(self.marker) / str(os.getpid())).touch()
        return super().__getitem__(index)

    def on_epoch_end(self):
        raise RuntimeError("no disk")
