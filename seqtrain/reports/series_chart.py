"""Draws the series of a sample: the input window, the target, and a model's forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from seqtrain.reports.fields import Field
from seqtrain.reports.tiles import line_color, series_tile

_MOST_LINES = 8  # of a series, in the legend
_KNOWN_BEFORE = 3  # times as many steps of a series as are predicted


@dataclass(frozen=True)
class SeriesChart:
    """An input, what follows it and its prediction in one chart.

    Args:
        known: An input.
        target: That follows it.
        predicted: In the target's place.
    """

    known: Field | None = None
    target: Field | None = None
    predicted: Field | None = None

    @property
    def name(self) -> str:
        """Of the target, or else of the input."""
        field = self.target or self.known
        return (field.name.partition(".")[2] if field else "") or "series"

    @property
    def note(self) -> str:
        """A note about steps or lines that are not drawn; "" if all are."""
        shown, steps = self._num_shown, 0 if self.known is None else self.known.array.shape[1]
        return f"the last {shown} of {steps} steps that are known" if shown < steps else ""

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Colour and name of each line."""
        lines, first = [], 0
        for field, suffix in ((self.known, ""), (self.target, " (target)"), (self.predicted, " (predicted)")):
            if field is not None:
                columns = list(enumerate(field.columns))[:_MOST_LINES]
                lines += [(line_color(first + at, field is self.known), f"{column}{suffix}") for at, column in columns]
                first = 0 if field is self.known else field.array.shape[-1]  # colours after those of the targets
        return lines

    def draw(self, row: int) -> tuple[Image.Image, str]:
        """The chart of one sample, and no words."""
        known, target, predicted = (
            None if field is None else field.array[row] for field in (self.known, self.target, self.predicted)
        )
        return series_tile(None if known is None else known[-self._num_shown :], target, predicted), ""

    @property
    def _num_shown(self) -> int:
        """Steps of what is known."""
        if self.known is None:
            return 0
        steps = int(self.known.array.shape[1])
        return steps if self.predicted is None else min(steps, _KNOWN_BEFORE * self.predicted.array.shape[1])


def series_charts(fields: Sequence[Field], over: Sequence[Field] = ()) -> list[SeriesChart]:
    """A chart for each target, with the input of its name or else the first, and for each input left over.

    Args:
        fields: Of a batch.
        over: Predictions of those of them that have their names.
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
    return charts + [SeriesChart(known) for known in left.values()]
