"""The sequence `windows`: batches of windows of time series, scaled by the training samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.fitted import Scaling, require_same
from seqtrain.sources.series import Series
from seqtrain.structure import FieldSpec, Indices


@sequences.register("windows")
class WindowSequence(SampleSequence):
    """What is known as x, what follows as y; each column at mean 0 and deviation 1 in the training windows.

    The scaling is fitted on the rows that training windows hold, each row once, and on no other: not on the rows
    between the two sides, and not on those of validation. The errors of a model are in these standard deviations.

    Args:
        samples: Of the source `series`.
        training_indices: The windows that the scaling is fitted on.
        scale: Leave the values as they are where it is off.
        drop_remainder: Leave out the last batch where it would be smaller.

    Shapes:
        x: (batch, window, columns), float32
        y: (batch, horizon, targets), float32

    Raises:
        ConfigError: when the source holds no windows.

    Example:
        sequence: {name: windows}
    """

    source: Series
    min_part_rows = 256  # in eight parts, a batch of 64 windows takes half as long again

    def __init__(
        self,
        samples: Samples[Series],
        training_indices: Indices,
        scale: bool = True,
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        source = samples.source
        if not isinstance(source, Series):
            raise ConfigError(
                f"the sequence 'windows' cannot read from a {type(source).__name__}",
                fix="use it with `source: {name: series, ...}`",
            )
        rows = np.flatnonzero(source.rows_of(training_indices))
        self.scaling = Scaling.fit(source.values, rows) if scale else None
        self.spec = (
            FieldSpec((source.window, len(source.columns)), "float32", kind="series", columns=tuple(source.columns)),
            FieldSpec((source.horizon, len(source.targets)), "float32", kind="series", columns=tuple(source.targets)),
        )

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes windows into rows, many at once."""
        x, y = rows
        source = self.source
        starts = source.starts[indices, None]
        x[...] = self._scaled(starts + np.arange(source.window), source.features)
        y[...] = self._scaled(starts + source.window + np.arange(source.horizon), source.target_features)

    def fitted(self) -> dict[str, Any]:
        """The scale of each column; nothing where the values are left as they are."""
        names = list(dict.fromkeys((*self.source.columns, *self.source.targets)))
        return {} if self.scaling is None else {"columns": self.scaling.to_json(names)}

    def take_fitted(self, fitted: Mapping[str, Any]) -> None:
        """See `SampleSequence`."""
        own = self.fitted().get("columns", ())
        require_same("the columns that are scaled", list(fitted.get("columns", ())), list(own))
        self.scaling = Scaling.from_json(fitted["columns"]) if "columns" in fitted else None

    def _scaled(self, rows: Indices, columns: Indices) -> npt.NDArray[Any]:
        # Not values[rows[..., None], columns], which takes five times as long.
        values: npt.NDArray[Any] = self.source.values.take(rows, axis=0).take(columns, axis=-1)
        return values if self.scaling is None else self.scaling.apply(values, columns)
