"""Which samples are of which class, for sequences that compare samples: partners of the same class and of another.

Members are kept in one array, class after class, so a draw costs two look-ups whatever the number of samples and
classes. Only the samples of one side of the split are listed: no partner ever comes from the other side.
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
        source: Its labels are the classes.
        indices: The samples of this side.

    Raises:
        ConfigError: when the source's labels are no classes.
        DataError: when fewer than two classes are on this side.

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
        """How many samples each of `classes` has."""
        return np.diff(self._bounds)

    def of_class(self, label: int) -> Indices:
        """The samples of a class, ascending."""
        start, stop = self._range(label)
        return self._members[start:stop]

    def has_partner(self, indices: Indices) -> npt.NDArray[np.bool_]:
        """Whether the class of each sample has another."""
        place = np.searchsorted(self.classes, self._labels[indices])
        alone: npt.NDArray[np.bool_] = self.counts[place] > 1
        return alone

    def same(self, index: int, generator: np.random.Generator) -> int:
        """Another sample of the class of `index`; each is as likely."""
        members = self.of_class(self._labels[index])
        drawn = int(generator.integers(len(members) - 1))
        return int(members[drawn + (drawn >= np.searchsorted(members, index))])

    def other(self, index: int, generator: np.random.Generator) -> int:
        """A sample of another class; each is as likely."""
        start, stop = self._range(self._labels[index])
        drawn = int(generator.integers(len(self._members) - (stop - start)))
        return int(self._members[drawn + (stop - start) * (drawn >= start)])

    def _range(self, label: int) -> tuple[int, int]:
        place = int(np.searchsorted(self.classes, label))
        return int(self._bounds[place]), int(self._bounds[place + 1])


def class_labels(source: Source) -> Indices:
    """The class of each sample.

    Raises:
        ConfigError: when the source's labels are no classes.
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
    """What a class is called."""
    names = source.classes
    return names[label] if names else str(label)
