"""The source `synthetic_sum`: a regression problem whose samples are generated, so that a run needs no data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError
from seqtrain.randomness import source_generator
from seqtrain.registry import sources
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec
from seqtrain.types import Positive

_FIELDS = {"x": FieldSpec((2,), "float32"), "y": FieldSpec((1,), "float32")}


@sources.register("synthetic_sum")
class SyntheticSum(Source):
    """Two random numbers as input, their sum as target; both are generated from (seed, index) on demand.

    Args:
        num_samples: The number of samples.
        low: The lower bound of the two numbers.
        high: The upper bound of the two numbers.
        seed: The seed of the numbers; supplied by the run.

    Raises:
        ConfigError: when low is not below high.

    Example:
        source: {name: synthetic_sum, num_samples: 4096}
    """

    fields: Mapping[str, FieldSpec] = _FIELDS

    def __init__(self, num_samples: Positive, low: float = 0.0, high: float = 1.0, *, seed: int) -> None:
        if not low < high:
            raise ConfigError("low: is not below high", expected="low < high", received=f"low {low}, high {high}")
        self._num_samples = num_samples
        self._low = low
        self._high = high
        self._seed = seed

    def __len__(self) -> int:
        return self._num_samples

    def __getitem__(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        pair = self._pair(index)
        return {"x": pair, "y": pair.sum(keepdims=True)}

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples into rows."""
        pairs = np.stack([self._pair(index) for index in indices.tolist()])
        values = {"x": pairs, "y": pairs.sum(axis=1, keepdims=True)}
        for name, out in rows.items():
            out[...] = values[name]

    def _pair(self, index: int) -> npt.NDArray[np.float32]:
        return source_generator(self._seed, index).uniform(self._low, self._high, 2).astype(np.float32)
