"""The sequence `windows`: batches of windows of time series, with a scaling that is fitted on the training samples."""

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
    """Windows as x, the steps that follow as y; each column is scaled to mean 0 and std 1 in the training windows.

    The scaling is fitted on the rows of the training windows only, each row once. A model's errors are in these
    standard deviations.

    Args:
        samples: The samples of the source `series`.
        training_indices: The windows that the scaling is fitted on.
        scale: Whether to scale the values.
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: (batch, window, columns), float32
        y: (batch, horizon, targets), float32

    Raises:
        ConfigError: when the source is not `series`.

    Example:
        sequence: {name: windows}
    """

    source: Series
    min_part_rows = 256  # a batch of 64 windows in eight parts takes one and a half times as long

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
        """The scale of each column; empty if values are not scaled."""
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
