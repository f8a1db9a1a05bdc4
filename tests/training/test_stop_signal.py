"""In a process of its own, which a second signal ends at once."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import time
from seqtrain.errors import InterruptedRunError
from seqtrain.training.stop_signal import StopSignal

with StopSignal() as stops:
    print("waits", flush=True)
    for second in range(60):
        time.sleep(1)
        try:
            stops.check()
        except InterruptedRunError as reason:
            print(reason, flush=True)
"""


@pytest.fixture
def waiting():
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "waits\n"
        yield process
        process.kill()


def test_signals_that_come_in_one_go_are_one_and_the_next_ends_the_process(waiting):
    for number in (signal.SIGINT, signal.SIGTERM):  # different ones, as the kernel joins equal ones
        waiting.send_signal(number)
    told = waiting.stdout.readline()
    assert told in ("stopped by SIGINT\n", "stopped by SIGTERM\n")
    assert waiting.stdout.readline() == told  # a second later
    waiting.send_signal(signal.SIGTERM)
    assert waiting.wait(30) == 143
