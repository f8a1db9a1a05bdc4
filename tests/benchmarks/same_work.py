"""Whether two loaders do the same work: the same parts of a batch, shapes and types, and nearly the same values.

Values differ a little, since decoders that scale and filters that skip do (see `pixels`), and since drawing functions
take the outline of a polygon in. What is drawn, partners and noise, can only be the same in its kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.benchmarks.pixels import TOLERANCE

Leaves = dict[str, np.ndarray]

_FEW_IDS = 16  # arrays of bytes with values below are masks of ids
_SAME_IDS = 0.97
_SAME_NUMBERS = 1e-3
_WHITE = 255


def difference(ours: Leaves, theirs: Leaves, of_pictures: bool = True) -> str | None:
    """What is different in a batch, or None.

    Args:
        ours: By the names of its parts.
        theirs: The same.
        of_pictures: Whether pixels may differ as much as decoders do; otherwise as much as rounding.
    """
    if wrong := different_form(ours, theirs):
        return wrong
    tolerance = TOLERANCE / _WHITE if of_pictures else _SAME_NUMBERS
    wrongs = (_different_values(name, ours[name], theirs[name], tolerance) for name in ours)
    return next((wrong for wrong in wrongs if wrong), None)


def different_numbers(ours: Leaves, theirs: Leaves) -> str | None:
    """As `difference`, where nothing is decoded or resized."""
    return difference(ours, theirs, of_pictures=False)


def different_form(ours: Leaves, theirs: Leaves) -> str | None:
    """What is different in names, shapes and types."""
    forms = [{name: (leaf.shape, str(leaf.dtype)) for name, leaf in leaves.items()} for leaves in (ours, theirs)]
    return None if forms[0] == forms[1] else f"{forms[1]}, ours {forms[0]}"


def nearest(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which of the known pictures each picture shows.

    Raises:
        ValueError: when it is none.
    """
    flat = known.reshape(len(known), -1).astype(np.float32)
    found = []
    for picture in pictures:
        distances = np.abs(flat - picture.reshape(-1)).mean(axis=1)
        if distances.min() > TOLERANCE:
            raise ValueError(f"a picture differs by {distances.min():.1f} of 255 from all files")
        found.append(int(distances.argmin()))
    return np.array(found)


def shares(values: Sequence[bool] | np.ndarray) -> float:
    """The share of what is true."""
    return float(np.mean(values))


def _different_values(name: str, ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> str | None:
    if ours.dtype == np.uint8 and max(ours.max(), theirs.max()) < _FEW_IDS:
        return None if shares(ours == theirs) > _SAME_IDS else f"{name}: {1 - shares(ours == theirs):.1%} of the ids"
    if ours.dtype.kind in "iu" and ours.dtype != np.uint8:
        return (
            None if np.array_equal(ours, theirs) else f"{name}: {theirs.reshape(-1)[:8]}, ours {ours.reshape(-1)[:8]}"
        )
    spread = _WHITE if ours.dtype == np.uint8 else float(np.ptp(ours)) or 1.0
    apart = float(np.abs(ours.astype(np.float64) - theirs).mean()) / spread
    return None if apart < tolerance else f"{name}: values differ by {apart:.2%} of their range"
