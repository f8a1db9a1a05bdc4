"""What a model makes of every sample that can be read, batch by batch; of all others, why they cannot be.

The loader puts another sample in the place of a bad one and says so; the row that it stands in is then marked. Where it
finds none that can be read, the batch is made here, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import DataError
from seqtrain.loading.stream import BatchStream, Made, validation_schedule
from seqtrain.structure import map_structure, named_leaves
from seqtrain.training.trained_run import TrainedRun


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


def readable_batches(run: TrainedRun, sequence: Any, num_items: int) -> Iterator[Readable]:
    """All batches of a sequence, in order.

    Args:
        run: Whose model predicts.
        sequence: In which no augmentation is left.
        num_items: How many rows all its batches have together.
    """
    done = 0
    for batch in _batches(run, sequence, num_items):
        if batch.items.size == 0:
            batch = Readable(np.arange(done, done + _num_rows(batch.outputs)), batch.outputs, batch.errors)
        done += len(batch.items)
        yield batch


def _batches(run: TrainedRun, sequence: Any, num_items: int) -> Iterator[Readable]:
    steps, position = len(sequence), 0
    while position < steps:
        with BatchStream(sequence, validation_schedule(steps), run.data.workers, position, steps) as stream:
            while position < steps:
                try:
                    made = stream.take(position)
                except DataError as error:
                    yield _one_by_one(run, sequence, position, error, num_items)
                    position += 1
                    break  # a stream does not take back the memory of what failed
                yield _predicted(run, sequence, position, made)
                position += 1


def _predicted(run: TrainedRun, sequence: Any, position: int, made: Made) -> Readable:
    items = sequence.sample_indices(0, position)
    if items is None:
        return Readable(np.empty(0, np.int64), _outputs(run, made.batch), {})
    rows = {item: row for row, item in enumerate(items.tolist())}
    return Readable(items, _outputs(run, made.batch), {rows[bad.index]: bad.error for bad in made.bad})


def _one_by_one(run: TrainedRun, sequence: Any, position: int, failed: DataError, num_items: int) -> Readable:
    """The batch without the loader; of a class written for Keras, which makes it in one go, nothing can be read."""
    errors: dict[int, str] = {}
    if not sequence.splits_rows:
        size = run.loaded.config.batch_size
        items = np.arange(position * size, min((position + 1) * size, num_items))
        errors = dict.fromkeys(range(len(items)), _words(failed))
        return Readable(items, map_structure(lambda each: _empty(each, len(items)), run.example), errors)
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


def _outputs(run: TrainedRun, batch: tuple[Any, ...]) -> Any:
    import keras

    return map_structure(keras.ops.convert_to_numpy, run.model.predict_on_batch(batch[0]))


def _empty(output: npt.NDArray[Any], num_rows: int) -> npt.NDArray[Any]:
    return np.zeros((num_rows, *output.shape[1:]), output.dtype)


def _num_rows(outputs: Any) -> int:
    return len(next(leaf for _, leaf in named_leaves((outputs,))))


def _words(error: DataError) -> str:
    return error.mistakes[0].message.splitlines()[0]
