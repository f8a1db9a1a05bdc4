"""Growth is told from noise; what is sampled is really there; and the soak runs."""

import os
import subprocess
import sys

import pytest

from tests.benchmarks.footprint import Footprint, footprint
from tests.benchmarks.soak import growth, table
from tests.conftest import ROOT

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def held(memory=100.0, workers=0.0, descriptors=10, threads=5, children=0):
    return Footprint(memory, workers, descriptors, threads, children)


def grown(samples):
    return [text.partition(":")[0] for grows, text in growth(samples, warm_up=20) if grows]


def test_what_a_run_takes_in_its_first_epochs_is_no_growth():
    assert grown([held(memory=50 + 2 * epoch, descriptors=epoch) for epoch in range(20)] + [held()] * 180) == []


def test_memory_may_differ_by_one_percent():
    assert grown([held()] * 100 + [held(memory=100.9)] * 100) == []
    assert grown([held()] * 100 + [held(memory=101.1)] * 100) == ["memory"]
    assert grown([held(workers=50.0)] * 100 + [held(workers=51.0)] * 100) == ["memory of workers"]


@pytest.mark.parametrize("name", ["descriptors", "threads", "children"])
def test_one_that_stays_is_growth_and_one_that_comes_and_goes_is_not(name):
    more = held(**{name: getattr(held(), name) + 1})
    assert grown([held()] * 199 + [more]) == []
    assert grown([held()] * 150 + [more] * 50) == [name]


def test_the_table_shows_epoch_20_the_quarters_and_the_last():
    lines = table([held(memory=float(epoch)) for epoch in range(1, 201)]).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [[str(epoch), f"{epoch}.0"] for epoch in (20, 50, 100, 150, 200)]


@linux
def test_an_open_file_and_a_child_with_its_own_child_are_counted():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    before = footprint(os.getpid())
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"1\n"
        after = footprint(os.getpid())
        child.communicate(b"\n")
    assert after.children == before.children + 2
    assert after.threads == before.threads + 2
    assert after.descriptors >= before.descriptors + 2 + 2 * 3  # its two pipes, and three of each child
    assert after.workers_mb > before.workers_mb
    assert footprint(os.getpid()).descriptors == before.descriptors


@linux
@pytest.mark.long
def test_a_few_epochs_with_processes_leave_no_open_files_threads_or_processes():
    command = [sys.executable, "-m", "tests.benchmarks.soak", "--epochs", "4", "--workers", "processes"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("processes: 4 epochs\n"), done.stderr
    assert "descriptors: +0" in done.stdout
    assert "threads: +0" in done.stdout
    assert "children: +0" in done.stdout
