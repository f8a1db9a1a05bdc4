import errno
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqtrain.config import load_config
from seqtrain.errors import CheckpointError, ResourceError, RunFolderBusyError
from seqtrain.loading.pipeline import open_data
from seqtrain.sources.synthetic_sum import SyntheticSum
from seqtrain.splits import Split
from seqtrain.training import folder_lock, run_folder
from seqtrain.training.run_folder import RunFolder

TEXT = """seed: 3
source: {name: synthetic_sum, num_samples: 20}
sequence: arrays
batch_size: 4
model: {name: mlp, units: [4]}
compile: {loss: mse}
fit: {epochs: 3}
"""
START = """
import sys
from pathlib import Path
from seqtrain.errors import RunFolderBusyError
from seqtrain.training.run_folder import RunFolder
print("ready", flush=True)
sys.stdin.readline()
try:
    folder = RunFolder(Path(sys.argv[1]))
    print("holds", flush=True)
except RunFolderBusyError as error:
    print("busy", error.exit_code, error.mistakes[0].received, flush=True)
print([name for name in ("keras", "tensorflow") if name in sys.modules], flush=True)
sys.stdin.readline()
"""


class Start:
    """A process that opens a run folder when it is told to, and holds it until it is killed."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def line(self):
        return self.process.stdout.readline().strip()

    def go(self):
        self.process.stdin.write("\n")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start(tmp_path):
    started = []

    def start(path=tmp_path / "run"):
        started.append(Start(path))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def load(tmp_path):
    def load(*overrides, text=TEXT):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        loaded = load_config(path, overrides)
        return loaded, open_data(loaded)

    return load


@pytest.fixture
def folder(tmp_path):
    opened = RunFolder(tmp_path / "run")
    yield opened
    opened.close()


@pytest.fixture
def begun(folder, load):
    loaded, data = load()
    folder.begin(loaded.config, data, ["seqtrain", "fit"])
    return folder


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def test_of_eight_simultaneous_starts_exactly_one_goes_on(start):
    starts = [start() for _ in range(8)]
    assert [each.line() for each in starts] == ["ready"] * 8
    for each in starts:
        each.go()
    told = [each.line() for each in starts]
    assert [each.line() for each in starts] == ["[]"] * 8
    holder = starts[told.index("holds")].process.pid
    assert sorted(told) == [f"busy 75 host {platform.node()}, process {holder}"] * 7 + ["holds"]


def test_the_lock_of_a_killed_process_is_taken_over(start, tmp_path):
    holder = start()
    holder.line()
    holder.go()
    assert holder.line() == "holds"
    with pytest.raises(RunFolderBusyError) as caught:
        RunFolder(tmp_path / "run")
    assert str(holder.process.pid) in str(caught.value)
    holder.kill()
    folder = RunFolder(tmp_path / "run")
    assert (folder.path / ".seqtrain.lock").read_text() == f"host {platform.node()}, process {os.getpid()}\n"
    folder.close()


def test_a_holder_that_has_not_yet_said_who_it_is_is_waited_for(folder, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock = folder.path / ".seqtrain.lock"
    lock.write_text(f"host {platform.node()}, process {ended.pid}\n")
    monkeypatch.setattr(folder_lock.time, "sleep", lambda seconds: lock.write_text("host box-7, process 12\n"))
    with pytest.raises(RunFolderBusyError, match="received host box-7, process 12"):
        RunFolder(folder.path)


def test_a_folder_is_free_again_when_it_is_closed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunFolderBusyError):
        RunFolder(folder.path)
    folder.close()
    RunFolder(folder.path).close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_warned_of(tmp_path, monkeypatch, caplog, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    RunFolder(tmp_path / "run").close()
    assert "has no locks" in caplog.text
    assert str(tmp_path / "run") in caplog.text


KILLED_AFTER = [
    [".seqtrain.lock"],
    [".seqtrain.lock", "checkpoints"],
    [".seqtrain.lock", "checkpoints", "plots", ".split.json.unfinished"],
    [".seqtrain.lock", "checkpoints", "plots", "split.npz", "split.json", "meta.json", ".config.yaml.unfinished"],
    [".seqtrain.lock", "split.json", "fitted.json", ".meta.json.unfinished"],
]


@pytest.mark.parametrize("left", KILLED_AFTER)
def test_what_a_start_leaves_that_was_killed_early_does_not_stop_the_next(tmp_path, load, left):
    path = tmp_path / "run"
    path.mkdir()
    for name in left:
        (path / name).mkdir() if name in ("checkpoints", "plots") else (path / name).write_text("")
    folder = RunFolder(path)
    assert not folder.holds_run()
    assert not any(name.endswith(".unfinished") for name in names(path))
    loaded, data = load()
    folder.begin(loaded.config, data, [])
    assert folder.holds_run()
    assert folder.check_same(loaded, data) == []
    folder.close()


def test_what_was_fitted_on_the_training_part_is_kept(folder, load, tmp_path):
    assert "fitted.json" not in names(folder.path)
    (tmp_path / "t.csv").write_text("area,town,price,kind\n10,Rom,1.5,flat\n30,Bonn,2.5,house\n,Paris,9,flat\n")
    table = f"{{name: table, path: {tmp_path}/t.csv, targets: {{price: number, kind: class}}}}"
    text = f"source: {table}\nsplit: {{train: 0.67, by: ordered}}\nsequence: table\nbatch_size: 1\n"
    loaded, data = load("fit.class_weight={kind: balanced}", text=f"{text}model: tabular\ncompile: {{loss: mse}}\n")
    folder.begin(loaded.config, data, [])
    assert json.loads((folder.path / "fitted.json").read_text()) == {
        "numeric": {"area": {"mean": 20, "deviation": 10, "has_missing": False}},
        "categorical": {"town": ["Bonn", "Rom"]},
        "targets": {
            "kind": {"classes": ["flat", "house"]},
            "price": {"mean": 2, "deviation": 0.5, "has_missing": False},
        },
    }


@pytest.mark.parametrize("name", ["thesis.tex", "history.csv", "checkpoints/step-00000001/weights"])
def test_a_folder_with_something_else_is_refused_and_left_as_it_was(tmp_path, name):
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).write_text("mine")
    before = names(tmp_path / "run")
    with pytest.raises(CheckpointError, match="something else") as caught:
        RunFolder(tmp_path / "run")
    assert before[0] in caught.value.mistakes[0].received
    assert names(tmp_path / "run") == before


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(CheckpointError, match="cannot be used"):
        RunFolder(tmp_path / "run")


def test_two_starts_in_one_second_get_two_folders(tmp_path, monkeypatch):
    class Stopped(run_folder.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2024, 5, 6, 7, 8, 9, tzinfo=tz)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_folder, "datetime", Stopped)
    folders = [RunFolder.create(Path("configs/digits.yaml")) for _ in range(3)]
    assert names(tmp_path / "runs" / "digits") == [
        "20240506T070809Z",
        "20240506T070809Z-1",
        "20240506T070809Z-2",
    ]
    for folder in folders:
        folder.close()


def test_the_config_is_written_last_and_all_is_synced(folder, load, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    loaded, data = load()
    folder.begin(loaded.config, data, [])
    files = [Path(name).name for name in synced]
    unfinished = [f".{name}.unfinished" for name in ("split.json", "meta.json", "config.yaml")]
    assert files == [name for file in unfinished for name in (file, "run")]


def test_nothing_is_forgotten_where_nothing_has_changed(begun, load):
    assert begun.check_same(*load()) == []


def test_what_may_change_is_returned(begun, load):
    changed = begun.check_same(*load("fit.epochs=10", "fit.workers=1"))
    assert list(map(str, changed)) == ["fit.epochs: 3 -> 10", "fit.workers: 4 -> 1"]


def test_all_that_may_not_change_is_told_in_one_go(begun, load):
    with pytest.raises(CheckpointError) as caught:
        begun.check_same(*load("model.units=[8]", "batch_size=8", "fit.epochs=10"))
    told = [(mistake.where, mistake.message.partition(":")[0]) for mistake in caught.value.mistakes]
    assert told == [("-s batch_size=8", "batch_size"), ("-s model.units=[8]", "model.units")]
    assert caught.value.exit_code == 4


def test_changed_data_is_told_as_such(begun, load):
    loaded, data = load()
    more = replace(data, source=SyntheticSum(21, seed=3))
    with pytest.raises(CheckpointError, match="the data has changed since") as caught:
        begun.check_same(loaded, more)
    assert caught.value.mistakes[0].expected.startswith("20 samples")
    assert caught.value.mistakes[0].received.startswith("21 samples")


def test_a_run_from_before_there_was_a_fingerprint_of_the_data_goes_on(begun, load):
    kept = json.loads((begun.path / "split.json").read_text())
    assert len(kept.pop("data_sha256")) == 64
    begun.write_json("split.json", kept)
    assert begun.check_same(*load()) == []


def test_another_split_is_told_as_such(begun, load):
    loaded, data = load()
    other = replace(data, split=Split(data.split.val, data.split.train))
    with pytest.raises(CheckpointError, match="another split"):
        begun.check_same(loaded, other)


@pytest.mark.parametrize("change", [{"train": [1, 2]}, {"train": ["x"]}, {"val": None}, {"sha256": None}])
def test_a_split_that_somebody_changed_is_told_as_such(begun, load, change):
    kept = json.loads((begun.path / "split.json").read_text())
    begun.write_json("split.json", {**kept, **change})
    with pytest.raises(CheckpointError, match="has been changed since it was written"):
        begun.check_same(*load())


@pytest.mark.parametrize("content", ["", "{", "[]", "\udcff"])
def test_a_damaged_document_is_a_checkpoint_error(begun, load, content):
    (begun.path / "split.json").write_text(content, errors="surrogateescape")
    with pytest.raises(CheckpointError, match="cannot be read"):
        begun.check_same(*load())


def test_a_split_of_many_samples_is_kept_in_arrays(folder, load, monkeypatch):
    monkeypatch.setattr(run_folder, "_MAX_IN_JSON", 19)
    loaded, data = load()
    folder.begin(loaded.config, data, [])
    kept = json.loads((folder.path / "split.json").read_text())
    assert (kept["samples"], kept["num_train"], kept["num_val"]) == ("split.npz", 16, 4)
    with np.load(folder.path / "split.npz") as arrays:
        assert sorted([*arrays["train"], *arrays["val"]]) == list(range(20))
    assert folder.check_same(loaded, data) == []


def test_the_first_start_stays_and_each_resumption_is_appended(begun, load):
    begun.add_devices("tensorflow", ["CPU:0"])
    first = json.loads((begun.path / "meta.json").read_text())
    begun.add_resumption(["again"])
    begun.add_devices("jax", ["GPU:0"])
    begun.add_resumption(["once", "more"], begun.check_same(*load("fit.epochs=10")))
    meta = json.loads((begun.path / "meta.json").read_text())
    second, third = meta.pop("resumed")
    assert meta == first
    assert (meta["argv"], meta["devices"]) == (["seqtrain", "fit"], ["CPU:0"])
    assert (second["argv"], second["hostname"], second["pid"]) == (["again"], platform.node(), os.getpid())
    assert (second["backend"], second["devices"]) == ("jax", ["GPU:0"])
    assert third["argv"] == ["once", "more"]
    assert third["changed"] == ["fit.epochs: 3 -> 10"]
    assert abs(run_folder.datetime.fromisoformat(third["time"]).timestamp() - time.time()) < 60


def test_going_on_writes_the_config_of_now_and_takes_the_result_away(begun, load):
    begun.write_json("result.json", {"status": "completed"})
    assert begun.read_result() == {"status": "completed"}
    loaded, data = load("fit.epochs=10")
    begun.resume(loaded.config)
    assert begun.read_result() is None
    assert begun.check_same(loaded, data) == []


def test_a_write_that_fails_leaves_what_was_there(begun, monkeypatch):
    before = (begun.path / "meta.json").read_text()

    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ResourceError, match="No space left"):
        begun.add_resumption([])
    assert (begun.path / "meta.json").read_text() == before
    assert ".meta.json.unfinished" not in names(begun.path)


def test_a_damaged_meta_json_does_not_keep_a_run_from_going_on(begun, caplog):
    (begun.path / "meta.json").write_text('{"argv": [')
    begun.add_resumption(["seqtrain", "fit"])
    meta = json.loads((begun.path / "meta.json").read_text())
    assert [each["argv"] for each in meta["resumed"]] == [["seqtrain", "fit"]]
    assert meta["started"] == meta["resumed"][0]["time"]  # without which `runs show` would refuse the run
    assert "begun anew" in caplog.text
