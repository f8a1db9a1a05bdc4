"""Writes the report of a run as one HTML page: status and results, then data and config; also while the run trains.

Everything is read from the run folder. Only the statistics of the data and the sheet of the first training batch need
the data; if it no longer exists, the page says so and leaves them out. The model is not built.
"""

from __future__ import annotations

import csv
import math
import shlex
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seqtrain.config.load import LoadedConfig, load_config
from seqtrain.config.non_default import non_default
from seqtrain.errors import SeqtrainError
from seqtrain.loading.pipeline import Data, first_batch
from seqtrain.loading.preprocessing_state import open_run_data, require_same_data
from seqtrain.reports.contact_sheet import Panel, contact_sheet
from seqtrain.reports.curves import draw_run
from seqtrain.reports.fields import fields_of_sequence
from seqtrain.reports.inspected_batch import statistics_table
from seqtrain.reports.page import Block, Code, Figures, Heading, PageImage, Section, Table, Text, page
from seqtrain.reports.run_folder import RunFolder, read_run
from seqtrain.reports.statistics import batch_statistics, side_statistics
from seqtrain.text import duration, number

_MAX_EPOCHS = 200
_KEY_MEASURES = ("macro_f1", "roc_auc", "mean_iou", "mae", "r2")
_CAPTIONS = {
    "confusion_matrix": "what is taken for what: shares in colour, counts in cells",
    "roc": "each class against the rest: found, and falsely found, at every threshold",
    "precision_recall": "of each class: how much is found, and how much of that is right, at every threshold",
    "iou_by_class": "intersection over union, over all pixels of the validation",
    "worst_cases": "the samples of the lowest IoU",
    "predicted_and_true": "each sample a point; on the dashed line where it is predicted right",
    "residuals": "how far predictions are off",
}
# The plots of results and curves are side by side if the screen is wide enough for two.
_SIDE_BY_SIDE = """@media (min-width: 60rem) {
    #part-2 figure, #part-3 figure { display: inline-block; width: 49%; vertical-align: top; }
  }
</style>"""
_RATES = ("learning_rate", "samples_per_s", "data_wait")
_STATUS = {
    "training": "It is training now; the page shows where it stands.",
    "completed": "It has trained all its epochs.",
    "early_stopped": "It was stopped early: no epoch was better for a while.",
    "interrupted": "It was interrupted, with a checkpoint.",
    "max_time": "Its time was over; it has a checkpoint.",
    "failed": "It was ended by an error.",
    "diverged": "Its loss became NaN or infinite.",
    "killed": "It was killed, or its machine went down: nothing says how it ended.",
}


def report(path: Path) -> tuple[str, dict[str, Any]]:
    """The page of a run as HTML, and its key facts for scripts.

    Args:
        path: The run folder.

    Raises:
        CheckpointError: when there is no run in it.
    """
    run = read_run(path)
    loaded, problem = _loaded(path)
    title = " / ".join(run.path.resolve().parts[-2:])
    sections = [
        Section("Overview", list(_overview(run))),
        Section("Results", list(_results(run))),
        Section("Curves", list(_curves(run))),
        Section("Data", list(_data(run, loaded, problem))),
        Section("Config", list(_config(run, loaded, problem))),
        Section("Environment", list(_environment(run))),
        Section("History", list(_history(run))),
        Section("Go on", list(_commands(run))),
    ]
    begun = run.meta.get("started", "").replace("T", " ").removesuffix("+00:00")
    html = page(title, f"seqtrain run, begun {begun} UTC" if begun else "seqtrain run", sections)
    return html.replace("</style>", _SIDE_BY_SIDE, 1), _key_facts(run)


def _key_facts(run: RunFolder) -> dict[str, Any]:
    best = run.best
    return {
        "run_dir": str(run.path),
        "status": run.state.status,
        "epochs": len(run.rows),
        "metrics": (run.result or {}).get("metrics") or run.last,
        "best": best.to_json() if best else None,
        "results": {name: each.get("numbers") for name, each in run.results.get("outputs", {}).items()},
        "warnings": run.warnings,
        "error": _error(run),
    }


def _error(run: RunFolder) -> str | None:
    """The error that ended a failed run."""
    return run.state.reason if run.state.status in ("failed", "diverged") else None


