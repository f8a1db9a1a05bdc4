"""A terminal that is closed while a run trains in it."""

import json
import os
import pty
import signal
import sys
import time

import pytest


@pytest.mark.slow
def test_a_run_whose_terminal_is_closed_saves_and_goes_on(points):
    run_dir = points.parent / "run"
    command = ["-m", "seqtrain", "fit", str(points), "--run-dir", str(run_dir), "--progress", "bar"]
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which is ignored where the tests themselves run under nohup
        os.execv(sys.executable, [sys.executable, *command, "-s", "fit.epochs=100000"])
    metrics = run_dir / "metrics.jsonl"
    deadline = time.monotonic() + 120
    os.set_blocking(terminal, False)
    while not (metrics.exists() and metrics.read_text().count("\n") > 2):
        assert time.monotonic() < deadline
        try:
            os.read(terminal, 1 << 16)
        except BlockingIOError:
            time.sleep(0.05)
    os.close(terminal)  # the kernel sends SIGHUP, and whatever is written from now on fails
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 129
    assert json.loads((run_dir / "result.json").read_text())["status"] == "interrupted"
    assert (run_dir / "checkpoints" / "last").exists()
    # TensorFlow may tell of the wait for data that the stop broke off; no exception has ended the run.
    assert "ended by" not in (run_dir / "train.log").read_text()
