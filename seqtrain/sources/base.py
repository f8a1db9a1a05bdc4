"""What a source is: the samples that exist, listed but not loaded.

Construction lists (paths, row offsets, memory maps) and reads no sample, so that it is quick, small and picklable;
`__getitem__` reads bytes. `Source` gives every optional capability a default, so that nobody has to ask which of them a
source has. A class of a user's own may inherit from `Source`, or have `__len__` and `__getitem__` alone: `as_source`
adds the defaults that it lacks, once, where the source is built.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Sequence as Indices
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError, DataError
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

        A run is not continued on others. None where each sample is the file that `describe` names.
        """
        return None

    @default
    def block_size(self) -> int:
        """How many neighbouring samples are read in one go."""
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
        """What another source must have in common with this one, besides its classes, for the same model."""
        return {"label_classes": self.label_classes}

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
        """Whether pictures are no files of their own, and `read_picture` makes them."""
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
        """The picture of a sample, (height, width) or (height, width, 3), 0 to 255."""
        raise NotImplementedError

    def read_mask(self, index: int) -> npt.NDArray[np.uint8]:
        """The class id of each pixel, (height, width), in the size of the picture as it is stored."""
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


class Column:
    """One field of some samples, read when it is indexed: what a class written for Keras takes as `x_set`.

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
        """As of the array that the column stands for."""
        return (len(self), *self._field.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
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


def as_source(built: Any) -> Source:
    """A source as a config built it, with the defaults that its class lacks.

    The object stays what it is: its class is replaced by a subclass that adds the missing attributes of `Source`, and
    that pickles as the class itself does.
    """
    if isinstance(built, Source):
        return built
    own = set(dir(built))
    if hasattr(type(built), "__getattr__"):  # which may find attributes that `dir` does not list
        own |= {name for name in _CAPABILITIES if name not in own and hasattr(built, name)}
    missing = tuple(name for name in _CAPABILITIES if name not in own)
    if missing:
        try:
            _add_defaults(built, missing)
        except TypeError:  # a list, or another type that is no Python class
            return _Items(built)
    source: Source = built
    return source


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


_CAPABILITIES = tuple(name for name in vars(Source) if not name.startswith("__"))


class _Items(Source):
    """The samples of a list or of another container."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample: dict[str, Any] = self._items[index]
        return sample


def _overrides(method: Any, default_method: Any) -> bool:
    return getattr(method, "__func__", None) is not default_method


def _add_defaults(built: Any, missing: tuple[str, ...]) -> None:
    own_class: Any = type(built)
    object.__setattr__(built, "__class__", _with_defaults(own_class, missing))


@functools.cache
def _with_defaults(cls: Any, missing: tuple[str, ...]) -> Any:
    def reduce(self: Any, protocol: Any) -> Any:
        reduced = cls.__reduce_ex__(self, protocol)
        if isinstance(reduced, str):
            return reduced
        function, arguments, *state = reduced
        arguments = tuple(cls if argument is type(self) else argument for argument in arguments)
        return (_restored, (missing, function, arguments), *state)

    namespace = {name: vars(Source)[name] for name in missing}
    about = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls)(cls.__name__, (cls,), {**namespace, **about, "__reduce_ex__": reduce})


def _restored(missing: tuple[str, ...], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    restored = function(*arguments)
    _add_defaults(restored, missing)
    return restored
