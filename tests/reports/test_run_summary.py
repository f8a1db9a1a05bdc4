import shlex
import shutil

import pytest

from seqtrain.reports.run_folder import read_run
from seqtrain.reports.run_summary import summary, summary_parts
from seqtrain.reports.terminal import drawn
from tests.conftest import seqtrain
from tests.reports.run_folders import LOG, make_run

DAMAGED = (
    "2026-11-21 09:00:02,000 DEBUG saved step-00000006: 0.9 MB in 0.026 s\n"
    "I0000 00:00:1 chatter of a library\n"
    "2026-11-21 09:00:02,100 DEBUG ended by DataError: a.jpg  the image is damaged\n"
    "  fix: leave it out\n"
    "Traceback (most recent call last):\n"
    '  File "run.py", line 1, in train\n'
    "    raise error\n"
)


def told(path, width=100):
    run = read_run(path)
    return drawn(*summary_parts(run, summary(run)), width=width)


def test_what_is_not_the_default_is_told_though_the_folder_writes_all(tmp_path):
    run = make_run(
        tmp_path / "run", config={"split": {"train": 0.8, "by": "random"}, "fit": {"epochs": 4, "workers": 4}}
    )
    assert {each["key"]: each["value"] for each in summary(read_run(run))["config"]} == {
        "seed": 7,
        "source": "synthetic_sum",
        "source.num_samples": 100,
        "sequence": "arrays",
        "model": "mlp",
        "model.units": [8],
        "compile.optimizer.learning_rate": 0.01,
        "compile.loss": "mse",
        "fit.epochs": 4,
        "callbacks.early_stopping": "early_stopping",
        "callbacks.early_stopping.monitor": "val_accuracy",
        "callbacks.early_stopping.patience": 3,
    }


def test_a_failed_run_shows_why_the_end_of_its_log_and_the_command_that_goes_on(tmp_path):
    lines = told(make_run(tmp_path / "run", status=None, log=LOG + DAMAGED)).splitlines()
    assert "  why          DataError: a.jpg  the image is damaged" in lines
    assert "  fix          leave it out" in lines
    assert lines[-1] == f"  seqtrain fit {tmp_path}/run/config.yaml --run-dir {tmp_path}/run"
    log = lines[lines.index(f"the end of {tmp_path}/run/train.log:") + 1 : lines.index("go on with:") - 1]
    assert [line.split(" ", 4)[-1] for line in log] == [
        "DEBUG command: seqtrain fit c.yaml",
        "INFO run folder: x",
        "DEBUG ended by DataError: a.jpg  the image is damaged",
        "fix: leave it out",
    ]


def test_a_completed_run_shows_its_results_and_nothing_to_go_on_with(tmp_path):
    text = told(make_run(tmp_path / "run"))
    assert "completed after 3 of 4 epochs in 30s" in text
    assert "val_accuracy 0.9 in epoch 2" in text
    assert "80 samples to train, 20 to validate" in text
    assert "go on with" not in text


def test_each_checkpoint_is_told_with_its_size_and_its_links(tmp_path):
    run = make_run(tmp_path / "run")
    for step in ("step-00000006", "step-00000012"):
        (run / "checkpoints" / step).mkdir(parents=True)
        (run / "checkpoints" / step / "w.h5").write_bytes(b"x" * 1_500_000)
    (run / "checkpoints" / "best").symlink_to("step-00000006")
    (run / "checkpoints" / "last").symlink_to("step-00000012")
    assert summary(read_run(run))["checkpoints"] == [
        {"name": "step-00000006", "bytes": 1_500_000, "links": ["best"]},
        {"name": "step-00000012", "bytes": 1_500_000, "links": ["last"]},
    ]
    assert "step-00000006 (best), 1.5 MB" in told(run)


def test_resumptions_are_told_with_what_had_changed(tmp_path):
    went_on = {"time": "2026-11-21T10:00:00+00:00", "argv": ["seqtrain", "fit"], "changed": ["fit.epochs: 4 -> 6"]}
    text = told(make_run(tmp_path / "run", meta={"resumed": [went_on]}))
    assert "resumed      2026-11-21 10:00:00 UTC; changed: fit.epochs: 4 -> 6" in text


def test_a_config_of_another_version_hides_nothing_else(tmp_path):
    text = told(make_run(tmp_path / "run", config={"batchsize": 3}))
    assert "config.yaml is not one of this version" in text
    assert "val_accuracy 0.9 in epoch 2" in text


def test_what_is_no_run_is_refused_with_exit_code_4(tmp_path):
    done = seqtrain("runs", "show", tmp_path)
    assert done.code == 4
    assert "there is no run in this folder" in done.err


@pytest.mark.slow
def test_the_command_that_is_shown_goes_on_with_a_killed_run_from_any_folder(points, tmp_path):
    run = tmp_path / "run"
    assert seqtrain("fit", points, "--run-dir", run, "--progress", "none", "-s", "fit.epochs=1").code == 0
    shown = seqtrain("runs", "show", run, "--json").json
    assert (shown["status"], shown["epochs"], shown["go_on"]) == ("completed", 1, None)
    (run / "result.json").unlink()
    shown = seqtrain("runs", "show", run, "--json").json
    assert shown["status"] == "killed"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = seqtrain(*shlex.split(shown["go_on"])[1:], "--json", cwd=elsewhere)
    assert done.code == 0, done.err
    assert done.json["epochs"] == 1
    shutil.rmtree(elsewhere)
