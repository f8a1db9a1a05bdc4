"""The base class of sources, which list the samples of a data set without loading them.

The constructor lists the samples (paths, row offsets, memory maps) and reads none of them, so that it is fast and the
source is small and picklable; `__getitem__` reads a sample. `Source` has a default for every optional capability, so
that callers need not check which of them a source has. A user's class may inherit from `Source`, or define `__len__`
and `__getitem__` alone: see `user_source`.
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
        """A property that can be overridden by a plain attribute of a subclass or of an instance."""

        def __init__(self, compute: Callable[[Any], Any]) -> None:
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __get__(self, instance: Any, owner: type) -> Any:
            return self if instance is None else self._compute(instance)


class Paths(Protocol):
    """A sequence of paths, such as a list or `PackedPaths`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> str: ...

    def __iter__(self) -> Iterator[str]: ...


class Source:
    """The samples of a data set: `source[index]` is a dict of named raw fields.

    A subclass defines `__len__` and `__getitem__`, and overrides defaults as needed. Nothing but `__getitem__` and the
    `read_...` methods reads samples.
    """

    __slots__ = ()  # so that `user_source` can add its attributes to any class
    x_key: str = "x"
    """The name of the samples' array in files with several arrays."""

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
        """The names of the classes, by class index or by the masks' ids; None without classes."""
        return None

    @default
    def label_classes(self) -> tuple[str, ...] | None:
        """The names of the labels' classes, if `classes` has the names of the masks' ids; otherwise None."""
        return None

    @default
    def groups(self) -> npt.NDArray[Any] | None:
        """The group of each sample, such as its patient, (samples,); None without groups."""
        return None

    @default
    def targets(self) -> Collection[str]:
        """The names of the columns to predict."""
        return ()

    @default
    def fields(self) -> Mapping[str, FieldSpec]:
        """The shapes and dtypes of the arrays `x` and `y` as stored; empty if samples are not rows of arrays."""
        return {}

    @default
    def files(self) -> tuple[Paths, ...] | None:
        """All files that samples are read from, as one or several lists of paths, such as images and masks.

        A run is not resumed with other files. None if each sample is the file that `describe` returns.
        """
        return None

    @default
    def block_size(self) -> int:
        """The number of consecutive samples that are read together."""
        return 1

    @default
    def num_blocks_together(self) -> int:
        """The number of blocks whose samples are shuffled together."""
        return 1

    @default
    def num_users(self) -> int:
        """The number of users in ratings; 0 for other sources."""
        return 0

    @default
    def num_items(self) -> int:
        """The number of items in ratings; 0 for other sources."""
        return 0

    @default
    def form(self) -> Mapping[str, Any]:
        """Properties, besides the classes, that another source must have in common to be used with the same model."""
        return {"label_classes": self.label_classes}

    @default
    def known_names(self) -> Mapping[str, Any]:
        """The names of the indices that a model is trained on, as JSON values; they must not change on resume."""
        names = {"classes": self.classes, "label_classes": self.label_classes}
        return {name: list(map(str, value)) for name, value in names.items() if value is not None}

    @default
    def inferred_arguments(self) -> Mapping[str, Any]:
        """Arguments that were inferred from the samples, for another source of this kind."""
        return {}

    @default
    def mask_names(self) -> tuple[str, str]:
        """The name of the folder of masks, and the suffix of the masks' stems; "" for none.

        Files that these names mark as masks are not listed as images.
        """
        return "", ""

    @default
    def ignored_id(self) -> int | None:
        """The id that `read_mask` gives to ignored pixels; None if no pixels are ignored."""
        return None

    @default
    def masks_fit(self) -> bool:
        """Whether `read_mask` ensures that masks have the sizes of their images; otherwise the sequence checks it."""
        return False

    @default
    def has_columns(self) -> bool:
        """Whether `column` can return columns to group by."""
        return _overrides(self.column, Source.column)

    @default
    def has_rows(self) -> bool:
        """Whether samples are rows of arrays, which `read_rows` reads."""
        return _overrides(self.read_rows, Source.read_rows)

    @default
    def has_pictures(self) -> bool:
        """Whether samples are images that `read_picture` makes, not image files."""
        return _overrides(self.read_picture, Source.read_picture)

    @default
    def has_masks(self) -> bool:
        """Whether each sample has a mask, which `read_mask` reads."""
        return _overrides(self.read_mask, Source.read_mask)

    @default
    def has_objects(self) -> bool:
        """Whether masks are painted from objects, which may overlap; see `overlaps`."""
        return _overrides(self.overlaps, Source.overlaps)

    def describe(self, index: int) -> str:
        """The name of a sample in messages: its file, its row, or its number."""
        return f"sample {index}"

    def column(self, name: str) -> npt.NDArray[Any]:
        """The values of a column to group by, (samples,).

        Raises:
            ConfigError: when there is no such column.
        """
        raise ConfigError(
            f"a {type(self).__name__} has no columns",
            received=f"column '{name}'",
            fix="name a column only where the source reads a table",
        )

    def drop_leaking(self, train: npt.NDArray[np.integer], val: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The training samples that have no data in common with the validation samples.

        Raises:
            DataError: when the source does not allow such a split.
        """
        return train

    def read_rows(self, indices: npt.NDArray[np.integer], rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Writes samples into rows.

        Args:
            indices: The samples, in the order of the rows.
            rows: The arrays to fill, by field; their dtypes may differ from the stored ones.
        """
        raise NotImplementedError

    def read_picture(self, index: int) -> npt.NDArray[np.uint8]:
        """The image of a sample, (height, width) or (height, width, 3), 0 to 255."""
        raise NotImplementedError

    def read_mask(self, index: int) -> npt.NDArray[np.uint8]:
        """The class id of each pixel, (height, width), in the size of the stored image."""
        raise NotImplementedError

    def overlaps(self, index: int) -> int:
        """The number of pixels of a sample's mask that are covered more than once."""
        return 0

    def spacing_mm(self, index: int) -> tuple[float, float, float] | None:
        """The distances between a volume's voxels along (z, y, x), in millimetres; None if samples are not volumes."""
        return None

    def class_counts(self, indices: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The number of pixels of each class in the masks of some samples, (classes,)."""
        raise ConfigError("fit.class_weight: balanced needs a source that counts the pixels of its masks")

    def as_columns(self, indices: npt.NDArray[np.integer]) -> tuple[Any, Any]:
        """The arguments `x_set` and `y_set` of a class written for Keras, in the order of `indices`.

        Both have a length, and can be indexed by a slice or an integer. The second is None without targets.

        Raises:
            DataError: when the source cannot provide them.
        """
        if self.has_rows:
            return Column(self, "x", indices), Column(self, "y", indices)
        raise DataError(
            f"a sequence that takes `x_set` and `y_set` cannot read from a {type(self).__name__}",
            expected="a source with a method `as_columns(indices)`",
            fix="use `arrays`, `image_folder` or `image_manifest`, or declare `source` and `indices` instead",
        )

    def as_frame(self, indices: npt.NDArray[np.integer]) -> Any:
        """Some rows of a table as a pandas DataFrame, in the order of `indices`; its index numbers the table's rows.

        Raises:
            DataError: when the source is no table.
        """
        raise DataError(
            f"a sequence that takes a DataFrame cannot read from a {type(self).__name__}",
            expected="a source with a method `as_frame(indices)`",
            fix="use `source: {name: table, ...}`, or declare `x_set` and `y_set`, or `source` and `indices` instead",
        )

    def of_inputs(self, inputs: Indices[Path]) -> Source | None:
        """A source of the files and folders that `predict` gets, whose targets are all zero.

        It has the classes, ids and window lengths of this source. None if a general source of files can read them.
        """
        return None

    def number_like(self, known: Source) -> None:
        """Numbers classes and ids as in `known`, the source that a model was trained on.

        Raises:
            DataError: when this source has other classes, or another `form`.
        """
        check_form(self, known)
        number_classes(self, known)


def only(inputs: Indices[Path], what: str) -> Path:
    """The only input of `predict`.

    Raises:
        ConfigError: when there are several.
    """
    if len(inputs) > 1:
        raise ConfigError(f"this run takes one {what} at a time", where="INPUT", received=f"{len(inputs)} inputs")
    return inputs[0]


def file_name(source: Source, index: int) -> str:
    """The name of a sample's file, without its folder; empty if the sample is not a file."""
    name = source.describe(int(index))
    return Path(name).name if os.path.isfile(name) else ""  # noqa: PTH113 - may be a text of any length


def _overrides(method: Any, default_method: Any) -> bool:
    return getattr(method, "__func__", None) is not default_method
