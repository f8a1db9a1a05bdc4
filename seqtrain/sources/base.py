"""What a source is: the samples that exist, listed but not loaded.

A source is any class with `__len__` and `__getitem__`; it inherits from nothing. Construction lists (paths, row
offsets, memory maps) and reads no sample, so that it is quick, small and picklable; bytes are read in `__getitem__`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Sequence as Indices
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError


class Paths(Protocol):
    """Paths of files, such as a list or `PackedPaths`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...

    def __iter__(self) -> Iterator[str]: ...


class Source(Protocol):
    """The samples of a data set.

    `source[index]` is a dict of named raw fields. Further attributes are optional, and known without reading a sample:

    - `labels`: one per sample, an array of class indices (integers) or targets (floats)
    - `groups`: one per sample, an array whose equal values belong together (a patient, a user)
    - `classes`: the names of the classes, by class index
    - `describe(index)`: the sample's file or row, for messages
    - `files`: where a sample is not just the file that `describe` names, all files that samples are read from: one
      list of paths, or several, such as images and masks; a run is not continued on others
    - `column(name)`: one value per sample, an array to group by
    - `drop_leaking(train, val)`: those of the indices `train` whose samples share no data with the samples `val`
    - `block_size` and `num_blocks_together`: so many neighbours are read in one go, and an epoch's order mixes the
      samples of so many blocks at a time
    - `class_counts(indices)`: where targets are masks, how many pixels each class has in some samples
    - `as_columns(indices)`: what a class written for Keras takes as `x_set` and `y_set`: two things with a length,
      from which a slice or an integer takes samples, in the order of `indices`
    - `of_inputs(inputs)`: another source, of the files and folders that `predict` is given, whose targets are all zero;
      what this one knows (classes, ids, the length of windows) is the other's too
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


def labels_of(source: Source) -> npt.NDArray[Any] | None:
    """The source's labels, or None where it has none."""
    return getattr(source, "labels", None)


def classes_of(source: Source) -> tuple[str, ...] | None:
    """The names of the source's classes, or None where it has none."""
    return getattr(source, "classes", None)


def only(inputs: Indices[Path], what: str) -> Path:
    """The one input of `predict`, where there may not be several.

    Raises:
        ConfigError: when there are.
    """
    if len(inputs) > 1:
        raise ConfigError(f"this run takes one {what} at a time", where="INPUT", received=f"{len(inputs)} inputs")
    return inputs[0]


def describe(source: Source, index: int) -> str:
    """The words that name one sample in a message: its file, its row, or its number."""
    if hasattr(source, "describe"):
        return str(source.describe(int(index)))
    return f"sample {index}"


def file_name(source: Source, index: int) -> str:
    """The name of the file that a sample is, without its folder; empty where it is none."""
    words = describe(source, index)
    return Path(words).name if os.path.isfile(words) else ""  # noqa: PTH113 - may be a text of any length


def as_columns(source: Source, indices: npt.NDArray[np.integer]) -> tuple[Indices[Any], Indices[Any]]:
    """What a class written for Keras takes as `x_set` and `y_set`.

    Raises:
        DataError: when the source has no such form.
    """
    if not hasattr(source, "as_columns"):
        raise DataError(
            f"a sequence that takes `x_set` and `y_set` cannot read from a {type(source).__name__}",
            expected="a source with a method `as_columns(indices)`",
            fix="use `arrays`, `image_folder` or `image_manifest`, or declare `source` and `indices` instead",
        )
    columns: tuple[Indices[Any], Indices[Any]] = source.as_columns(indices)
    return columns
