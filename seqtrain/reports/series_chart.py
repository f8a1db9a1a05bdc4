"""Draws the series of a sample: the input window, the target, and a model's forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from seqtrain.reports.fields import Field
from seqtrain.reports.tiles import line_color, series_tile

_MAX_LINES = 8  # lines of a series that are in the legend
_WINDOW_FACTOR = 3  # at most this many times as many steps of the window are shown as are predicted


@dataclass(frozen=True)
class SeriesChart:
    """A chart with an input window, the target, and a prediction.

    Args:
        window: The input.
        target: The steps that follow the window.
        predicted: The prediction of these steps.
    """

    window: Field | None = None
    target: Field | None = None
    predicted: Field | None = None

    @property
    def name(self) -> str:
        """The name of the target, or without a target that of the input."""
        field = self.target or self.window
        return (field.name.partition(".")[2] if field else "") or "series"

    @property
    def note(self) -> str:
        """A note about steps that are not drawn; "" if all are."""
        shown, steps = self._num_shown, 0 if self.window is None else self.window.array.shape[1]
        return f"the last {shown} of {steps} steps that are known" if shown < steps else ""

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The colour and name of each line."""
        lines, first = [], 0
        for field, suffix in ((self.window, ""), (self.target, " (target)"), (self.predicted, " (predicted)")):
            if field is not None:
                columns = list(enumerate(field.columns))[:_MAX_LINES]
                lines += [(line_color(first + at, field is self.window), f"{column}{suffix}") for at, column in columns]
                first = 0 if field is self.window else field.array.shape[-1]  # predictions have the colours after these
        return lines

    def draw(self, row: int) -> tuple[Image.Image, str]:
        """The chart of one sample, and an empty note."""
        window, target, predicted = (
            None if field is None else field.array[row] for field in (self.window, self.target, self.predicted)
        )
        return series_tile(None if window is None else window[-self._num_shown :], target, predicted), ""

    @property
    def _num_shown(self) -> int:
        """The number of steps of the window that are shown."""
        if self.window is None:
            return 0
        steps = int(self.window.array.shape[1])
        return steps if self.predicted is None else min(steps, _WINDOW_FACTOR * self.predicted.array.shape[1])


def series_charts(fields: Sequence[Field], over: Sequence[Field] = ()) -> list[SeriesChart]:
    """A chart for each target, with the input of the same name or the first one; and for each remaining input.

    Args:
        fields: The fields of a batch.
        over: Predictions for the fields of the same names.
    """
    series = [field for field in fields if field.kind == "series"]
    inputs = {field.name.partition(".")[2]: field for field in series if field.is_input}
    predicted = {field.name: field for field in over}
    charts = []
    left = dict(inputs)
    for target in (field for field in series if field.is_target):
        name = target.name.partition(".")[2]
        name = name if name in inputs else next(iter(inputs), name)
        charts.append(SeriesChart(inputs.get(name), target, predicted.get(target.name)))
        left.pop(name, None)
    return charts + [SeriesChart(window) for window in left.values()]
