import errno
import fcntl

import pytest

from seqtrain.doctor.disk import check_file_system, check_free_space, check_sync_speed, disk, file_system

MOVE = "--run-dir DIR"


def test_a_disk_is_tried_out_without_leaving_or_making_anything(tmp_path):
    found = list(disk("run folder", tmp_path / "runs" / "today", MOVE))
    assert [each.name.partition(": ")[2] for each in found] == ["", "kind", "sync", "locks"]
    assert found[0].message.endswith(f"free in {tmp_path}")
    assert found[-1].status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    *_, locks = disk("run folder", tmp_path, MOVE)
    assert locks.status == "warning"
    assert "nothing keeps two runs out of one folder" in locks.message


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    (found,) = disk("cache", tmp_path / "file" / "below", "-s cache.path=DIR")
    assert found.status == "problem"
    assert found.message == f"{tmp_path / 'file'} cannot be written: Not a directory"
    assert found.fix == "name another place: -s cache.path=DIR"


@pytest.mark.parametrize(
    ("free", "files", "status"),
    [(3 * 2**30, 0, "ok"), (2**30, 0, "warning"), (2**20, 0, "problem"), (3 * 2**30, 5, "warning")],
)
def test_little_room_is_told_before_a_run_fills_it(tmp_path, free, files, status):
    assert check_free_space("run folder", MOVE, tmp_path, free, files).status == status


def test_a_slow_disk_and_one_in_memory_are_warnings():
    assert check_sync_speed("run folder", MOVE, 0.004, 1e8).status == "ok"
    assert check_sync_speed("run folder", MOVE, 1.5, 1e8).status == "warning"
    assert check_file_system("run folder", MOVE, "ext4").status == "ok"
    assert check_file_system("run folder", MOVE, "tmpfs").status == "warning"


def test_the_file_system_is_that_of_the_innermost_mount(tmp_path):
    mounts = tmp_path / "mounts"
    own = str(tmp_path.resolve()).replace(" ", "\\040")
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {own} nfs4 rw 0 0\n/dev/b /boot vfat rw 0 0\n")
    assert file_system(tmp_path, mounts) == "nfs4"
    assert file_system(tmp_path.parent, mounts) == "ext4"
