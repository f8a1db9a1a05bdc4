"""An array-like view of one field of a source, for classes written for Keras; it is read when it is indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from seqtrain.sources.base import Source


class Column:
    """One field of some samples, read when it is indexed, such as the `x_set` of a class written for Keras.

    Args:
        source: Where the samples come from.
        name: The field, "x" or "y".
        indices: The samples, in the order of the column.

    Example:
        x = Column(source, "x", np.array([4, 2, 7]))
        x[0:2]  # an array of the samples 4 and 2
    """

    def __init__(self, source: Source, name: str, indices: npt.NDArray[np.integer]) -> None:
        self._source = source
        self._name = name
        self._indices = np.asarray(indices)
        self._field = source.fields[name]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the column as an array."""
        return (len(self), *self._field.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype as stored."""
        return np.dtype(self._field.dtype)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, key: Any) -> Any:
        indices = np.asarray(self._indices[key])
        rows = self._field.empty(indices.size)
        self._source.read_rows(indices.reshape(-1), {self._name: rows})
        return rows.reshape((*indices.shape, *self._field.shape))[()]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("a column is read from disk: it cannot become an array without a copy")
        return np.asarray(self[:], dtype=dtype)
