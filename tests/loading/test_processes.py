"""Worker processes: the same batches, and every way in which one can fail."""

import contextlib
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from seqtrain.errors import ResourceError, WorkerError
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.sequences.keras_style import KerasStyleSequence
from seqtrain.user_files import load_file
from tests.conftest import ROOT
from tests.loading.test_stream import NumbersSequence

FILE = ROOT / "tests" / "own" / "faults.py"


@pytest.fixture(scope="module")
def faults():
    load_file(FILE)
    return next(module for name, module in sys.modules.items() if name.startswith("seqtrain_import_faults"))


def stream(wrapped, workers=2, end=None, timeout_s=60.0, training=False):
    who = WorkerOptions(workers, processes=True, max_queue_size=4, timeout_s=timeout_s, imports=(str(FILE),))
    return BatchStream(KerasStyleSequence(wrapped, 1, training), training_schedule(len(wrapped)), who, end=end)


def taken(wrapped, count, **options):
    with stream(wrapped, end=count, **options) as batches:
        return [batches.take().batch for _ in range(count)]


def local(wrapped, count, training=False):
    sequence = KerasStyleSequence(wrapped, 1, training)
    with BatchStream(sequence, training_schedule(len(wrapped)), WorkerOptions(0), end=count) as batches:
        return [batches.take().batch for _ in range(count)]


def assert_equal(one, other):
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert all(np.array_equal(left, right) for left, right in zip(a, b, strict=True))


def test_the_state_that_on_epoch_end_leaves_reaches_every_worker(faults):
    batches = taken(faults.Counting(), 18, workers=3, training=True)
    assert_equal(batches, local(faults.Counting(), 18, training=True))
    assert [int(epoch[0]) for _, epoch in batches] == [0] * 6 + [1] * 6 + [2] * 6
    assert sorted(int(x[0, 0]) for x, _ in batches[6:12]) == list(range(6))


def test_global_random_numbers_depend_on_the_batch_alone(faults):
    one, other = (taken(faults.GlobalRandom(), 12, workers=workers, training=True) for workers in (1, 3))
    assert_equal(one, other)
    assert len({x.tobytes() for x, _ in one}) == 12


def test_batches_of_any_form_and_size_come_through(faults):
    batches = taken(faults.Growing(), 6)
    for index, (x, y, weight) in enumerate(batches):
        assert x["text"].shape == (2, 1 + 7 * index)
        assert x["text"].dtype == np.dtype("<U4")
        assert (x["text"] == "wörd").all()
        assert (x["pixels"] == index).all()
        assert (y[0].dtype, y[1].dtype, weight.dtype) == (bool, np.float16, np.float64)


def test_a_killed_worker_is_replaced_and_nothing_is_lost(faults, tmp_path, caplog):
    batches = taken(faults.KilledOnce(marker=str(tmp_path / "died")), 12)
    assert re.search(
        r"batch \d of epoch 0: its worker process died \(killed by signal 9 .* and is replaced", caplog.text
    )
    assert [int(x[0, 0]) for x, _ in batches[:6]] == list(range(6))
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        (
            "KilledAlways",
            WorkerError,
            "batch 2 of epoch 0: its worker process died 3 times\n  received killed by signal 9",
        ),
        ("Segfault", WorkerError, "killed by signal 11"),
        ("Exit", WorkerError, "exited with 3"),
        ("Unpicklable", WorkerError, "batch 2 of epoch 0 could not be made: RuntimeError: holds a lambda"),
        ("OutOfMemory", ResourceError, "batch 2 of epoch 0: out of memory"),
        ("NoneReturned", WorkerError, r"NoneReturned.__getitem__\(2\) returned no batch"),
    ],
)
def test_a_worker_that_fails_is_told(faults, kind, error, told):
    with stream(getattr(faults, kind)()) as batches:
        assert [int(batches.take().batch[0][0, 0]) for _ in range(2)] == [0, 1]
        with pytest.raises(error, match=told):
            batches.take()


def test_the_workers_own_traceback_is_shown(faults):
    with stream(faults.Unpicklable()) as batches, pytest.raises(WorkerError) as caught:
        for _ in range(3):
            batches.take()
    assert "faults.py" in str(caught.value)
    assert "in fail" in str(caught.value)
    assert "in Unpicklable.__getitem__(2)" in str(caught.value)


def test_a_worker_that_hangs_is_told_and_killed(faults):
    with stream(faults.Hang(), timeout_s=1.0) as batches, pytest.raises(WorkerError, match="not made within 1 seconds"):
        for _ in range(3):
            batches.take()


