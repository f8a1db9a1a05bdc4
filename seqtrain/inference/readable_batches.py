"""What a model makes of every sample that can be read, batch by batch; of all others, why they cannot be.

The loader puts another sample in the place of a bad one and says so; the row that it stands in is then marked. Where it
finds none that can be read, or a class written for Keras raises, the batch is made here, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError, SeqtrainError, WorkerError
from seqtrain.inference.trained_run import TrainedRun
from seqtrain.loading.stream import BatchStream, LoadedBatch, validation_schedule
from seqtrain.sources.base import Source
from seqtrain.structure import map_structure, named_leaves


@dataclass(frozen=True)
class Readable:
    """What the model makes of a batch.

    Args:
        items: The sequence's items, in the order of the rows.
        outputs: Nested as the model's outputs are.
        errors: By row, why its sample could not be read; its outputs mean nothing.
    """

    items: npt.NDArray[np.integer]
    outputs: Any
    errors: dict[int, str]


def readable_batches(run: TrainedRun, sequence: Any, source: Source) -> Iterator[Readable]:
    """All batches of a sequence, in order.

    Args:
        run: Whose model predicts.
        sequence: In which no augmentation is left.
        source: What it reads from.
    """
    done = 0
    for batch in _batches(run, sequence, source):
        if batch.items.size == 0:
            batch = Readable(np.arange(done, done + _num_rows(batch.outputs)), batch.outputs, batch.errors)
        done += len(batch.items)
        yield batch


def _batches(run: TrainedRun, sequence: Any, source: Source) -> Iterator[Readable]:
    steps, position = len(sequence), 0
    while position < steps:
        with BatchStream(sequence, validation_schedule(steps), run.data.workers, position, steps) as stream:
            while position < steps:
                try:
                    made = stream.take(position)
                except (DataError, WorkerError) as error:
                    if not sequence.splits_rows:
                        yield _each_alone(run, source, position, error)
                    elif isinstance(error, DataError):
                        yield _one_by_one(run, sequence, position)
                    else:
                        raise
                    position += 1
                    break  # a stream does not take back the memory of what failed
                yield _predicted(run, sequence, position, made)
                position += 1


def _predicted(run: TrainedRun, sequence: Any, position: int, made: LoadedBatch) -> Readable:
    items = sequence.sample_indices(0, position)
    if items is None:
        return Readable(np.empty(0, np.int64), _outputs(run, made.batch), {})
    rows = {item: row for row, item in enumerate(items.tolist())}
    return Readable(items, _outputs(run, made.batch), {rows[bad.index]: bad.error for bad in made.bad})


def _one_by_one(run: TrainedRun, sequence: Any, position: int) -> Readable:
    """The batch without the loader, row by row."""
    errors: dict[int, str] = {}
    items = sequence.sample_indices(0, position)
    rows = sequence.allocate(len(items))
    for row in range(len(items)):
        one = map_structure(lambda array, row=row: array[row : row + 1], rows)
        try:
            sequence.write(items[row : row + 1], 0, one)
        except DataError as error:
            errors[row] = _words(error)
            map_structure(lambda array: array.fill(0), one)
    return Readable(items, _outputs(run, sequence.finish(rows)), errors)


def _each_alone(run: TrainedRun, source: Source, position: int, failed: SeqtrainError) -> Readable:
    """The batch of a class written for Keras, which makes it in one go: of a sequence for each sample.

    Raises:
        SeqtrainError: `failed`, where no sample can be read: it is the class then, and not the files.
    """
    size = run.loaded.config.batch_size
    items = np.arange(position * size, min((position + 1) * size, len(source)))
    errors: dict[int, str] = {}
    outputs = []
    for row in range(len(items)):
        try:
            batch = run.sequence_of(source, items[row : row + 1]).batch(0, 0)
        except Exception as error:  # a class of the user's raises what it likes
            errors[row] = _words(error)
            outputs.append(map_structure(lambda each: np.zeros_like(each[:1]), run.example))
        else:
            outputs.append(_outputs(run, batch))
    if len(errors) == len(items):
        raise failed
    return Readable(items, map_structure(lambda *parts: np.concatenate(parts), *outputs), errors)


def _outputs(run: TrainedRun, batch: tuple[Any, ...]) -> Any:
    import keras

    return map_structure(keras.ops.convert_to_numpy, run.model.predict_on_batch(batch[0]))


def _num_rows(outputs: Any) -> int:
    return len(next(leaf for _, leaf in named_leaves((outputs,))))


def _words(error: Exception) -> str:
    message = error.mistakes[0].message if isinstance(error, SeqtrainError) else f"{type(error).__name__}: {error}"
    return message.splitlines()[0]
