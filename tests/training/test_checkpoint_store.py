import errno
import hashlib
import json
import os
import shutil

import pytest

from seqtrain.errors import CheckpointError
from seqtrain.training import checkpoint_store
from seqtrain.training.checkpoint_store import CheckpointStore, stored_checkpoint

FILES = {"weights": b"w" * 1000, "state": b"s" * 100}


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path)


def commit(store, step, content=b"", best=None):
    return store.commit(step, {**FILES, "step": content or str(step).encode()}, {"epoch": step}, best=best)


def content(stored):
    return (stored.path / "step").read_bytes()


def test_the_newest_is_loaded_and_the_one_before_it_is_kept(store, tmp_path):
    for step in (1, 2, 3):
        commit(store, step)
    stored = store.load()
    assert content(stored) == b"3"
    assert stored.about["epoch"] == 3
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000002", "step-00000003"]
    assert str((tmp_path / "last").readlink()) == "step-00000003"


def test_one_that_a_run_replaces_while_it_is_looked_at_gives_the_newer_one(store, tmp_path, monkeypatch):
    flaw = checkpoint_store.find_flaw
    commit(store, 1)

    def replaced(folder):
        monkeypatch.setattr(checkpoint_store, "find_flaw", flaw)
        for step in (2, 3):
            commit(store, step)
        return flaw(folder)

    monkeypatch.setattr(checkpoint_store, "find_flaw", replaced)
    assert content(stored_checkpoint(tmp_path, "last")) == b"3"


def test_nothing_is_loaded_where_nothing_was_saved(store):
    assert store.load() is None
    assert store.is_empty()


def test_the_best_is_kept_however_old_and_so_is_the_best_of_the_one_before(store, tmp_path):
    first = commit(store, 1, best="")
    for step in (2, 3, 4):
        commit(store, step, best=first)
    newer = commit(store, 5, best="")
    assert str((tmp_path / "best").readlink()) == newer
    assert {path.name for path in tmp_path.glob("step-*")} == {first, "step-00000004", newer}
    commit(store, 6, best=newer)
    assert not (tmp_path / first).exists()


def flip_a_byte(folder):
    data = bytearray((folder / "weights").read_bytes())
    data[500] ^= 1
    (folder / "weights").write_bytes(data)


def cut(folder):
    os.truncate(folder / "weights", 999)


def lose(folder):
    (folder / "state").unlink()


def mix(folder):
    shutil.copy(folder.parent / "step-00000001" / "step", folder / "step")


def swap(folder):
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / "step-00000001", folder)


def garble(folder):
    (folder / "manifest.json").write_text('{"format": 1, "na')


def empty(folder):
    (folder / "manifest.json").write_text("[]")


@pytest.mark.parametrize("corrupt", [flip_a_byte, cut, lose, mix, swap, garble, empty])
def test_a_corrupt_checkpoint_is_put_aside_and_the_one_before_it_is_used(store, tmp_path, caplog, corrupt):
    commit(store, 1)
    commit(store, 2)
    corrupt(tmp_path / "step-00000002")
    assert content(store.load()) == b"1"
    assert "step-00000002 is corrupt" in caplog.text
    assert (tmp_path / "corrupt-step-00000002").is_dir()
    assert content(store.load()) == b"1"


def test_where_all_are_corrupt_none_is_loaded_and_the_run_does_not_begin_anew(store, tmp_path):
    for step in (1, 2):
        commit(store, step)
        flip_a_byte(tmp_path / f"step-0000000{step}")
    for _ in range(2):
        with pytest.raises(CheckpointError, match="every checkpoint of this run is corrupt"):
            store.load()


STEPS = ["mkdir", "write", "fsync", "rename", "replace", "symlink"]


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("operation", STEPS)
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_commit_that_fails_at_any_step_leaves_a_good_checkpoint(
    store, tmp_path, monkeypatch, operation, number, code
):
    commit(store, 1, best="")
    commit(store, 2)
    calls = fail_at(monkeypatch, operation, number, code)
    try:
        commit(store, 3, best="")
        failed = False
    except OSError as error:
        assert error.errno == code
        failed = True
    assert failed == (calls[0] > number)
    monkeypatch.undo()
    assert content(store.load()) in ((b"2", b"3") if failed else (b"3",))
    commit(store, 4)
    assert content(store.load()) == b"4"
    assert not list(tmp_path.glob(".*"))


def fail_at(monkeypatch, operation, number, code):
    """Has the call of that number fail; counts the calls."""
    import seqtrain.training.checkpoint_store as module

    name = "_write" if operation == "write" else operation
    target = module if operation == "write" else os
    real, calls = getattr(target, name), [0]

    def failing(*arguments, **keywords):
        calls[0] += 1
        if calls[0] == number + 1:
            if operation == "write":
                arguments[0].write_bytes(arguments[1][:10])
            raise OSError(code, os.strerror(code))
        return real(*arguments, **keywords)

    monkeypatch.setattr(target, name, failing)
    return calls


def test_a_save_of_the_same_step_never_replaces_one_that_is_there(store, tmp_path):
    first, second = commit(store, 5, b"first"), commit(store, 5, b"second")
    assert first != second
    assert content(store.load()) == b"second"


def test_many_saves_of_one_step_stay_in_order_though_the_first_are_gone(store):
    for number in range(5):
        commit(store, 7, str(number).encode())
        assert content(store.load()) == str(number).encode()


def test_a_run_folder_that_was_copied_with_its_links_followed_goes_on(store, tmp_path):
    commit(store, 1, best="")
    for link in ("last", "best"):
        (tmp_path / link).unlink()
        shutil.copytree(tmp_path / "step-00000001", tmp_path / link)
    commit(store, 2, best="")
    assert str((tmp_path / "best").readlink()) == str((tmp_path / "last").readlink()) == "step-00000002"


def test_the_manifest_tells_the_size_and_hash_of_each_file(store, tmp_path):
    commit(store, 1)
    manifest = json.loads((tmp_path / "last" / "manifest.json").read_text())
    assert manifest["files"]["state"] == {"size": 100, "sha256": hashlib.sha256(b"s" * 100).hexdigest()}
