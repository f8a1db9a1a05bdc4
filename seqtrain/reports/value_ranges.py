"""Ranges, means and standard deviations of the channels of a field, over samples that are not in memory together.

Workers measure each sample; the results are combined by the method of Chan, Golub and LeVeque (1979, "Updating formulae
and a pairwise algorithm for computing sample variances"), which is more precise than sums of squares.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seqtrain.reports.fields import Field
from seqtrain.reports.scratch import scratch

Array = npt.NDArray[Any]

_MAX_CHANNELS = 256
_CHANNELS_OF_OPENCV = 4
_FEW_VALUES = 256  # times the number of channels: with fewer values per channel, all channels are measured at once
_FIRST = 64  # the number of values by which most samples are found not to be constant


def channels(of: Field, data_format: str = "channels_last") -> Array:
    """A field as (samples, values, channels); channels are colours, columns, or the variables of a series.

    Args:
        of: The field, which must be numeric.
        data_format: The position of the channels of images.
    """
    array, shape = of.array, of.array.shape[1:]
    if of.kind == "pixels" and len(shape) > 2:
        array = of.channels_last(data_format)
        return array.reshape(len(array), -1, array.shape[-1])
    if of.kind == "series" and len(shape) == 2:
        return array
    if len(shape) == 1 and shape[0] <= _MAX_CHANNELS:
        return array.reshape(len(array), 1, -1)
    return array.reshape(len(array), -1, 1)


def measure(values: Array) -> dict[str, Array]:
    """Count, mean, variance, min and max of the finite values of each channel, and the numbers of NaN and Inf.

    If all values are finite, the first row has the results for all samples together, and the other rows a count of 0.

    Args:
        values: (samples, values, channels).
    """
    rows, count, num_channels = values.shape
    if not rows * count:
        nothing = np.zeros((rows, num_channels))
        return {
            **{"count": nothing.astype(np.int64), "mean": nothing, "variance": nothing},
            **{"low": nothing + np.inf, "high": nothing - np.inf},
            **{"nan": np.zeros(rows, np.int64), "infinite": np.zeros(rows, np.int64)},
        }
    nan = infinite = np.zeros(rows, np.int64)
    if values.dtype.kind == "f":
        is_finite = np.isfinite(values)
        if not is_finite.all():
            return _measure_finite(values, is_finite)
    values = values.view(np.uint8) if values.dtype.kind == "b" else values
    counts = np.zeros((rows, num_channels), np.int64)
    mean, variance = np.zeros(counts.shape), np.zeros(counts.shape)
    low, high = np.full(counts.shape, np.inf), np.full(counts.shape, -np.inf)
    counts[0] = rows * count
    if rows * count < _FEW_VALUES * num_channels and values.dtype != np.uint8:
        flat = values.reshape(-1, num_channels)
        mean[0], variance[0] = flat.mean(axis=0, dtype=np.float64), flat.var(axis=0, dtype=np.float64)
        low[0], high[0] = flat.min(axis=0), flat.max(axis=0)
    else:
        for channel, plane in enumerate(_planes(values)):
            mean[0, channel], variance[0, channel] = _moments(plane)
            low[0, channel], high[0, channel] = _extremes(plane)
    return {
        **{"count": counts, "mean": mean, "variance": variance, "low": low, "high": high},
        **{"nan": nan, "infinite": infinite},
    }


def are_constant(values: Array) -> npt.NDArray[np.bool_]:
    """Whether each sample is constant in each channel; False for samples with NaN, which are counted separately.

    Args:
        values: (samples, values, channels).
    """
    rows, count, num_channels = values.shape
    if not count * num_channels:
        return np.zeros(rows, np.bool_)
    found: npt.NDArray[np.bool_] = (values[:, :_FIRST] == values[:, :1]).all(axis=(1, 2))
    for row in np.flatnonzero(found):  # few rows are left
        found[row] = (values[row] == values[row, :1]).all()
    return found


def _planes(values: Array) -> Array:
    """The values as (channels, samples, values), since contiguous values are measured much faster."""
    rows, count, num_channels = values.shape
    if num_channels == 1:
        return np.ascontiguousarray(values).reshape(1, rows, count)
    planes = scratch.empty("planes", (num_channels, rows, count), values.dtype)
    if values.dtype == np.uint8 and num_channels <= _CHANNELS_OF_OPENCV:
        cv2.split(np.ascontiguousarray(values), list(planes))
    else:
        np.copyto(planes, np.moveaxis(values, 2, 0))
    return planes


def _moments(plane: Array) -> tuple[float, float]:
    if plane.dtype != np.uint8:
        return float(plane.mean(dtype=np.float64)), float(plane.var(dtype=np.float64))
    mean, std = cv2.meanStdDev(plane)  # by sums of squares, which are exact for bytes
    return mean.item(), std.item() ** 2


def _extremes(plane: Array) -> tuple[float, float]:
    if plane.dtype != np.uint8:
        return float(plane.min()), float(plane.max())
    low, high, _, _ = cv2.minMaxLoc(plane)  # minimum and maximum in one call
    return low, high


def _measure_finite(values: Array, is_finite: npt.NDArray[np.bool_]) -> dict[str, Array]:
    count = np.count_nonzero(is_finite, axis=1)
    zeroed = np.where(is_finite, values, 0).astype(np.float64)
    mean = zeroed.sum(axis=1) / np.maximum(count, 1)
    squares = np.where(is_finite, np.square(zeroed - mean[:, None]), 0).sum(axis=1)
    return {
        "count": count,
        "mean": mean,
        "variance": squares / np.maximum(count, 1),
        "low": np.where(is_finite, values, np.inf).min(axis=1).astype(np.float64),
        "high": np.where(is_finite, values, -np.inf).max(axis=1).astype(np.float64),
        "nan": np.count_nonzero(np.isnan(values), axis=(1, 2)),
        "infinite": np.count_nonzero(np.isinf(values), axis=(1, 2)),
    }


@dataclass
class Ranges:
    """The results for one field over all samples so far, by channel.

    Attributes:
        count: The number of finite values.
        mean: Their mean.
        squares: The sum of their squared differences from the mean.
        low: Their minimum.
        high: Their maximum.
    """

    count: Array = field(default_factory=lambda: np.zeros(1, np.int64))
    mean: Array = field(default_factory=lambda: np.zeros(1))
    squares: Array = field(default_factory=lambda: np.zeros(1))
    low: Array = field(default_factory=lambda: np.full(1, np.inf))
    high: Array = field(default_factory=lambda: np.full(1, -np.inf))

    def add(self, measured: dict[str, Array]) -> None:
        """Adds the result of `measure` for some samples."""
        if not len(measured["count"]):
            return
        count = measured["count"].sum(axis=0)
        mean = (measured["count"] * measured["mean"]).sum(axis=0) / np.maximum(count, 1)
        spread = measured["variance"] + np.square(measured["mean"] - mean)
        total = self.count + count
        gap = mean - self.mean
        self.squares = self.squares + (measured["count"] * spread).sum(axis=0)
        self.squares = self.squares + np.square(gap) * self.count * count / np.maximum(total, 1)
        self.mean = self.mean + gap * count / np.maximum(total, 1)
        self.low = np.minimum(self.low, measured["low"].min(axis=0))
        self.high = np.maximum(self.high, measured["high"].max(axis=0))
        self.count = total

    @property
    def std(self) -> Array:
        """The standard deviation of all values, as `numpy.std` defines it."""
        return np.sqrt(self.squares / np.maximum(self.count, 1))

    def to_json(self) -> dict[str, list[float | None]]:
        """The results as lists by channel; None for a channel without finite values."""
        columns = {"min": self.low, "max": self.high, "mean": self.mean, "std": self.std}
        seen = (self.count > 0).tolist()
        return {
            name: [float(f"{value:.6g}") if known else None for value, known in zip(column.tolist(), seen, strict=True)]
            for name, column in columns.items()
        }
