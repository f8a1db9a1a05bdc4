"""What a source is: the samples that exist, listed but not loaded.

Construction lists (paths, row offsets, memory maps) and reads no sample, so that it is quick, small and picklable;
`__getitem__` reads bytes. `Source` gives every optional capability a default, so that nobody has to ask which of them a
source has. A class of a user's own may inherit from `Source`, or have `__len__` and `__getitem__` alone: see
`user_source`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Sequence as Indices
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
from seqtrain.sources.class_numbers import check_form, number_classes
from seqtrain.sources.column import Column
from seqtrain.structure import FieldSpec

if TYPE_CHECKING:
    default = property
else:

    class default:  # noqa: N801 - used like `property`
        """A property that a subclass may override by a plain attribute, of the class or of the instance."""

        def __init__(self, compute: Callable[[Any], Any]) -> None:
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __get__(self, instance: Any, owner: type) -> Any:
            return self if instance is None else self._compute(instance)


class Paths(Protocol):
    """Paths of files, such as a list or `PackedPaths`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...

    def __iter__(self) -> Iterator[str]: ...


class Source:
    """The samples of a data set: `source[index]` is a dict of named raw fields.

    A subclass gives `__len__` and `__getitem__`, and overrides what else it can tell. All of it but the `read_...`
    methods is known without reading a sample.
    """

    __slots__ = ()  # so that its attributes can be added to any class
    x_key: str = "x"
    """The name of the samples in files of several arrays."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> dict[str, Any]:
        raise NotImplementedError

    @default
    def labels(self) -> npt.NDArray[Any] | None:
        """Class indices (integers) or numbers to predict (floats), (samples,); None without labels."""
        return None

    @default
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes by class index, of masks' ids where there are masks; None without classes."""
        return None

    @default
    def label_classes(self) -> tuple[str, ...] | None:
        """The names of the labels' classes, where `classes` names the masks' ids; else None."""
        return None

    @default
    def groups(self) -> npt.NDArray[Any] | None:
        """Equal values belong together, such as a patient's samples, (samples,); None without groups."""
        return None

    @default
    def targets(self) -> Collection[str]:
        """The names of the columns to predict."""
        return ()

    @default
    def fields(self) -> Mapping[str, FieldSpec]:
        """Shape and dtype of the arrays `x` and `y` as stored, where samples are rows of arrays; else empty."""
        return {}

    @default
    def files(self) -> tuple[Paths, ...] | None:
        """All files that samples are read from: one list of paths, or several, such as images and masks.

        A run is not resumed with other files. None if each sample is the file that `describe` names.
        """
        return None

    @default
    def block_size(self) -> int:
        """The number of neighbouring samples that are read together."""
        return 1

    @default
    def num_blocks_together(self) -> int:
        """An epoch's order mixes the samples of so many blocks at a time."""
        return 1

    @default
    def num_users(self) -> int:
        """How many users there are in ratings; 0 in other sources."""
        return 0

    @default
    def num_items(self) -> int:
        """How many items there are in ratings; 0 in other sources."""
        return 0

    @default
    def form(self) -> Mapping[str, Any]:
        """Properties, besides the classes, that another source must share to be used with the same model."""
        return {"label_classes": self.label_classes}

    @default
    def known_names(self) -> Mapping[str, Any]:
        """The names behind the indices that a model is trained on, as JSON holds them; they must stay the same."""
        names = {"classes": self.classes, "label_classes": self.label_classes}
        return {name: list(map(str, value)) for name, value in names.items() if value is not None}

    @default
    def settled_arguments(self) -> Mapping[str, Any]:
        """Arguments that were inferred from the samples, for another source of this kind."""
        return {}

    @default
    def mask_names(self) -> tuple[str, str]:
        """The name of the folder of masks, and what the stems of masks end in; "" for none.

        Files that are masks by these names are not taken for images.
        """
        return "", ""

    @default
    def ignored_id(self) -> int | None:
        """The id that `read_mask` gives to pixels that do not count; None where all count."""
        return None

    @default
    def masks_fit(self) -> bool:
        """Whether `read_mask` itself sees to it that masks have the sizes of their images; else they are compared."""
        return False

    @default
    def has_columns(self) -> bool:
        """Whether `column` knows values to group by."""
        return _overrides(self.column, Source.column)

    @default
    def has_rows(self) -> bool:
        """Whether samples are rows of arrays, which `read_rows` reads."""
        return _overrides(self.read_rows, Source.read_rows)

    @default
    def has_pictures(self) -> bool:
        """Whether images are no files of their own, and `read_picture` makes them."""
        return _overrides(self.read_picture, Source.read_picture)

    @default
    def has_masks(self) -> bool:
        """Whether each sample has a mask, which `read_mask` reads."""
        return _overrides(self.read_mask, Source.read_mask)

    @default
    def has_objects(self) -> bool:
        """Whether masks are painted of objects, which may overlap: see `overlaps`."""
        return _overrides(self.overlaps, Source.overlaps)

    def describe(self, index: int) -> str:
        """The words that name one sample in a message: its file, its row, or its number."""
        return f"sample {index}"

    def column(self, name: str) -> npt.NDArray[Any]:
        """One value per sample, to group by, (samples,).

        Raises:
            ConfigError: when there is no such column.
        """
        raise ConfigError(
            f"a {type(self).__name__} has no columns",
            received=f"column '{name}'",
            fix="name a column only where the source reads a table",
        )

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Those of the samples `train` that share no data with the samples `val`.

        Raises:
            DataError: when a source refuses such a split.
        """
        return train

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples into rows.

        Args:
            indices: Of the samples, in the order of the rows.
            rows: By the name of the field, those that are wanted; their dtype may differ from the stored one.
        """
        raise NotImplementedError

    def read_picture(self, index: int) -> npt.NDArray[np.uint8]:
        """The image of a sample, (height, width) or (height, width, 3), 0 to 255."""
        raise NotImplementedError

    def read_mask(self, index: int) -> npt.NDArray[np.uint8]:
        """The class id of each pixel, (height, width), in the size of the image as it is stored."""
        raise NotImplementedError

    def overlaps(self, index: int) -> int:
        """How many pixels of a sample's mask belong to objects of several classes."""
        return 0

    def spacing_mm(self, index: int) -> tuple[float, float, float] | None:
        """Of a volume, from voxel to voxel along (z, y, x), in millimetres; None where samples are no volumes."""
        return None

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """How many pixels of each class the masks of some samples hold, (classes,)."""
        raise ConfigError("fit.class_weight: balanced needs a source that counts the pixels of its masks")

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[Any, Any]:
        """What a class written for Keras takes as `x_set` and `y_set`, in the order of `indices`.

        Both have a length, and a slice or an integer takes samples from them.

        Raises:
            DataError: when the source has no such form.
        """
        if self.has_rows:
            return Column(self, "x", indices), Column(self, "y", indices)
        raise DataError(
            f"a sequence that takes `x_set` and `y_set` cannot read from a {type(self).__name__}",
            expected="a source with a method `as_columns(indices)`",
            fix="use `arrays`, `image_folder` or `image_manifest`, or declare `source` and `indices` instead",
        )

    def of_inputs(self, inputs: Indices[Path]) -> Source | None:
        """A source of the files and folders that `predict` is given, whose targets are all zero.

        What this one knows (classes, ids, the length of windows) is the other's too. None where the samples of any
        files will do.
        """
        return None

    def number_like(self, known: Source) -> None:
        """Gives classes and ids the numbers that they have in `known`, which a model was trained on.

        Raises:
            DataError: when this source has other classes, or another form.
        """
        check_form(self, known)
        number_classes(self, known)


def only(inputs: Indices[Path], what: str) -> Path:
    """The one input of `predict`, where there may not be several.

    Raises:
        ConfigError: when there are.
    """
    if len(inputs) > 1:
        raise ConfigError(f"this run takes one {what} at a time", where="INPUT", received=f"{len(inputs)} inputs")
    return inputs[0]


def file_name(source: Source, index: int) -> str:
    """The name of the file that a sample is, without its folder; empty where it is none."""
    words = source.describe(int(index))
    return Path(words).name if os.path.isfile(words) else ""  # noqa: PTH113 - may be a text of any length


def _overrides(method: Any, default_method: Any) -> bool:
    return getattr(method, "__func__", None) is not default_method
