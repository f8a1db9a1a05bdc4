"""Tells Keras which axes of a batch may vary from one batch to the next.

Keras learns the form of batches from the first two that it reads, and TensorFlow then refuses a third of another form:
text of variable length trains until two batches happen to be equally long. Which axes are free is the model's to say:
those that its inputs and outputs leave open. So when Keras looks at a second batch to learn the form, it is shown one
that differs from the first along each of these axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.structure import map_structure


def example_of_another_form(batch: tuple[Any, ...], model: Any) -> tuple[Any, ...]:
    """A batch of zeros that is longer along each axis that the model leaves open; else of the same shape.

    Args:
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        model: A Keras model; one that declares no inputs leaves nothing open.
    """
    open_inputs = _open_axes(getattr(model, "inputs", None))
    open_outputs = _open_axes(getattr(model, "outputs", None))
    parts = [_longer(batch[0], open_inputs), *(_longer(part, open_outputs) for part in batch[1:])]
    return tuple(parts)


def _open_axes(tensors: Any) -> list[tuple[int, ...]]:
    shapes = [tuple(tensor.shape) for tensor in tensors or ()]
    return [tuple(axis for axis, size in enumerate(shape) if axis and size is None) for shape in shapes]


def _longer(part: Any, open_axes: list[tuple[int, ...]]) -> Any:
    remaining = iter(open_axes)

    def leaf(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        axes = next(remaining, ())
        shape = [size + 1 if axis in axes else size for axis, size in enumerate(array.shape)]
        return np.zeros(shape, array.dtype)

    return map_structure(leaf, part)
