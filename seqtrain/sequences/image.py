"""The sequence `image`: pictures decoded, resized and perhaps augmented straight into their rows of a uint8 batch.

The other sequences of pictures derive from it: `augmented_image` gives it an `Augmentation`, others more pictures or a
mask for each sample.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import PIL
import simplejpeg

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, Augmentation, Warp
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.image_format import CHANNELS, ImageFormat
from seqtrain.sequences.pictures import MadePictures, read_resized
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, Indices, Picture

if TYPE_CHECKING:
    from seqtrain.sequences.cache import PictureCache

Key = str | int

# The versions of the decoders. Raise `ours` when `decoding` or `resizing` changes a pixel: caches are then rebuilt.
DECODERS = {"ours": 2, "simplejpeg": simplejpeg.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}


@sequences.register("image")
class ImageSequence(SampleSequence):
    """Images by class or with a number to predict, from every source of labelled pictures.

    Pixels stay uint8, a quarter of float32 on the way to the GPU; the model scales them.

    Args:
        samples: Of `image_folder`, `image_manifest`, `volume_slices` with labels, or of any other source whose samples
            have a `label` and a `path`, or which has `read_picture(index)`.
        image_format: See `ImageFormat`.
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

    augmentation: Augmentation = NO_AUGMENTATION

    def __init__(
        self,
        samples: Samples[Source],
        image_format: ImageFormat,
        labels: Literal["sparse", "one_hot"] = "sparse",
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        self.image_format = image_format
        self.data_format = image_format.data_format
        self.cache: PictureCache | None = None
        source = samples.source
        channels, resize = CHANNELS[image_format.color], image_format.resize
        self._made = MadePictures(source, channels, resize) if source.has_pictures else None  # None: they are files
        self._one_hot = labels == "one_hot"
        self.spec = (image_format.field(), self._label_spec())

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples; cached images are copied all at once."""
        if not self._writes_as_read:
            super().write(indices, epoch, rows)
            return
        samples = [self.source[index] for index in indices.tolist()]
        x = rows[0].reshape(len(samples), *self.read_shape)
        kept = None if self.cache is None else self.cache.read_kept([sample["path"] for sample in samples], x)
        for row, (index, sample) in enumerate(zip(indices.tolist(), samples, strict=True)):
            if kept is None or not kept[row]:
                self.read(sample["path"] if self._made is None else index, x[row])
            self._write_label(sample["label"], rows[1][row : row + 1])

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample."""
        x, y = rows
        self.write_picture(self.key_of(index), generator, x)
        self._write_label(self.source[index]["label"], y)

    def key_of(self, index: int) -> Key:
        """The key of a sample's image: the path of its file, or its index if the source makes the images."""
        return index if self._made is not None else str(self.source[index]["path"])

    def write_picture(self, key: Key, generator: np.random.Generator, row: Picture) -> None:
        """Writes a picture into its row, which has a batch axis of 1."""
        self.image_format.write(row[0], partial(self.paint, key, generator))

    def paint(self, key: Key, generator: np.random.Generator, picture: Picture) -> None:
        """Writes a picture into (height, width) or (height, width, 3), augmented in training."""
        self.show(key, self.draw_warp(generator), generator, picture)

    def show(self, key: Key, warp: Warp, generator: np.random.Generator, picture: Picture) -> None:
        """Writes a picture as a warp shows it, re-lit in training."""
        warp.apply(partial(self.read, key), picture)
        if self.augmenting:
            self.augmentation.relight(generator, picture)

    def draw_warp(self, generator: np.random.Generator) -> Warp:
        """Draws a random warp for an image; the identity without augmentation."""
        size = self.image_format.image_size
        return self.augmentation.draw(generator, size) if self.augmenting else Warp(size, None)

    def read(self, key: Key, picture: Picture) -> None:
        """Writes an image into an array of any size; a cached image is not decoded again."""
        if self._made is not None:
            self._made.read(int(key), picture)
        elif self.cache is None:
            self.decode(str(key), picture)
        else:
            self.cache.read(str(key), picture, self.decode)

    def decode(self, path: str, picture: Picture) -> None:
        """Reads a file and writes it, resized, into a picture of any size."""
        read_resized(path, picture, self.image_format.color, self.image_format.resize)

    @property
    def read_shape(self) -> tuple[int, ...]:
        """Of the pictures that files are read into, before they are augmented."""
        size = self.image_format.image_size
        return self.image_format.picture_shape(self.augmentation.canvas_size(size) if self.training else size)

    @property
    def shaped_by(self) -> dict[str, Any]:
        """What decoded pixels depend on besides the file and the size; caches with other values are not shared."""
        return {"color": self.image_format.color, "resize": self.image_format.resize, "decoders": DECODERS}

    def use_cache(self, cache: PictureCache) -> None:
        """Read decoded pictures from a cache, and add to it those that it lacks.

        Raises:
            ConfigError: when the source makes its pictures itself.
        """
        if self._made is not None:
            raise ConfigError(
                f"the pictures of a {type(self.source).__name__} are no image files, which a cache keeps",
                fix="remove `cache`",
            )
        self.cache = cache

    def keep(self, index: int) -> bool:
        """Decode a sample into the cache, unless it is there.

        Returns:
            Whether it was there.
        """
        picture = np.empty(self.read_shape, dtype=np.uint8)
        return self.cache is not None and self.cache.read(self.source[index]["path"], picture, self.decode)

    @property
    def _writes_as_read(self) -> bool:
        """Whether rows of a batch are the pictures exactly as they are read: nothing augments or rearranges them."""
        own = type(self)
        is_changed = (
            own.write_sample is not ImageSequence.write_sample
            or own.paint is not ImageSequence.paint
            or own.read is not ImageSequence.read
            or (self.training and self.augmentation != NO_AUGMENTATION)
        )
        return not is_changed and (self.image_format.color == "gray" or self.data_format == "channels_last")

    def _write_label(self, label: Any, y: npt.NDArray[Any]) -> None:
        if self._one_hot:
            y[0] = 0
            y[0, label] = 1
        else:
            y[0] = label

    def _label_spec(self) -> FieldSpec:
        labels = self.source.labels
        if labels is None or (self._made is None and "path" not in self.source[int(self.indices[0])]):
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
