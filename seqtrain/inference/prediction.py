"""Predictions of a trained run for new samples, written batch by batch.

Samples come through the run's own Sequence and loader, so they are decoded, resized and scaled as in its validation;
no label is needed. A sample that cannot be read does not end the command: its row holds the error, and all others are
predicted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.global_random import seeded_globals
from seqtrain.inference.other_sources import require_inputs, source_of_inputs
from seqtrain.inference.prediction_format import OutFormat, writer_for
from seqtrain.inference.readable_batches import NOT_FINITE, readable_batches
from seqtrain.inference.sample_bar import sample_bar
from seqtrain.inference.trained_run import TrainedRun, names_source, require_run
from seqtrain.sources.base import Source
from seqtrain.structure import named_leaves
from seqtrain.training.predictions import PredictedBatch

log = logging.getLogger("seqtrain")

_MAX_SHOWN = 10
_MAX_LISTED = 1000


@dataclass
class Predictions:
    """The result of `predict`.

    Args:
        run: The run whose model predicted.
        samples: The number of samples to predict.
        out_format: The format of the output.
        allowed: The number of samples that may fail.
        written: The paths that were written, the most important first; empty for a stream.
        classes: The number of predictions of each class, if the model has a single output with classes.
        errors: The error of each failed sample, by its file or row; at most a thousand.
    """

    run: TrainedRun
    samples: int
    out_format: OutFormat
    allowed: int = 0
    written: list[str] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    _failed: set[int] = field(default_factory=set)
    _seen: int = 0
    _last: int = -1

    def add(self, batch: PredictedBatch, samples: Any) -> None:
        """Counts a batch.

        Args:
            batch: The predictions, with the names of their samples.
            samples: The source index of each row; several rows may be patches of one sample.
        """
        for row, error in batch.errors.items():
            if int(samples[row]) in self._failed:
                continue
            self._failed.add(int(samples[row]))
            if self.failed <= _MAX_SHOWN:
                done = "predicted" if error == NOT_FINITE else "read"
                log.warning("%s: cannot be %s: %s", batch.names[row], done, error)
            if self.failed <= _MAX_LISTED:
                self.errors[batch.names[row]] = error
        if len(samples):
            self._seen += int(np.count_nonzero(np.diff(samples, prepend=self._last)))
            self._last = int(samples[-1])
        specs = list(self.run.output_specs.values())
        if len(specs) == 1 and specs[0].kind == "classes" and specs[0].classes:
            best = specs[0].probabilities(batch.outputs[specs[0].name]).argmax(axis=1).tolist()
            for name in (specs[0].classes[index] for row, index in enumerate(best) if row not in batch.errors):
                self.classes[name] = self.classes.get(name, 0) + 1

    def require_all(self, sequence: Any) -> None:
        """Checks that the sequence gave every sample once.

        Raises:
            DataError: when it gave too few, or some twice.
        """
        if self._seen != self.samples:
            raise DataError(
                f"{sequence.owner_name} gave {self._seen} samples of {self.samples}",
                fix="have it return every sample once, in order, where it does not train",
            )

    @property
    def failed(self) -> int:
        """The number of samples that could not be read, or for which the model returned NaN."""
        return len(self._failed)

    @property
    def exit_code(self) -> int:
        """0, or 3 if more samples failed than the run's config allows."""
        return DataError.exit_code if self.failed > self.allowed else 0

    def to_json(self) -> dict[str, Any]:
        """The document that `predict --json` prints."""
        return {
            "status": "predicted" if not self.failed else "incomplete",
            "run_dir": str(self.run.path),
            "checkpoint": self.run.which,
            "epoch": self.run.epoch,
            "samples": self.samples,
            "failed": self.failed,
            "format": self.out_format,
            "written": self.written,
            "classes": self.classes,
            "errors": self.errors,
        }

    def text(self) -> str:
        """The result as text for the terminal."""
        failed = f" ({self.failed} have an error)" if self.failed else ""
        done = f"predicted {self.samples - self.failed} of {self.samples} samples{failed}"
        counts = sorted(self.classes.items(), key=lambda each: -each[1])[:_MAX_SHOWN]
        lines = [done, *(f"  {name}: {count}" for name, count in counts)]
        lines += [f"  and {len(self.classes) - _MAX_SHOWN} more classes"] * (len(self.classes) > _MAX_SHOWN)
        return "\n".join([*lines, *(f"wrote {path}" for path in self.written)])