def _loaded(path: Path) -> tuple[LoadedConfig | None, str]:
    try:
        return load_config(path / "config.yaml", needs_files=False), ""
    except SeqtrainError as error:
        return None, str(error)


def _overview(run: RunFolder) -> Iterator[Block]:
    yield Figures(dict(_key_figures(run)))
    yield Text(_STATUS.get(run.state.status, f"It has ended: {run.state.status}."))
    if error := _error(run):
        yield Code(error)
    if run.warnings:
        yield Heading("Warnings")
        yield Table([[each] for each in run.warnings[:20]])
        if len(run.warnings) > 20:
            yield Text(f"{len(run.warnings) - 20} more are in train.log", is_faint=True)


def _key_figures(run: RunFolder) -> Iterator[tuple[str, str]]:
    yield "status", run.state.status.replace("_", " ")
    yield "epochs", str(len(run.rows))
    best = run.best
    if best is not None:
        yield f"best {best.monitor}, epoch {best.epoch + 1}", number(best.value)
    for name, output in run.results.get("outputs", {}).items():
        column = output.get("column") or name.partition(".")[2]
        of = f" of {column}" if column else ""
        known = output.get("numbers", {})
        for measure in [each for each in _KEY_MEASURES if each in known][:2]:
            yield f"{measure.replace('_', ' ')}{of}", number(known[measure])
    if run.duration_s is not None:
        yield "time", duration(run.duration_s)
    speeds = [row["samples_per_s"] for row in run.rows if row.get("samples_per_s")]
    if speeds:
        yield "samples/s", f"{statistics.median(speeds):.0f}"
    yield "warnings", str(len(run.warnings))


def _results(run: RunFolder) -> Iterator[Block]:
    outputs = run.results.get("outputs", {})
    if not outputs:
        reason = run.results.get("skipped", "they are drawn when a run ends")
        yield Text(f"No results of the best weights: {reason}.", is_faint=True)
        return
    yield Text(f"Of the best weights (epoch {run.results['epoch'] + 1}), on the validation.", is_faint=True)
    for name, output in outputs.items():
        if len(outputs) > 1:
            yield Heading(name)
        if "skipped" in output:
            yield Text(f"No plots: {output['skipped']}.", is_faint=True)
            continue
        yield Figures({measure.replace("_", " "): number(value) for measure, value in output["numbers"].items()})
        if "unit" in output:
            yield Text(f"Errors are in {output['unit']} of the targets.", is_faint=True)
        if "deviation" in output:
            unit = f"its standard deviation, {number(output['deviation'])}"
            note = f"Errors are in the unit of {output['column']}; the metrics of the epochs are in {unit}."
            yield Text(note, is_faint=True)
        yield from _images([run.path / "plots" / plot for plot in output["plots"]])
        if "classes" in output:
            yield from _class_table(run.path / "plots" / output["classes"])


def _class_table(path: Path) -> Iterator[Block]:
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        yield Heading("Classes")
        yield Table([[row[0], *map(_cell, row[1:])] for row in rows], header)


