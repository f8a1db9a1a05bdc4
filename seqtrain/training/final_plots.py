"""Draws the plots at the end of a run: its curves, and an evaluation of its best weights on the validation samples.

    plots/<metric>.png                              curves
    plots/confusion_matrix.png, roc.png, ...        depending on the kind of each output
    plots/classes.csv                               one line per class
    plots/results.json                              the key figures, or why an output has none

The best weights are loaded into the model, which predicts the validation samples once more. A failure is logged as a
warning, and does not end the run.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal, cast

from seqtrain import console
from seqtrain.errors import CheckpointError, InterruptedRunError, OutOfTimeError, SeqtrainError
from seqtrain.files import write_json, write_text
from seqtrain.loading.pipeline import Data
from seqtrain.reports.curves import draw_run
from seqtrain.reports.fields import fields_of_sequence
from seqtrain.reports.output_spec import TrainingInfo, output_specs, pairs_of
from seqtrain.reports.outputs import OutputResults
from seqtrain.reports.regression import RegressionResults
from seqtrain.structure import named_leaves
from seqtrain.training.checkpoint_store import stored_checkpoint
from seqtrain.training.predictions import PredictedBatch, predicted_batches
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.snapshot import WEIGHTS, load_weights

RESULTS = "results.json"
_PATCH_END = re.compile(r" to \d+")  # removed from a patch's position, which leaves its first corner

log = logging.getLogger("seqtrain")


def draw_final_plots(folder: RunFolder, data: Data, model: Any, check: Callable[[], None], is_done: bool) -> None:
    """Draws the final plots; a failure is logged as a warning, but a reason to stop is raised.

    Args:
        folder: The run's folder.
        data: The run's data.
        model: The run's model; the best weights are loaded into it.
        check: Raises an error if there is a reason to stop.
        is_done: Whether the run is complete; if not, only the curves are drawn.
    """
    try:
        with console.status("drawing the plots"):
            draw_run(folder.path)
            if is_done:
                _draw_results(folder, data, model, check)
    except (InterruptedRunError, OutOfTimeError):
        raise
    except SeqtrainError as error:
        log.warning("some plots were not drawn: %s", error)
    except Exception as error:
        log.warning("some plots could not be drawn: %s: %s", type(error).__name__, error)
        log.debug("while drawing", exc_info=True)


def _draw_results(folder: RunFolder, data: Data, model: Any, check: Callable[[], None]) -> None:
    document: dict[str, Any] = {"split": "val", "checkpoint": "best", "outputs": {}}
    if data.val is None:
        document["skipped"] = "the run has no validation"
    else:
        document |= _load_best_weights(folder, model)
        val, epoch = data.val, 0
        if val.changes_between_epochs:  # the validation batches of the weights' epoch
            val, epoch = data.sequence(data.split.val), int(document["epoch"])
        batches = cast("Generator[PredictedBatch]", predicted_batches(model, val, data, epoch))
        with contextlib.closing(batches):
            some = itertools.islice(batches, data.validation_steps)
            outputs = results_of_outputs(val, some, TrainingInfo.of(data, model), check)
        document["outputs"] = {each.name: draw_output(each, folder.plots, len(outputs) > 1) for each in outputs}
        if not outputs:
            document["skipped"] = "the batches have no targets"
    write_json(folder.plots / RESULTS, document)


def _load_best_weights(folder: RunFolder, model: Any) -> dict[str, Any]:
    """Loads the best weights, or the last ones if there are no best; returns the checkpoint's name and epoch."""
    which: Literal["best", "last"] = "best"
    try:
        stored = stored_checkpoint(folder.checkpoints, which)
    except CheckpointError as error:
        which = "last"
        log.warning("%s\n  the results in plots/ are those of the last one", error)
        stored = stored_checkpoint(folder.checkpoints, which)
    load_weights(model, stored.path / WEIGHTS, stored.path)
    return {"checkpoint": which, "epoch": stored.epoch}


def results_of_outputs(
    sequence: Any, batches: Iterator[PredictedBatch], info: TrainingInfo, check: Callable[[], None] = lambda: None
) -> list[OutputResults]:
    """Compares each output with its target over all batches.

    Args:
        sequence: The sequence of the batches.
        batches: The batches with the predictions for them.
        info: How the model was trained.
        check: Raises an error if there is a reason to stop.
    """
    results: dict[str, OutputResults] = {}
    for batch in batches:
        check()
        fields = fields_of_sequence(sequence, batch.batch)
        pairs = pairs_of(fields, batch.outputs)
        if not results:
            specs = output_specs(fields, batch.outputs, info)
            results = {name: OutputResults(specs[name]) for _, name in pairs}
        names = _names(sequence, batch)
        for _, name in pairs:
            results[name].add(fields, batch.outputs[name], names)
    return list(results.values())


def _names(sequence: Any, batch: PredictedBatch) -> list[str]:
    if not len(batch.items):
        size = len(next(array for _, array in named_leaves(batch.batch)))
        return [f"row {row}" for row in range(size)]
    indices = sequence.source_indices(batch.items).tolist()
    described = map(sequence.describe, batch.items.tolist())
    return [short_name(text) or f"#{index}" for text, index in zip(described, indices, strict=True)]


def short_name(described: str) -> str:
    """A sample's file name and, on a second line, the part of the file; empty if it is not a file."""
    file = described
    while file and not os.path.isfile(file):  # noqa: PTH113 - may be a text of any length
        file = file.rpartition(", ")[0]
    part = _PATCH_END.sub("", described[len(file) + 2 :])
    return "\n".join(filter(None, [Path(file).name, part])) if file else ""


def draw_output(output: OutputResults, plots: Path, has_others: bool) -> dict[str, Any]:
    """Draws an output's plots and writes its table; returns its entry for `results.json`."""
    results = output.results
    if results is None:
        return {"skipped": output.skipped}
    numbers = results.numbers()
    if not numbers["samples"]:
        return {"skipped": "no sample counts"}
    suffix = f".{output.name.partition('.')[2]}".replace("/", "_") if has_others else ""
    document: dict[str, Any] = {"kind": results.kind, "numbers": numbers}
    if isinstance(results, RegressionResults):
        document |= {"unit": results.unit} if results.unit else {}
        document |= {"column": results.name, "deviation": results.scale.std} if results.scale.std != 1 else {}
    if results.table is not None:
        text = results.table.csv(with_iou=results.kind == "segmentation")
        write_text(plots / f"classes{suffix}.csv", text)
        document["classes"] = f"classes{suffix}.csv"
    return {**document, "plots": [path.name for path in results.draw(plots, suffix)]}
