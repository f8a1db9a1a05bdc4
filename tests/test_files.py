"""Files that appear whole or not at all."""

import errno
import os

import pytest

from seqtrain import files


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("before")
    with files.atomic_write(path) as file:
        file.write(b"after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.csv"]


def test_a_full_disk_leaves_the_former_file_and_no_leftover(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("before")
    with pytest.raises(OSError, match="No space left"), files.atomic_write(path) as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["history.csv"]


def test_what_a_killed_process_leaves_is_known_as_unfinished(tmp_path):
    path = tmp_path / "history.csv"
    for shared in (False, True):
        with files.atomic_write(path, shared=shared):
            (leftover,) = (entry for entry in tmp_path.iterdir() if entry != path)
            assert files.is_unfinished(leftover)
    assert not files.is_unfinished(path)


def test_two_processes_that_write_one_file_do_not_share_what_is_unfinished(tmp_path):
    with files.atomic_write(tmp_path / "model.keras", shared=True):
        assert [entry.name for entry in tmp_path.iterdir()] == [f".model.keras.{os.getpid()}.unfinished"]


def test_names_of_files_that_are_no_text_are_written_as_the_bytes_that_they_are(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    files.write_text(tmp_path / "bad_files.txt", name)
    assert (tmp_path / "bad_files.txt").read_bytes() == b"caf\xe9.png"
