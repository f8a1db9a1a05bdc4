"""The samples of each class, for sequences that compare samples: draws partners of the same class or of another class.

The samples are in one array, sorted by class, so a draw takes two look-ups whatever the number of samples and classes.
Only the samples of one side of the split are listed, so no partner comes from the other side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.base import Source
from seqtrain.structure import Indices


class ClassMembers:
    """The samples of one side of a split, by class.

    Args:
        source: The source, whose labels are classes.
        indices: The samples of this side.

    Raises:
        ConfigError: when the source's labels are not classes.
        DataError: when this side has fewer than two classes.

    Example:
        members = ClassMembers(source, indices)
        members.same(12, generator)  # another sample of the class of sample 12
    """

    def __init__(self, source: Source, indices: Indices) -> None:
        labels = class_labels(source)
        self._labels = labels
        by_class = np.lexsort((indices, labels[indices]))
        self._members = indices[by_class]
        self.classes, starts = np.unique(labels[self._members], return_index=True)
        self._bounds = np.append(starts, len(indices))
        if len(self.classes) < 2:
            raise DataError(
                "samples cannot be compared: one side of the split has a single class",
                received=f"{len(indices)} samples of the class '{class_name(source, int(self.classes[0]))}'",
                fix="use more classes, or another split",
            )

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """The number of samples of each of `classes`."""
        return np.diff(self._bounds)

    def of_class(self, label: int) -> Indices:
        """The samples of a class, in ascending order."""
        start, stop = self._range(label)
        return self._members[start:stop]

    def has_partner(self, indices: Indices) -> npt.NDArray[np.bool_]:
        """Whether the class of each sample has another sample."""
        positions = np.searchsorted(self.classes, self._labels[indices])
        has_partner: npt.NDArray[np.bool_] = self.counts[positions] > 1
        return has_partner

    def same(self, index: int, generator: np.random.Generator) -> int:
        """Another sample of the class of `index`, drawn uniformly."""
        members = self.of_class(self._labels[index])
        drawn = int(generator.integers(len(members) - 1))
        return int(members[drawn + (drawn >= np.searchsorted(members, index))])

    def other(self, index: int, generator: np.random.Generator) -> int:
        """A sample of another class, drawn uniformly."""
        start, stop = self._range(self._labels[index])
        drawn = int(generator.integers(len(self._members) - (stop - start)))
        return int(self._members[drawn + (stop - start) * (drawn >= start)])

    def _range(self, label: int) -> tuple[int, int]:
        place = int(np.searchsorted(self.classes, label))
        return int(self._bounds[place]), int(self._bounds[place + 1])


def class_labels(source: Source) -> Indices:
    """The class of each sample.

    Raises:
        ConfigError: when the source's labels are not classes.
    """
    labels = source.labels
    if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ConfigError(
            f"the source {type(source).__name__} has no classes to compare samples by",
            expected="a source with one class for each sample",
            fix="use image_folder, or image_manifest with `target: class`",
        )
    return labels


def class_name(source: Source, label: int) -> str:
    """The name of a class."""
    names = source.classes
    return names[label] if names else str(label)
