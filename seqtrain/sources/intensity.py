"""Scales voxels of any range to numbers that suit a network.

    window       [low, high] become 0 and 1, other values are clipped: for CT, whose units are fixed
    percentiles  the same, with low and high from each volume: for MRI, whose units are arbitrary
    mean_std     subtracts the mean and divides by the standard deviation in the config: for fixed units, unclipped
    neither      the same, with the mean and the standard deviation of each volume

A patch is scaled like its volume. So a volume is measured once, on as much of it as can be read quickly. Measured on
each patch, the same tissue would look different in every patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.errors import ConfigError
from seqtrain.signature import argument_group
from seqtrain.sources.volume_source import VolumeSource

Voxels = npt.NDArray[np.float32]
Range = Annotated[tuple[float, float], Field(description="[low, high]")]
Percent = Annotated[float, Field(ge=0, le=100)]
Percentiles = Annotated[tuple[Percent, Percent], Field(description="[low, high] in percent")]
MeanStd = Annotated[tuple[float, float], Field(description="[mean, standard deviation]")]


class Scale(NamedTuple):
    """Subtracts `zero`, divides by `unit`, and clips to 0 and 1 if `clips`."""

    zero: float
    unit: float
    clips: bool

    def apply(self, voxels: npt.NDArray[np.generic]) -> Voxels:
        """The scaled voxels, in a new array."""
        scaled = voxels.astype(np.float32)
        scaled -= np.float32(self.zero)
        scaled /= np.float32(self.unit)
        return np.clip(scaled, 0, 1, out=scaled) if self.clips else scaled


@argument_group
@dataclass(frozen=True)
class Intensity:
    """How volumes are scaled.

    Args:
        window: [low, high]: voxels from low to high become 0 to 1, others are clipped.
        percentiles: [low, high]: the same, with these percentiles of each volume's voxels.
        mean_std: [mean, standard deviation] to scale by. Default, without window and percentiles: those of each volume.

    Raises:
        ConfigError: when more than one of them is given, or low is not below high.
    """

    window: Range | None = None
    percentiles: Percentiles | None = None
    mean_std: MeanStd | None = None

    def __post_init__(self) -> None:
        given = [name for name, value in vars(self).items() if value is not None]
        if len(given) > 1:
            raise ConfigError(
                f"{given[1]}: the volumes are scaled by {given[0]} already",
                expected="one of them, or none",
                fix=f"remove {given[0]} or {given[1]}",
            )
        for name in given:
            low, high = vars(self)[name]
            if name == "mean_std" and high <= 0:
                raise ConfigError(f"mean_std: the standard deviation is {high:g}", expected="a number above 0")
            if name != "mean_std" and high <= low:
                raise ConfigError(f"{name}: {low:g} is not below {high:g}", expected="[low, high]")

    @property
    def middle(self) -> float:
        """The value that contrast leaves unchanged: the middle of the range, or 0 if the mean is 0."""
        return 0.0 if self.window is None and self.percentiles is None else 0.5


NO_INTENSITY = Intensity()


class VolumeScales:
    """The scale of each volume of a source; if it depends on the volume, it is measured once per process.

    Args:
        source: The source of the volumes.
        intensity: How they are scaled.
    """

    def __init__(self, source: VolumeSource, intensity: Intensity) -> None:
        self._source = source
        self._intensity = intensity
        self._measured: dict[int, Scale] = {}

    def __getitem__(self, index: int) -> Scale:
        if self._intensity.window is not None:
            return _from_range(*self._intensity.window)
        if self._intensity.mean_std is not None:
            return Scale(*self._intensity.mean_std, clips=False)
        if index not in self._measured:  # two threads may both measure it, with the same result
            self._measured[index] = self._measure(index)
        return self._measured[index]

    def _measure(self, index: int) -> Scale:
        voxels = self._source.some_voxels(index)
        if self._intensity.percentiles is not None:
            return _from_range(*np.percentile(voxels, self._intensity.percentiles).tolist())
        return Scale(float(voxels.mean(dtype=np.float64)), _unit(float(voxels.std(dtype=np.float64))), clips=False)


def _from_range(low: float, high: float) -> Scale:
    return Scale(low, _unit(high - low), clips=True)


def _unit(spread: float) -> float:
    """A divisor: the spread, or 1 for a constant volume."""
    return spread if spread > 0 else 1.0