def _curves(run: RunFolder) -> Iterator[Block]:
    """The curves, drawn again: those in the folder may be outdated, or missing after a kill."""
    import tempfile

    if not run.rows:
        yield Text("No epoch has ended yet.", is_faint=True)
        return
    if not (run.path / "history.csv").is_file():
        yield Text("There are no curves without history.csv.", is_faint=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = draw_run(run.path, Path(folder))
        last = [path for path in paths if path.stem in _RATES]
        first = [path for path in paths if path not in last]
        first.sort(key=lambda path: path.stem != "loss")
        yield from _images([*first, *last], read=True)


def _images(paths: list[Path], *, read: bool = False) -> Iterator[Block]:
    for path in paths:
        if path.is_file():
            caption = _CAPTIONS.get(path.name.partition(".")[0], path.stem.replace("_", " "))
            yield PageImage(path.read_bytes() if read else path, caption)


def _data(run: RunFolder, loaded: LoadedConfig | None, problem: str) -> Iterator[Block]:
    sizes = {name.removeprefix("num_"): value for name, value in run.split.items() if name.startswith("num_")}
    left_out = sizes.get("samples", 0) - sizes.get("train", 0) - sizes.get("val", 0)
    rows = [[{"train": "training", "val": "validation"}.get(n, n), value] for n, value in sizes.items()]
    yield Table(rows + [["of them left out", left_out]] * (left_out > 0))
    if loaded is None:
        yield Text(f"The data are not shown, as the config cannot be read: {problem}", is_faint=True)
        return
    try:
        data = open_run_data(run.path, loaded)
        require_same_data(run.path, data, "train anew")
        yield from _classes(data)
        yield from _first_batch(data)
    except (SeqtrainError, OSError) as error:
        yield Text(f"The data are not shown: {error}", is_faint=True)


def _classes(data: Data) -> Iterator[Block]:
    train, val = (side_statistics(data, indices) for indices in (data.split.train, data.split.val))
    if train is None:
        return
    names = train.names or tuple(map(str, range(len(train.counts))))
    rows = zip(names, train.counts, val.counts if val is not None else (0,) * len(names), strict=True)
    yield Heading("Samples of each class")
    yield Table([list(row) for row in rows], ["class", "training", "validation"])
    yield Text(f"The largest class has {train.imbalance:.2f} times the samples of the smallest.", is_faint=True)


def _first_batch(data: Data) -> Iterator[Block]:
    train = data.train
    fields = fields_of_sequence(train, first_batch(train))
    items = train.sample_indices(0, 0)
    ids = None if items is None else train.source_indices(items).tolist()
    found = batch_statistics(fields, ids)
    yield Heading("The first training batch")
    yield statistics_table(found)
    yield from (Text(f"Warning: {warning}") for warning in found.warnings)
    title = "train, epoch 1, batch 1"
    sheet = contact_sheet([Panel("", fields)], title=title, sample_ids=ids, data_format=train.data_format)
    if sheet is not None:
        yield PageImage(sheet, "the first training batch, as the model sees it")


def _config(run: RunFolder, loaded: LoadedConfig | None, problem: str) -> Iterator[Block]:
    if loaded is None:
        yield Text(f"It cannot be read any more: {problem}", is_faint=True)
    else:
        yield Heading("Chosen for this run")
        yield Table([[value.key, _setting(value.value)] for value in non_default(loaded)])
    yield Heading("Whole, as config.yaml has it")
    yield Code((run.path / "config.yaml").read_text(encoding="utf-8"))


def _environment(run: RunFolder) -> Iterator[Block]:
    meta = run.meta
    rows = [[name, meta[name]] for name in ("seqtrain", "python", "backend") if meta.get(name)]
    rows += [["devices", ", ".join(meta.get("devices", []))]]
    rows += [[name, meta[name]] for name in ("cpus", "platform", "hostname", "git_commit") if meta.get(name)]
    rows += [[name, version] for name, version in meta.get("packages", {}).items()]
    yield Table([[name.replace("_", " "), str(value)] for name, value in rows])
    if meta.get("resumed"):
        yield Heading("Gone on with")
        yield Table([[each.get("time"), " ".join(each.get("argv", []))] for each in meta["resumed"]])


def _history(run: RunFolder) -> Iterator[Block]:
    if not run.rows:
        yield Text("No epoch has ended yet.", is_faint=True)
        return
    names = run.metrics
    every = math.ceil(len(run.rows) / _MAX_EPOCHS)
    shown = [row for row in run.rows if row["epoch"] % every == 0 or row is run.rows[-1]]
    if every > 1:
        yield Text(f"Every {every}th epoch; all are in history.csv.", is_faint=True)
    yield Table([[row["epoch"] + 1, *(row.get(name) for name in names)] for row in shown], ["epoch", *names])


def _commands(run: RunFolder) -> Iterator[Block]:
    if run.state.status in ("completed", "early_stopped"):
        yield Text("It is done. More epochs: add -s fit.epochs=N.")
    yield Text("Go on with it:")
    yield Code(run.resume_command())
    yield Text("Train the same anew:")
    again = run.path.with_name(f"{run.path.name}-again")
    yield Code(shlex.join(["seqtrain", "fit", str(run.path / "config.yaml"), "--run-dir", str(again)]))
    if run.meta.get("argv"):
        yield Text("It was begun with:")
        yield Code(shlex.join(["seqtrain", *run.meta["argv"][1:]]))


def _cell(text: str) -> Any:
    """A cell of a CSV as a number; None if it is empty."""
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
