"""Predicts every sample that can be read, batch by batch, and yields the error for the others.

The loader replaces a bad sample by another one and reports it; that row gets the error. If the loader finds no readable
sample, or a class written for Keras raises, the batch is made here, row by row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, SeqtrainError, WorkerError
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.loading.order import validation_schedule
from seqtrain.loading.stream import BatchStream, LoadedBatch
from seqtrain.sources.base import Source
from seqtrain.structure import map_structure
from seqtrain.training.predictions import PredictedBatch, items_of, predict_on_batch

NOT_FINITE = "the model puts out NaN or infinite numbers; look at the sample for some"


def readable_batches(run: TrainedRun, sequence: Any, source: Source) -> Iterator[PredictedBatch]:
    """All batches of a sequence in order, with the names of their samples.

    Args:
        run: The run whose model predicts.
        sequence: The batches, without augmentation.
        source: The source of the sequence.
    """
    name = source.describe if sequence.indices is None else sequence.describe
    done = 0
    for batch in _batches(run, sequence, source):
        num_rows = len(next(iter(batch.outputs.values())))
        items = batch.items if len(batch.items) else np.arange(done, done + num_rows)
        done += len(items)
        errors = {**dict.fromkeys(_not_finite(batch.outputs), NOT_FINITE), **batch.errors}
        yield dataclasses.replace(batch, items=items, names=[name(each) for each in items.tolist()], errors=errors)


def _batches(run: TrainedRun, sequence: Any, source: Source) -> Iterator[PredictedBatch]:
    steps, position = len(sequence), 0
    while position < steps:
        with BatchStream(sequence, validation_schedule(steps), run.data.workers, position, steps) as stream:
            while position < steps:
                try:
                    loaded = stream.take(position)
                except (DataError, WorkerError) as error:
                    if not sequence.splits_rows:
                        yield _sample_by_sample(run, source, position, error)
                    elif isinstance(error, DataError):
                        yield _row_by_row(run, sequence, position)
                    else:
                        raise
                    position += 1
                    break  # the memory of a failed batch is not returned to the stream, so open a new one
                yield _predicted(run, sequence, position, loaded)
                position += 1


def _predicted(run: TrainedRun, sequence: Any, position: int, loaded: LoadedBatch) -> PredictedBatch:
    items = items_of(sequence, position)
    rows = {item: row for row, item in enumerate(items.tolist())}
    errors = {rows[bad.index]: bad.error for bad in loaded.bad}
    return PredictedBatch(items, predict_on_batch(run.model, loaded.batch[0]), errors=errors)


def _row_by_row(run: TrainedRun, sequence: Any, position: int) -> PredictedBatch:
    """Makes a batch row by row, without the loader."""
    errors: dict[int, str] = {}
    items = sequence.sample_indices(0, position)
    rows = sequence.allocate(len(items))
    for row in range(len(items)):
        one = map_structure(lambda array, row=row: array[row : row + 1], rows)
        try:
            sequence.write(items[row : row + 1], 0, one)
        except DataError as error:
            errors[row] = _message(error)
            map_structure(lambda array: array.fill(0), one)
    return PredictedBatch(items, predict_on_batch(run.model, sequence.finish(rows)[0]), errors=errors)


def _sample_by_sample(run: TrainedRun, source: Source, position: int, failed: SeqtrainError) -> PredictedBatch:
    """Makes the batch of a class written for Keras sample by sample, with a new sequence for each sample.

    Raises:
        SeqtrainError: `failed`, if no sample can be read: then the error is in the class, not in the files.
    """
    size = run.loaded.config.batch_size
    items = np.arange(position * size, min((position + 1) * size, len(source)))
    errors: dict[int, str] = {}
    outputs = []
    for row in range(len(items)):
        try:
            batch = run.sequence_of(source, items[row : row + 1]).batch(0, 0)
        except Exception as error:  # a user's class may raise anything
            errors[row] = _message(error)
            outputs.append({name: np.zeros_like(each[:1]) for name, each in run.example.items()})
        else:
            outputs.append(predict_on_batch(run.model, batch[0]))
    if len(errors) == len(items):
        raise failed
    return PredictedBatch(items, map_structure(lambda *parts: np.concatenate(parts), *outputs), errors=errors)


def _not_finite(outputs: Mapping[str, npt.NDArray[Any]]) -> list[int]:
    """The rows with NaN or infinite outputs."""
    rows: set[int] = set()
    for output in outputs.values():
        if output.dtype.kind == "f":
            finite = np.isfinite(output).all(axis=tuple(range(1, output.ndim)))
            rows |= set(np.flatnonzero(~finite).tolist())
    return sorted(rows)


def _message(error: Exception) -> str:
    message = error.mistakes[0].message if isinstance(error, SeqtrainError) else f"{type(error).__name__}: {error}"
    return message.splitlines()[0]