def test_the_start_of_a_worker_counts_for_no_batch(faults, tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(2)\n")
    workers = WorkerOptions(1, processes=True, timeout_s=1.0, imports=(str(FILE), str(tmp_path / "slow.py")))
    with BatchStream(KerasStyleSequence(faults.Counting(), 1, False), training_schedule(6), workers) as batches:
        assert batches.take().batch[0][0, 0] == 0


def test_what_a_worker_cannot_import_is_told(faults, tmp_path):
    (tmp_path / "here_only.py").write_text("raise OSError('no such library')\n")
    workers = WorkerOptions(1, processes=True, imports=(str(FILE), str(tmp_path / "here_only.py")))
    sequence = KerasStyleSequence(faults.Counting(), 1, False)
    with (
        BatchStream(sequence, training_schedule(6), workers) as batches,
        pytest.raises(WorkerError, match="no such library"),
    ):
        batches.take()


def test_a_thread_that_hangs_is_told_with_where_it_stands(faults, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(faults.Hang, "fail", lambda self: release.wait())
    sequence = KerasStyleSequence(faults.Hang(), 1, False)
    with BatchStream(sequence, training_schedule(6), WorkerOptions(2, timeout_s=0.5)) as batches:
        with pytest.raises(WorkerError, match="batch 2 of epoch 0: not made within 0.5 seconds(?s:.*)release.wait"):
            for _ in range(3):
                batches.take()
        release.set()


def test_what_cannot_be_pickled_is_refused_at_the_start(faults):
    with pytest.raises(WorkerError, match="cannot be sent to worker processes"):
        stream(faults.Unshareable())


def test_closing_leaves_no_process_thread_or_file(faults):
    taken(faults.Counting(), 2)
    gc.collect()
    before, others = (threading.active_count(), num_open_files()), child_processes()
    batches = stream(faults.Counting(), workers=3)
    batches.take()
    pids = child_processes() - others
    assert pids
    began = time.monotonic()
    batches.close()
    assert time.monotonic() - began < 2
    gc.collect()
    assert (threading.active_count(), num_open_files()) == before
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_workers_die_with_a_run_that_is_killed(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from seqtrain.user_files import load_file\n"
        f"load_file(Path({str(FILE)!r}))\n"
        "faults = next(m for n, m in sys.modules.items() if n.startswith('seqtrain_import_faults'))\n"
        "from seqtrain.loading.order import training_schedule\n"
        "from seqtrain.loading.stream import BatchStream\n"
        "from seqtrain.loading.workers import WorkerOptions\n"
        "from seqtrain.sequences.keras_style import KerasStyleSequence\n"
        f"sequence = KerasStyleSequence(faults.Slow(100000, {str(tmp_path)!r}), 1, False)\n"
        f"who = WorkerOptions(2, processes=True, imports=({str(FILE)!r},))\n"
        "stream = BatchStream(sequence, training_schedule(100000), who)\n"
        "while True: stream.take()\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def num_open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def child_processes():
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_workers_for_our_own_sequences_import_neither_keras_nor_tensorflow():
    code = "import json, sys, seqtrain.loading.worker_process, seqtrain.sequences; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"keras", "tensorflow", "jax", "matplotlib", "yaml"} & set(json.loads(done.stdout))


class Unreadable(NumbersSequence):
    """Cannot be unpickled, as one whose file is not among the imports."""

    def __setstate__(self, state):
        raise AttributeError("made of what is not here")


def test_a_sequence_that_a_worker_cannot_load_is_told_with_its_cause():
    who = WorkerOptions(1, processes=True, imports=(str(Path(__file__)),))
    stream = BatchStream(Unreadable(), training_schedule(7), who)
    with stream, pytest.raises(WorkerError, match="batch 0 of epoch 0 could not be made: .*not here"):
        stream.take()


def test_what_workers_import_is_imported_once_for_all_streams(tmp_path, faults):
    log, file = tmp_path / "log", tmp_path / "counted.py"
    file.write_text(f"import os\nwith open({str(log)!r}, 'a') as log:\n    log.write(f'{{os.getpid()}}\\n')\n")
    who = WorkerOptions(3, processes=True, imports=(str(FILE), str(file)))
    sequences = [KerasStyleSequence(faults.Counting(), 1, False) for _ in range(2)]
    with BatchStream(sequences[0], training_schedule(6), who) as one:
        one.take()
        with BatchStream(sequences[1], training_schedule(6), who) as other:
            other.take()
        assert [int(one.take().batch[0][0, 0]) for _ in range(5)] == [1, 2, 3, 4, 5]  # the other's end is not its own
    assert len(log.read_text().splitlines()) == 1


def test_imports_that_start_threads_are_not_forked(tmp_path, faults):
    file = tmp_path / "threaded.py"
    file.write_text("import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n")
    who = WorkerOptions(2, processes=True, imports=(str(FILE), str(file)))
    with BatchStream(KerasStyleSequence(faults.Counting(), 1, False), training_schedule(6), who) as batches:
        assert [int(batches.take().batch[0][0, 0]) for _ in range(6)] == list(range(6))
