"""A run that meets one fault after another; all of them, as often as they can be met, with `pytest -m faults`."""

import os
import signal
import subprocess
import time

import pytest

from tests import command
from tests.faults import disks
from tests.faults.__main__ import FAULTS
from tests.faults.environment import BEGINS
from tests.faults.lab import ROOT, Lab, Start


class ForkedStart(Start):
    """A start in a process that has TensorFlow already."""

    def _launched(self, words, environment, before):
        return Forked(words, environment, self.folder.with_suffix(f".start-{time.monotonic_ns()}"))


class Forked:
    """What `Start` needs of a process, as `subprocess.Popen` has it."""

    def __init__(self, words, environment, folder):
        folder.mkdir(parents=True)
        os.mkfifo(folder / "err")
        self._process = command.start(words, ROOT, environment, folder)
        self.stderr = (folder / "err").open()

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        self._process.kill()

    def wait(self, timeout_s=None):
        self._process.join(timeout_s)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("seqtrain fit", timeout_s)
        return self._process.exitcode


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("faults"))


def test_a_run_that_meets_a_fault_of_every_kind_ends_as_one_that_met_none(tmp_path):
    lab = Lab(tmp_path, start=ForkedStart)
    folder = lab.path / "all-kinds"
    killed = -signal.SIGKILL
    assert _at_random(folder, lab.generator("sample"), lab.reference.training_s / 20) == killed
    assert ForkedStart(folder, {"save": {"number": 4, "call": 7, "do": "SIGKILL"}}).wait() == killed
    disks.flip(disks.checkpoints(folder)[-1] / "model.weights.h5")
    last = ForkedStart(folder, {"save": {"number": 1, "call": 3, "do": "ENOSPC"}})
    assert last.said_at(BEGINS) is not None
    assert ForkedStart(folder).wait() == 75
    assert last.wait() == 0, last.err
    assert disks.PUT_ASIDE in last.err
    assert disks.SAVE_FAILED in last.err
    assert lab.difference(folder) is None


@pytest.mark.faults
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_loses_anything(name, lab):
    tally = FAULTS[name](lab)
    assert tally.lost == []
    assert tally.injected == tally.survived > 0


def _at_random(folder, generator, longest_s):
    start = ForkedStart(folder)
    assert start.said_at(BEGINS) is not None
    time.sleep(generator.uniform(0, longest_s))
    start.signal(signal.SIGKILL)
    return start.wait()
