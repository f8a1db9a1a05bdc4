"""The rest of the examination, and its sum."""

import sys

import pytest

from seqtrain.doctor import decoders, versions, workers
from seqtrain.doctor.finding import Finding, exit_code, summary, to_json, worst
from seqtrain.reports.terminal import drawn

FINE = Finding("disk", "run folder", "ok", "much is free")
SLOW = Finding("disk", "sync", "warning", "slow", "name another")
NONE = Finding("memory", "RAM", "problem", "none is left", "docker run --memory=8g")


def test_only_a_problem_ends_with_6():
    assert (worst([]), exit_code([])) == ("ok", 0)
    assert (worst([FINE, SLOW]), exit_code([FINE, SLOW])) == ("warning", 0)
    assert (worst([NONE, FINE]), exit_code([NONE, FINE])) == ("problem", 6)
    assert summary([NONE, FINE, SLOW, SLOW]) == "1 problem, 2 warnings, 1 ok"
    assert to_json([SLOW])["findings"][0]["fix"] == "name another"


def test_a_finding_is_a_line_with_its_fix_below_and_a_group_has_a_heading():
    assert "\x1b[33m  warning" in drawn(*SLOW.parts(), is_colored=True)
    assert drawn(*FINE.parts()) == "disk\n  ok       run folder         much is free"
    assert drawn(*SLOW.parts(after=FINE)).splitlines() == [
        "  warning  sync               slow",
        "                              fix: name another",
    ]
    assert drawn(*NONE.parts(after=SLOW)).startswith("\nmemory\n  problem  RAM")


def test_a_package_that_is_missing_or_old_is_a_problem_with_its_command(monkeypatch):
    assert versions.check_package("numpy", "1.0").status == "ok"
    assert versions.check_package("numpy", "99.0").fix == "pip install 'numpy>=99.0'"
    missing = versions.check_package("no-such-package", "1.2")
    assert (missing.status, missing.fix) == ("problem", "pip install 'no-such-package>=1.2'")


def test_two_packages_of_one_module_are_a_warning(monkeypatch):
    monkeypatch.setattr(versions, "version_of", lambda name: "4.12" if name.startswith("opencv-python") else None)
    found = versions.check_package("opencv-python-headless", "4.10")
    assert found.status == "warning"
    assert found.fix.startswith("pip uninstall -y opencv-python-headless opencv-python && ")


def test_tensorflow_may_be_missing_where_another_backend_computes(monkeypatch):
    monkeypatch.setattr(versions, "version_of", lambda name: None)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert versions.check_package("tensorflow", "2.20").status == "problem"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert versions.check_package("tensorflow", "2.20").status == "ok"


def test_every_decoder_reads_its_picture():
    found = list(decoders.decoders())
    assert [each.status for each in found] == ["ok"] * 3
    assert all(name in found[-1].message for name in ("JPEG", "PNG", "TIFF", "BMP", "GIF"))


@pytest.mark.parametrize(("module", "name"), [("simplejpeg", "jpeg"), ("cv2", "resizing")])
def test_a_decoder_that_is_broken_is_a_problem(monkeypatch, module, name):
    monkeypatch.setitem(sys.modules, module, None)
    found = next(each for each in decoders.decoders() if each.name == name)
    assert found.status == "problem"
    assert found.fix.startswith("pip install --force-reinstall")


def test_a_decoder_that_reads_other_colours_is_a_problem(monkeypatch):
    import simplejpeg

    right = simplejpeg.decode_jpeg
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda jpeg, colorspace: right(jpeg, "BGR"))
    assert next(decoders.decoders()).status == "problem"


def test_a_worker_process_starts_and_answers():
    _, process = workers.workers(None)
    assert process.status in ("ok", "warning")
    assert "a worker process makes a batch" in process.message


def test_a_worker_process_that_cannot_start_is_a_problem(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    _, process = workers.workers(None)
    assert (process.status, process.fix) == ("problem", "-s fit.use_multiprocessing=false")


def test_many_more_workers_than_cores_are_a_warning():
    assert workers.check_cores(2, 8).status == "ok"
    assert workers.check_cores(2, "auto").status == "ok"
    assert workers.check_cores(2, 9).status == "warning"
