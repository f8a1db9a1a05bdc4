"""What a run leaves to look at when it ends: the curves, and how its best weights do on the validation.

    plots/<metric>.png                              curves
    plots/confusion_matrix.png, roc.png, ...        by what each output of the model is
    plots/classes.csv                               a line a class
    plots/results.json                              the key figures, and why an output has none

The validation is gone through once more with the best weights, which the model keeps. What goes wrong is a warning and
ends no run.
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
from seqtrain.inference.trained_run import Predicted, predictions
from seqtrain.loading.pipeline import Data
from seqtrain.reports.curves import draw_run
from seqtrain.reports.fields import fields_of
from seqtrain.reports.outputs import Output, pairs_of
from seqtrain.reports.regression import RegressionResults
from seqtrain.sequences.fitted import scales_of
from seqtrain.structure import named_leaves
from seqtrain.training.checkpoint_store import stored_checkpoint
from seqtrain.training.run_folder import RunFolder
from seqtrain.training.snapshot import WEIGHTS, load_weights

RESULTS = "results.json"
_UNTIL = re.compile(r" to \d+")  # of where a patch lies, its first corner is enough

log = logging.getLogger("seqtrain")


def draw_final_plots(folder: RunFolder, data: Data, model: Any, check: Callable[[], None], is_done: bool) -> None:
    """Draws what a run leaves; on failure warns, but a reason to stop is raised.

    Args:
        folder: Of the run.
        data: Its data.
        model: Its model, which is given the best weights.
        check: Raises where there is a reason to stop.
        is_done: Whether the run has come to its end; else the curves alone are drawn.
    """
    try:
        with console.telling("drawing the plots"):
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
        document |= _give_best_weights(folder, model)
        loss = str(data.config.compile.loss if data.config.compile else model.loss).lower()
        with contextlib.closing(cast("Generator[Predicted]", predictions(model, data.val, data))) as predicted:
            outputs = gathered(data, itertools.islice(predicted, data.validation_steps), loss, check)
        document["outputs"] = {each.name: _drawn(each, folder.plots, len(outputs) > 1) for each in outputs}
        if not outputs:
            document["skipped"] = "the batches have no targets"
    write_json(folder.plots / RESULTS, document)


def _give_best_weights(folder: RunFolder, model: Any) -> dict[str, Any]:
    """Loads them, or the last where there are none; which checkpoint, and of which epoch."""
    which: Literal["best", "last"] = "best"
    try:
        stored = stored_checkpoint(folder.checkpoints, which)
    except CheckpointError as error:
        which = "last"
        log.warning("%s\n  the results in plots/ are those of the last one", error)
        stored = stored_checkpoint(folder.checkpoints, which)
    load_weights(model, stored.path / WEIGHTS, stored.path)
    return {"checkpoint": which, "epoch": int(stored.about["epoch"]) - (0 if stored.about["batch"] else 1)}


def gathered(
    data: Data, batches: Iterator[Predicted], loss: str, check: Callable[[], None] = lambda: None
) -> list[Output]:
    """What is to be said of each output of a model, over all batches.

    Args:
        data: Of the run.
        batches: What the model makes of them.
        loss: The words of the config's loss.
        check: Raises where there is a reason to stop.
    """
    outputs: list[Output] = []
    sequence = data.val
    for batch in batches:
        check()
        fields = fields_of(batch.batch, sequence.spec, sequence.num_classes, sequence.class_names)
        pairs = pairs_of(fields, batch.outputs)
        channels_first = sequence.data_format == "channels_first"
        outputs = outputs or [
            _in_its_unit(Output(field, predicted, loss, channels_first), data) for field, predicted in pairs
        ]
        names = _names(sequence, batch)
        for output, (_, predicted) in zip(outputs, pairs, strict=True):
            output.add(fields, predicted, names)
    return outputs


def _in_its_unit(output: Output, data: Data) -> Output:
    """The output; values that were scaled by the training part get their unit back, where they have one.

    Those of several columns are said to be in standard deviations.
    """
    results = output.results
    if not isinstance(results, RegressionResults):
        return output
    scales = scales_of(getattr(data.val, "fitted", dict)())
    name = output.name.partition(".")[2]
    columns = [name] if name else list(data.source.targets)
    scaled = [scales[column] for column in columns if "deviation" in scales.get(column, {})]
    if scaled and len(columns) == 1:
        results.name = columns[0]
        results.scaling = scaled[0]["mean"], scaled[0]["deviation"]
    elif scaled:
        results.unit = "standard deviations"
    return output


def _names(sequence: Any, batch: Predicted) -> list[str]:
    if batch.items is None:
        size = len(next(array for _, array in named_leaves(batch.batch)))
        return [f"row {row}" for row in range(size)]
    indices = sequence.source_indices(batch.items).tolist()
    described = map(getattr(sequence, "describe", str), batch.items.tolist())
    return [_short(words) or f"#{index}" for words, index in zip(described, indices, strict=True)]


def _short(described: str) -> str:
    """A sample's file without its folder and, on a line of its own, which part of it; empty where it is no file."""
    file = described
    while file and not os.path.isfile(file):  # noqa: PTH113 - may be a text of any length
        file = file.rpartition(", ")[0]
    part = _UNTIL.sub("", described[len(file) + 2 :])
    return "\n".join(filter(None, [Path(file).name, part])) if file else ""


def _drawn(output: Output, plots: Path, has_others: bool) -> dict[str, Any]:
    """Draws an output's pictures and writes its table; what `results.json` says of it."""
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
        document |= {"column": results.name, "deviation": results.scaling[1]} if results.scaling[1] != 1 else {}
    if results.table is not None:
        text = results.table.csv(with_iou=results.kind == "segmentation")
        write_text(plots / f"classes{suffix}.csv", text)
        document["classes"] = f"classes{suffix}.csv"
    return {**document, "plots": [path.name for path in results.draw(plots, suffix)]}