def predict(
    path: Path,
    inputs: Sequence[Path],
    settings: Sequence[str] = (),
    checkpoint: Literal["best", "last"] = "best",
    out: Path | TextIO | None = None,
    out_format: OutFormat | None = None,
) -> Predictions:
    """Predicts the samples, and writes the predictions.

    Args:
        path: The run folder.
        inputs: Files and folders; none if the settings name another source.
        settings: Overrides (`key=value`) of the run's config; with inputs, those of the source name the new location of
            the run's own data.
        checkpoint: The checkpoint of the best epoch, or the last one.
        out: A file, a folder, or a stream. Default: `predictions` with the extension of the format.
        out_format: The format. Default: by the extension of `out`; else PNG for images, CSV for rows, .npy for others.

    Raises:
        ConfigError: when there is nothing to predict, or the format does not fit the model's outputs.
        DataError: when the inputs cannot be listed.
        KeyboardInterrupt: when the user interrupts; the predictions so far are kept.
    """
    require_run(path)
    require_inputs(inputs)
    run = TrainedRun(path, settings, checkpoint, moves_own=bool(inputs))
    if not inputs and not names_source(settings):
        raise ConfigError(
            "name INPUT, or another source",
            where="INPUT",
            fix=f"seqtrain predict {path} FOLDER --out FILE; or in place of INPUT -s source.path=PATH, with what else"
            " is set of the source",
        )
    source = source_of_inputs(inputs, run.loaded, run.data.source) if inputs else run.source
    done = Predictions(run, len(source), "csv")
    if run.loaded.config.on_bad_sample.action == "skip":
        done.allowed = run.loaded.config.on_bad_sample.most(len(source))
    sequence = _keep_all_samples(run.sequence_of(source))
    if sequence.indices is None:
        _require_order(run, source, sequence)
    num_items = len(source if sequence.indices is None else sequence.indices)  # for volumes, these are patches
    writer, done.out_format = writer_for(out, out_format, run, inputs, sequence, source)
    is_complete = False
    try:
        with sample_bar("predicting", num_items) as advance:
            for batch in readable_batches(run, sequence, source):
                done.add(batch, sequence.source_indices(batch.items))
                writer.write(batch)
                advance(len(batch.names))
        done.require_all(sequence)
        is_complete = True
    finally:
        done.written = writer.close(is_complete)
        if not is_complete and done.written:
            log.warning("what was predicted so far is in %s", ", ".join(done.written))
    return done


def _require_order(run: TrainedRun, source: Source, sequence: Any) -> None:
    """Checks that a user's class gives the samples in order: without the first one, each comes one row earlier.

    Raises:
        DataError: when it has drawn random numbers in its constructor, or gives them in another order.
    """
    fix = (
        "let it shuffle and augment only where it trains: take `training` in the constructor, or an argument that the "
        "command line sets, such as -s sequence.shuffle=false"
    )
    if sequence.shuffles_when_built:
        raise DataError(
            f"{sequence.owner_name} draws random numbers in its constructor, so it is unknown which row of a batch is "
            "which sample",
            fix=fix,
        )
    try:
        with seeded_globals(0) as has_drawn:
            rows = [array for _, array in named_leaves(sequence.batch(0, 0)[:1])]
            draws = has_drawn()
        moved = run.sequence_of(source, np.roll(np.arange(len(source)), -1)).batch(0, 0)[:1]
    except Exception as error:  # raised again for its samples, when they are predicted
        log.warning("whether %s gives its samples in order is unknown: %s", sequence.owner_name, error)
        return
    pairs = zip(rows, (array for _, array in named_leaves(moved)), strict=False)
    if draws and not sequence.in_order:
        log.warning("%s draws random numbers for batches to predict, which change with them", sequence.owner_name)
    elif draws or any(not _same_rows(one[1:], other) for one, other in pairs):
        raise DataError(
            f"{sequence.owner_name} does not give its samples in order, so it is unknown which row of a batch is which",
            fix=fix,
        )


def _same_rows(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    count = min(len(one), len(other))
    return np.array_equal(one[:count], other[:count], equal_nan=one.dtype.kind == "f")


def _keep_all_samples(sequence: Any) -> Any:
    """Sets the sequence to keep its last, smaller batch, and to report samples that cannot be read."""
    sequence.drop_remainder = False
    sequence.skips_bad_samples = sequence.splits_rows  # the loader then reports which ones it replaced
    return sequence
