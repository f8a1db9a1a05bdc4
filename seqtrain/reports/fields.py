"""The fields of a batch with their kinds, which are from the sequence's spec, or guessed from the array's shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.structure import FieldSpec, Kind, named_leaves

_SMALLEST_IMAGE = 8  # pixels; smaller arrays are rarely images


@dataclass(frozen=True)
class Field:
    """One array of a batch.

    Args:
        name: The name for users: `x`, `x.user`, `y`, `sample_weight`.
        array: The array, with the batch axis.
        kind: The kind of its values; None for plain numbers.
        is_declared: Whether the kind is from the sequence's spec, not guessed.
        num_classes: The number of classes, if the values are class ids.
        class_names: The names by class id, if they are known.
        columns: The names of the channels of a series, if they are known.
        in_spec: Whether the sequence's spec has its shape.
    """

    name: str
    array: npt.NDArray[Any]
    kind: Kind | None = None
    is_declared: bool = False
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ()
    in_spec: bool = False

    @property
    def is_input(self) -> bool:
        """Whether it is an input of the model."""
        return self.name.split(".")[0] == "x"

    @property
    def is_target(self) -> bool:
        """Whether it is a target, which the model learns to predict."""
        return self.name.split(".")[0] == "y"

    def class_name(self, class_id: int, unnamed: str = "{}") -> str:
        """The name of a class; `unnamed` formatted with its id if it has no name."""
        names = self.class_names or ()
        return names[class_id] if 0 <= class_id < len(names) else unnamed.format(class_id)

    def channels_last(self, data_format: str = "channels_last") -> npt.NDArray[Any]:
        """Images or volumes with the channels last, whatever the `data_format`; those without channels as they are.

        If the kind is not declared, a last axis of more than four is not taken for channels.
        """
        if self.array.ndim < 4:
            return self.array
        is_first = data_format == "channels_first" or (not self.is_declared and self.array.shape[-1] > 4)
        return np.moveaxis(self.array, 1, -1) if is_first else self.array

    def weights(self, fields: Sequence[Field], shape: tuple[int, ...] | None = None) -> Field | None:
        """The sample weights of this target, if the batch has one for each of its values.

        Args:
            fields: The fields of the batch.
            shape: The shape of the weights. Default: that of the target.
        """
        name, wanted = self.name.replace("y", "sample_weight", 1), shape or self.array.shape
        return next((each for each in fields if each.name == name and each.array.shape == wanted), None)


def fields_of(
    batch: tuple[Any, ...],
    spec: tuple[Any, ...] | None = None,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> list[Field]:
    """The fields of a batch, in its order.

    Args:
        batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`, nested or not.
        spec: The spec of the sequence; None if it has none.
        num_classes: The number of classes of a single target, if it has classes.
        class_names: The names of the classes of a single target.
    """
    declared = dict(named_leaves(spec)) if spec else {}
    found = []
    for name, leaf in named_leaves(batch):
        array = np.asarray(leaf)
        field = declared.get(name) or FieldSpec(array.shape[1:], array.dtype.name)
        kind = field.kind or ("pixels" if name != "sample_weight" and is_image(array) else None)
        names, count = field.classes, len(field.classes) if field.classes else None
        if name == "y":
            names = names or (tuple(class_names) if class_names else None)
            count = count or num_classes or (len(class_names) if class_names else None)
        found.append(Field(name, array, kind, field.kind is not None, count, names, field.columns, name in declared))
    return found


def fields_of_sequence(sequence: Any, batch: tuple[Any, ...]) -> list[Field]:
    """The fields of a batch, with the facts that its sequence declares."""
    return fields_of(batch, sequence.spec, sequence.num_classes, sequence.class_names)


def is_image(array: npt.NDArray[Any]) -> bool:
    """Whether a batch looks like gray or RGB images, channels last or first; without channels, they must be uint8."""
    if array.dtype.kind not in "uf" or not (array.ndim == 4 or (array.ndim == 3 and array.dtype == np.uint8)):
        return False
    shape = array.shape[1:]
    edges = shape if len(shape) == 2 else shape[:2] if shape[-1] in (1, 3, 4) else shape[1:]
    channels = 1 if len(shape) == 2 else shape[-1] if shape[-1] in (1, 3, 4) else shape[0]
    return channels in (1, 3, 4) and min(edges) >= _SMALLEST_IMAGE
