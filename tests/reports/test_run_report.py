import fcntl
import html
import json
import re
import shutil
import subprocess

import pytest

from seqtrain.errors import CheckpointError
from seqtrain.reports.run_folder import read_run
from seqtrain.reports.run_report import report
from tests.conftest import DATA, seqtrain
from tests.reports.test_page import read

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))), None)
CONFIG = f"""version: 1
source: {{name: image_folder, path: {DATA / "digits"}}}
split: 0.8
sequence: {{name: augmented_image, image_size: [16, 16], color: gray, rotation: 10}}
batch_size: 16
model: {{name: cnn, filters: [8]}}
compile: {{optimizer: adam, loss: sparse_categorical_crossentropy, metrics: [accuracy]}}
fit: {{epochs: 3, workers: 2}}
callbacks: [early_stopping: {{patience: 4}}]
"""
LOG = """2026-03-01 10:00:00,000 DEBUG command: seqtrain fit digits.yaml
2026-03-01 10:00:05,000 WARNING the model waited for data in 40 % of epoch 2: try -s fit.workers=8
2026-03-01 10:00:06,000 WARNING the model waited for data in 40 % of epoch 2: try -s fit.workers=8
I0000 00:00:1795253072.128377    2380 port.cc:153] oneDNN custom operations are on.
"""
RESULT = {"status": "completed", "best": {"epoch": 1, "monitor": "val_accuracy", "value": 0.75}, "metrics": {"loss": 1}}
RESULTS = {
    "epoch": 1,
    "outputs": {
        "y": {"kind": "classification", "numbers": {"samples": 4, "macro_f1": 0.625}, "classes": "classes.csv"}
        | {"plots": ["roc.png"]}
    },
}


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was killed after two epochs."""
    folder = tmp_path / "digits" / "today"
    (folder / "plots").mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "train.log").write_text(LOG)
    meta = {"started": "2026-03-01T10:00:00+00:00", "python": "3.11.7", "devices": ["gpu:0"], "argv": ["seqtrain", "x"]}
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "split.json").write_text(json.dumps({"num_train": 800, "num_val": 200, "sha256": "1"}))
    rows = [{"epoch": e, "loss": 1 / (e + 1), "val_loss": 2.5 - e, "samples_per_s": 99.0} for e in range(2)]
    lines = [json.dumps({**row, "time": f"2026-03-01T10:0{row['epoch'] + 1}:30+00:00"}) for row in rows]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"epoch": 2, "lo']))
    (folder / "history.csv").write_text("epoch,loss,val_loss\n0,1,2.5\n1,0.5,1.5\n")
    return folder


def finish(folder):
    (folder / "result.json").write_text(json.dumps(RESULT))
    (folder / "plots" / "results.json").write_text(json.dumps(RESULTS))
    (folder / "plots" / "classes.csv").write_text(
        "class,precision,recall,f1,support\ncat,0.5,1,0.666667,2\nno dog,,,,0\n"
    )
    shutil.copy(next((DATA / "digits").rglob("*.png")), folder / "plots" / "roc.png")


def words(html):
    return re.sub(r"\s+", " ", " ".join(read(html).words))


def test_a_run_that_was_killed_has_a_page_of_what_it_did(run):
    html, facts = report(run)
    text = words(html)
    assert facts["status"] == "killed" and facts["epochs"] == 2
    assert facts["warnings"] == ["the model waited for data in 40 % of epoch 2: try -s fit.workers=8"]
    for shown in ("digits / today", "killed", "best val_loss, epoch 2 1.5", "2 min 30 s", "No results", "gpu:0"):
        assert shown in text
    assert f"seqtrain fit {run}/config.yaml --run-dir {run}" in text
    assert not list((run / "plots").iterdir())


def test_what_was_chosen_comes_before_the_whole_config(run):
    text = words(report(run)[0])
    chosen = text[text.index("Chosen for this run") : text.index("Whole, as config.yaml has it")]
    for shown in ("model cnn", "model.filters 8", "sequence.rotation 10", "batch_size 16", "early_stopping.patience 4"):
        assert shown in chosen
    for default in ("model.dropout", "sequence.zoom", "fit.max_queue_size", "on_nan"):
        assert default not in chosen


def test_data_are_shown_with_their_classes_and_the_first_batch(run):
    html, _ = report(run)
    text = words(html)
    assert "training 800" in text and "(16, 16, 16, 1)" in text
    assert "the first training batch" in html
    assert html.count("data:image/png") == 2  # the loss, the sheet
    split = json.loads((run / "split.json").read_text())
    (run / "split.json").write_text(json.dumps({**split, "data_sha256": "1"}))
    changed = words(report(run)[0])
    assert "The data are not shown" in changed and "the data has changed since" in changed
    shutil.move(run / "config.yaml", run / "old.yaml")
    (run / "config.yaml").write_text(CONFIG.replace("/digits}", "/gone}"))
    assert "The data are not shown" in words(report(run)[0])


def test_the_best_epoch_is_that_of_what_the_run_watches_as_runs_show_has_it(run):
    config = CONFIG.replace("{patience: 4}", "{monitor: val_accuracy, mode: max, patience: 4}")
    (run / "config.yaml").write_text(config)
    rows = [{"epoch": e, "val_loss": 2.0 - e, "val_accuracy": 0.75 - e / 4} for e in range(2)]  # without their times
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "history.csv").unlink()
    html, facts = report(run)
    assert facts["best"] == {"epoch": 0, "monitor": "val_accuracy", "value": 0.75}
    assert "best val_accuracy, epoch 1 0.75" in words(html)
    assert "There are no curves without history.csv" in words(html)


def test_what_is_no_epoch_is_told(run):
    (run / "metrics.jsonl").write_text("[]\n")
    with pytest.raises(CheckpointError, match="cannot be read as a run"):
        report(run)


def test_a_run_that_has_ended_shows_its_results(run):
    finish(run)
    html, facts = report(run)
    text = words(html)
    assert facts["status"] == "completed" and facts["results"] == {"y": {"samples": 4, "macro_f1": 0.625}}
    for shown in ("best val_accuracy, epoch 2 0.75", "macro f1 0.625", "Of the best weights (epoch 2)"):
        assert shown in text
    assert "cat 0.5 1 0.6667 2" in text and "no dog - - - 0" in text


def test_errors_that_are_not_in_the_units_of_the_data_are_said_to_be(run):
    finish(run)
    output = {"kind": "regression", "numbers": {"samples": 4, "mae": 0.5}, "plots": []}
    for more, wanted in (
        ({"unit": "standard deviations"}, "Errors are in standard deviations of the targets."),
        ({"column": "price", "deviation": 50.0}, "in the unit of price; the metrics of the epochs are in its standard"),
    ):
        (run / "plots" / "results.json").write_text(json.dumps({"epoch": 1, "outputs": {"y": {**output, **more}}}))
        text = words(report(run)[0])
        assert wanted in text
        assert ("mae of price 0.5" in text) == ("column" in more)


def test_a_run_that_holds_its_lock_is_training(run):
    with (run / ".seqtrain.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert read_run(run).state.status == "training"
    finish(run)
    assert read_run(run).state.status == "completed"


def test_an_error_that_ended_it_is_told_until_it_goes_on(run):
    with (run / "train.log").open("a") as log:
        log.write("2026-03-01 10:05:00,000 DEBUG ended by DivergedError: the loss became nan in batch 3\nTraceback\n")
    facts = report(run)[1]
    assert facts["status"] == "diverged" and facts["error"] == "DivergedError: the loss became nan in batch 3"
    assert "the loss became nan in batch 3" in words(report(run)[0])
    with (run / "train.log").open("a") as log:
        log.write(LOG)
    assert read_run(run).state.status == "killed"


def test_a_run_that_has_just_begun_has_a_page(run):
    for name in ("metrics.jsonl", "history.csv", "train.log", "split.json"):
        (run / name).unlink()
    text = words(report(run)[0])
    assert "No epoch has ended yet" in text


def test_a_folder_without_a_run_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="there is no run in this folder"):
        report(tmp_path)


def test_the_command_writes_the_page_and_prints_the_facts(run, tmp_path):
    assert seqtrain("report", run, "--out", tmp_path).code == 2
    done = seqtrain("report", run, "--out", tmp_path / "new" / "page.html", "--json")
    assert done.code == 0
    assert done.json["page"] == str(tmp_path / "new" / "page.html") and done.json["epochs"] == 2
    assert (tmp_path / "new" / "page.html").read_text().startswith("<!doctype html>")


@pytest.mark.skipif(BROWSER is None, reason="no headless Chromium is installed")
@pytest.mark.parametrize("width", [390, 1400])
def test_a_browser_shows_the_whole_page_within_its_width(run, tmp_path, width):
    finish(run)
    # In a frame, as some browsers make no window as narrow as a telephone.
    script = """<script>
      addEventListener("load", () => {
        const {contentWindow: frame, contentDocument: inside} = document.querySelector("iframe");
        const broken = [...inside.images].filter(image => !image.naturalWidth).length;
        const root = inside.documentElement;
        document.title = [inside.images.length, broken, frame.innerWidth, root.scrollWidth - root.clientWidth];
      })</script>"""
    page = tmp_path / "page.html"
    frame = (
        f'<iframe style="border: 0; width: {width}px; height: 800px" srcdoc="{html.escape(report(run)[0])}"></iframe>'
    )
    page.write_text(f"<!doctype html><title></title>{script}{frame}")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,800", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert re.search("<title>(.*?)</title>", done.stdout)[1] == f"3,0,{width},0"
