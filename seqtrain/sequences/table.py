"""The sequence `table`: batches of rows for models with several inputs and several outputs.

Dense layers take one matrix, embeddings one input per column. So all numbers of a row are one input, a vector, and each
column of categories is an input of its own, with ids.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.fitted import Scaling, Vocabulary, require_same
from seqtrain.sources.base import Source
from seqtrain.sources.table import Table
from seqtrain.sources.table_file import Categories
from seqtrain.structure import FieldSpec, Indices
from seqtrain.types import Positive

log = logging.getLogger("seqtrain")

NUMERIC = "numeric"


@sequences.register("table")
class TableSequence(SampleSequence):
    """Rows of a table, with numbers scaled and categories encoded, both fitted on the training rows.

    A missing number becomes the mean of its column. Each column of numbers with missing values in the training rows
    gets an indicator, after all numbers: 1 if the value was missing. Categories are encoded as ids: 0 for one that is
    not in the training rows, 1 for an empty cell, and from 2 on the categories sorted by name.

    Args:
        samples: The samples of the source `table`.
        training_indices: The rows that scaling and vocabularies are fitted on.
        min_count: Categories in fewer training rows count as unknown, so that the model learns about unknown ones too.
        scale_targets: Scale numeric targets too, to mean 0 and standard deviation 1 in the training rows. Errors are
            then in standard deviations, and the losses of several outputs have equal weight.
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: {"numeric": (batch, numbers + indicators), float32; each categorical column, with a slash in its name
            replaced by an underscore: (batch,), int32}
        y: (batch,), int32 for a class, float32 for a number; a dict of these by column if the source has several
            targets

    Raises:
        ConfigError: when the source is not a table, or a categorical column is called "numeric".
        DataError: when a column of numbers is empty in all training rows.

    Example:
        sequence: {name: table, min_count: 5}
    """

    source: Table
    min_part_rows = 1024  # a batch of 256 rows in eight parts takes three times as long

    def __init__(
        self,
        samples: Samples[Table],
        training_indices: Indices,
        min_count: Positive = 1,
        scale_targets: bool = True,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        source = samples.source
        _check(source)
        self.scaling = _fit_numbers(source, training_indices)
        self.vocabularies = {
            name: Vocabulary.fit(column, training_indices, min_count) for name, column in source.categories.items()
        }
        self.target_scaling = {
            name: Scaling.fit(column[:, None], training_indices)
            for name, column in source.targets.items()
            if scale_targets and isinstance(column, np.ndarray)
        }
        self._set_spec()

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples into rows, many at once."""
        x, y = rows
        if self.source.numeric:
            self._write_numbers(self.source.numbers.take(indices, axis=0), x[NUMERIC])
        for name, vocabulary in self.vocabularies.items():
            x[_input_name(name)][...] = vocabulary.apply(self.source.categories[name].codes[indices])
        for name in self.source.targets:
            (y[name] if isinstance(y, dict) else y)[...] = self._target(name, indices)

    def _write_numbers(self, numbers: npt.NDArray[np.float32], rows: npt.NDArray[np.float32]) -> None:
        width = numbers.shape[1]
        missing = np.isnan(numbers)
        scaled = self.scaling.apply(numbers)
        if missing.any():
            scaled[missing] = 0
        rows[:, :width] = scaled
        rows[:, width:] = missing[:, self._indicators]

    def fitted(self) -> dict[str, Any]:
        """The scales of the numeric columns, the names of the ids from 2 on, and the targets' classes or scales."""
        classes = {
            name: {"classes": column.names}
            for name, column in self.source.targets.items()
            if isinstance(column, Categories)
        }
        scales = {name: scaling.to_json([name])[name] for name, scaling in self.target_scaling.items()}
        return {
            "numeric": self.scaling.to_json(self.source.numeric),
            "categorical": {name: vocabulary.names for name, vocabulary in self.vocabularies.items()},
            "targets": classes | scales,
        }

    def take_fitted(self, fitted: Mapping[str, Any]) -> None:
        """See `SampleSequence`."""
        own = self.fitted()
        for what in ("numeric", "categorical", "targets"):
            require_same(f"the {what} columns of the table", list(fitted.get(what, ())), list(own[what]))
        for name, target in fitted["targets"].items():
            if "classes" in target or "classes" in own["targets"][name]:
                classes = list(own["targets"][name].get("classes", ()))
                require_same(f"the classes of '{name}'", target.get("classes"), classes)
        self.scaling = Scaling.from_json(fitted["numeric"])
        self.vocabularies = {
            name: Vocabulary.of(names, self.source.categories[name]) for name, names in fitted["categorical"].items()
        }
        self.target_scaling = {
            name: Scaling.from_json({name: target}) for name, target in fitted["targets"].items() if "mean" in target
        }
        self._set_spec()

    def reading_from(self, source: Source, indices: Indices) -> Self:
        """See `BatchSequence`; categories get the ids that they have in the training rows."""
        other = super().reading_from(source, indices)
        other.vocabularies = {
            name: Vocabulary.of(self.vocabularies[name].names, column)
            for name, column in other.source.categories.items()
        }
        for name, column in other.source.categories.items():
            ids = other.vocabularies[name].apply(column.codes)
            if num_unknown := np.count_nonzero(ids == Vocabulary.UNKNOWN):
                log.warning("%d of %d rows have a '%s' that training never saw", num_unknown, len(ids), name)
        return other

    def _set_spec(self) -> None:
        self._indicators = np.flatnonzero(self.scaling.has_missing)
        self.spec = (self._x_spec(), self._y_spec())

    def _target(self, name: str, indices: Indices) -> npt.NDArray[Any]:
        column = self.source.targets[name]
        values: npt.NDArray[Any] = column.codes[indices] if isinstance(column, Categories) else column[indices]
        if name in self.target_scaling:
            values = self.target_scaling[name].apply(values[:, None])[:, 0]
        return values

    def _x_spec(self) -> dict[str, FieldSpec]:
        width = len(self.source.numeric) + len(self._indicators)
        empty = (f"{self.source.numeric[column]} is empty" for column in self._indicators)
        spec = {NUMERIC: FieldSpec((width,), "float32", columns=(*self.source.numeric, *empty))} if width else {}
        for name, vocabulary in self.vocabularies.items():
            names = ("(unknown)", "(empty)", *vocabulary.names)
            spec[_input_name(name)] = FieldSpec((), "int32", vocabulary_size=len(vocabulary), classes=names)
        return spec

    def _y_spec(self) -> dict[str, FieldSpec] | FieldSpec:
        specs = {
            name: FieldSpec((), "int32", classes=column.names)
            if isinstance(column, Categories)
            else FieldSpec((), "float32")
            for name, column in self.source.targets.items()
        }
        return specs if len(specs) > 1 else next(iter(specs.values()))


def _check(source: Table) -> None:
    if not isinstance(source, Table):
        raise ConfigError(
            f"the sequence 'table' cannot read from a {type(source).__name__}",
            fix="use it with `source: {name: table, ...}`",
        )
    taken = {NUMERIC}
    for name in source.categorical:
        if _input_name(name) in taken:
            raise ConfigError(
                f"a column of categories cannot be called '{name}': another input goes by '{_input_name(name)}'",
                fix="rename the column, or leave it out with `ignore`",
            )
        taken.add(_input_name(name))


def _input_name(column: str) -> str:
    """The input's name of a column of categories; Keras allows no slash in it."""
    return column.replace("/", "_")


def _fit_numbers(source: Table, training_indices: Indices) -> Scaling:
    scaling = Scaling.fit(source.numbers, training_indices)
    empty = np.isnan(scaling.mean)
    if empty.any():
        raise DataError(
            f"the column '{source.numeric[int(empty.argmax())]}' has no value in the training part",
            received=f"{len(training_indices)} empty cells",
            fix="leave the column out with `ignore`",
        )
    return scaling
