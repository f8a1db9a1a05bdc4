"""The sequence `image`: pictures decoded and resized straight into their rows of a uint8 batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import PIL
import simplejpeg

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.base import SampleSequence
from seqtrain.sequences.decoding import read_picture
from seqtrain.sequences.pictures import CutPictures
from seqtrain.sequences.resizing import fit, scaled_size
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec
from seqtrain.types import Color, DataFormat, ImageSize, Resize

if TYPE_CHECKING:
    from seqtrain.sequences.cache import PictureCache

Picture = npt.NDArray[np.uint8]
Key = str | int

# What makes pixels of files. Raise `ours` when `decoding` or `resizing` changes a pixel: caches are then made anew.
_DECODERS = {"ours": 2, "simplejpeg": simplejpeg.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}


@sequences.register("image")
class ImageSequence(SampleSequence):
    """Images by class or with a number to predict, from every source of labelled pictures.

    Pixels stay uint8, a quarter of float32 on the way to the GPU; the model scales them.

    Args:
        source: `image_folder`, `image_manifest`, `volume_slices` with labels, or any other whose samples have a `label`
            and a `path`, or which has `read_picture(index)`.
        indices: See `SampleSequence`.
        batch_size: See `SampleSequence`.
        seed: See `SampleSequence`.
        training: See `SampleSequence`.
        image_size: Height and width in pixels.
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: Where proportions differ: "stretch" the picture, "crop" its edges, or "pad" it with black.
        data_format: Where the channels are.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch where it would be smaller.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32, for sparse labels; (batch, classes), float32, for one-hot labels; (batch,), float32, for
            numbers to predict

    Raises:
        ConfigError: when the source has no labelled pictures, labels are to be one-hot and there are no classes, or
            pictures that are no files are to be cached.
        DataError: when an image cannot be read.

    Example:
        sequence: {name: image, image_size: [224, 224], resize: crop}
    """

    def __init__(
        self,
        source: Source,
        indices: npt.NDArray[np.integer],
        batch_size: int,
        seed: int,
        training: bool,
        image_size: ImageSize,
        color: Color = "rgb",
        resize: Resize = "stretch",
        data_format: DataFormat = "channels_last",
        labels: Literal["sparse", "one_hot"] = "sparse",
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(source, indices, batch_size, seed, training, drop_remainder)
        self.image_size = image_size
        self.color: Color = color
        self.resize: Resize = resize
        self.data_format = data_format
        self.cache: PictureCache | None = None
        self._cut = CutPictures(source, color, resize) if source.has_pictures else None  # None: files
        self._one_hot = labels == "one_hot"
        num_channels = 1 if color == "gray" else 3
        shape = (num_channels, *image_size) if data_format == "channels_first" else (*image_size, num_channels)
        self.spec = (FieldSpec(shape, "uint8"), self._label_spec())

    def write(self, indices: npt.NDArray[np.integer], epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples: those that a cache keeps in one go."""
        if not self._writes_as_read:
            super().write(indices, epoch, rows)
            return
        samples = [self.source[index] for index in indices.tolist()]
        x = rows[0].reshape(len(samples), *self.read_shape)
        kept = None if self.cache is None else self.cache.read_kept([sample["path"] for sample in samples], x)
        for row, (index, sample) in enumerate(zip(indices.tolist(), samples, strict=True)):
            if kept is None or not kept[row]:
                self.read(sample["path"] if self._cut is None else index, x[row])
            self._write_label(sample["label"], rows[1][row : row + 1])

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample."""
        x, y = rows
        self.write_picture(self.key_of(index), generator, x)
        self._write_label(self.source[index]["label"], y)

    def key_of(self, index: int) -> Key:
        """What the picture of a sample is read by: its file; or the sample, where the source makes its pictures."""
        return index if self._cut is not None else str(self.source[index]["path"])

    def write_picture(self, key: Key, generator: np.random.Generator, row: Picture) -> None:
        """Writes a picture into its row, which has a batch axis of 1."""
        if self.color == "gray":
            self.paint(key, generator, row[0].reshape(self.image_size))
        elif self.data_format == "channels_last":
            self.paint(key, generator, row[0])
        else:
            picture = np.empty((*self.image_size, 3), dtype=np.uint8)
            self.paint(key, generator, picture)
            row[0] = np.moveaxis(picture, -1, 0)

    def paint(self, key: Key, generator: np.random.Generator, picture: Picture) -> None:
        """Writes a picture into (height, width) or (height, width, 3); a subclass may augment it."""
        self.read(key, picture)

    def read(self, key: Key, picture: Picture) -> None:
        """Writes a picture, resized, into one of any size; what a cache keeps is not decoded again."""
        if self._cut is not None:
            self._cut.read(int(key), picture)
        elif self.cache is None:
            self._decode(str(key), picture)
        else:
            self.cache.read(str(key), picture, self._decode)

    @property
    def read_shape(self) -> tuple[int, ...]:
        """Of the pictures that files are read into, before they are augmented."""
        return self._read_size if self.color == "gray" else (*self._read_size, 3)

    @property
    def shaped_by(self) -> dict[str, Any]:
        """What the pixels of a picture depend on, besides its file and its shape."""
        return {"color": self.color, "resize": self.resize, "decoders": _DECODERS}

    def use_cache(self, cache: PictureCache) -> None:
        """Keeps decoded pictures in a cache, and takes those that it holds.

        Raises:
            ConfigError: when the source makes its pictures itself.
        """
        if self._cut is not None:
            raise ConfigError(
                f"the pictures of a {type(self.source).__name__} are no image files, which a cache keeps",
                fix="remove `cache`",
            )
        self.cache = cache

    def keep(self, index: int) -> bool:
        """Sees to it that a sample is in the cache.

        Returns:
            Whether it had been there.
        """
        picture = np.empty(self.read_shape, dtype=np.uint8)
        return self.cache is not None and self.cache.read(self.source[index]["path"], picture, self._decode)

    @property
    def _writes_as_read(self) -> bool:
        """Whether a row of a batch holds what was read, byte for byte."""
        return self._writes_like(ImageSequence)

    def _writes_like(self, owner: type[ImageSequence]) -> bool:
        same = all(getattr(type(self), name) is getattr(owner, name) for name in ("write_sample", "paint", "read"))
        return same and (self.color == "gray" or self.data_format == "channels_last")

    @property
    def _read_size(self) -> tuple[int, int]:
        return self.image_size

    def _decode(self, path: str, picture: Picture) -> None:
        size = picture.shape[0], picture.shape[1]
        fit(read_picture(path, self.color, lambda stored: scaled_size(stored, size, self.resize)), picture, self.resize)

    def _write_label(self, label: Any, y: npt.NDArray[Any]) -> None:
        if self._one_hot:
            y[0] = 0
            y[0, label] = 1
        else:
            y[0] = label

    def _label_spec(self) -> FieldSpec:
        labels = self.source.labels
        if labels is None or (self._cut is None and "path" not in self.source[int(self.indices[0])]):
            raise ConfigError(
                f"the source {type(self.source).__name__} has no labelled pictures",
                expected="a source with labels, whose samples have a `path` and a `label`",
                fix="use image_folder or image_manifest; for samples that are arrays, the sequence `arrays`",
            )
        if self._one_hot:
            if self.num_classes is None:
                raise ConfigError(
                    "labels: one_hot needs classes, and the source has none",
                    received=f"labels of the type {labels.dtype}",
                    fix="leave labels out, or set the manifest's `target` to class or index",
                )
            return FieldSpec((self.num_classes,), "float32")
        return FieldSpec((), "float32" if labels.dtype.kind == "f" else "int32")
