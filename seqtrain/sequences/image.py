"""The sequence `image`: images that are decoded and resized straight into the rows of a uint8 batch.

The other sequences of images derive from it: `augmented_image` adds an `Augmentation`, others add more images or a mask
for each sample.
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
from seqtrain.sequences.image_readers import SourceImageReader, read_resized
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, ImageArray, Indices

if TYPE_CHECKING:
    from seqtrain.sequences.cache import ImageCache

Key = str | int

# The versions of the decoders. Raise `ours` when a change in `decoding` or `resizing` changes pixels, so that caches
# are rebuilt.
DECODERS = {"ours": 2, "simplejpeg": simplejpeg.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}


@sequences.register("image")
class ImageSequence(SampleSequence):
    """Images with a class or a number to predict, from every source of labelled images.

    Pixels stay uint8, which takes a quarter of the bytes of float32; the model scales them.

    Args:
        samples: The samples of `image_folder`, `image_manifest`, `volume_slices` with labels, or of any other source
            whose samples have a `label` and a `path`, or which has `read_picture(index)`.
        image_format: See `ImageFormat`.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch,), int32, for sparse labels; (batch, classes), float32, for one-hot labels; (batch,), float32, for
            numbers to predict

    Raises:
        ConfigError: when the source has no labelled images, labels are one-hot and there are no classes, or images
            that are not files are to be cached.
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
        self.cache: ImageCache | None = None
        source = samples.source
        channels, resize = CHANNELS[image_format.color], image_format.resize
        # None if the images are files.
        self._source_reader = SourceImageReader(source, channels, resize) if source.has_pictures else None
        self._one_hot = labels == "one_hot"
        self.spec = (image_format.field(), self._label_spec())

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples; cached images are copied all at once."""
        if not self._writes_as_read:
            super().write(indices, epoch, rows)
            return
        samples = [self.source[index] for index in indices.tolist()]
        x = rows[0].reshape(len(samples), *self.read_shape)
        kept = None if self.cache is None else self.cache.read_cached([sample["path"] for sample in samples], x)
        for row, (index, sample) in enumerate(zip(indices.tolist(), samples, strict=True)):
            if kept is None or not kept[row]:
                self.read(sample["path"] if self._source_reader is None else index, x[row])
            self._write_label(sample["label"], rows[1][row : row + 1])

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample."""
        x, y = rows
        self.write_image(self.key_of(index), generator, x)
        self._write_label(self.source[index]["label"], y)

    def key_of(self, index: int) -> Key:
        """The key of a sample's image: the path of its file, or its index if the source itself returns images."""
        return index if self._source_reader is not None else str(self.source[index]["path"])

    def write_image(self, key: Key, generator: np.random.Generator, row: ImageArray) -> None:
        """Writes an image into its row, which has a batch axis of length 1."""
        self.image_format.write(row[0], partial(self.paint, key, generator))

    def paint(self, key: Key, generator: np.random.Generator, image: ImageArray) -> None:
        """Writes an image into (height, width) or (height, width, 3), augmented in training."""
        self.show(key, self.draw_warp(generator), generator, image)

    def show(self, key: Key, warp: Warp, generator: np.random.Generator, image: ImageArray) -> None:
        """Writes an image that is warped, and in training changed in brightness and contrast."""
        warp.apply(partial(self.read, key), image)
        if self.augmenting:
            self.augmentation.jitter(generator, image)

    def draw_warp(self, generator: np.random.Generator) -> Warp:
        """Draws a random warp for an image; the identity without augmentation."""
        size = self.image_format.image_size
        return self.augmentation.draw(generator, size) if self.augmenting else Warp(size, None)

    def read(self, key: Key, image: ImageArray) -> None:
        """Writes an image into an array of any size; a cached image is not decoded again."""
        if self._source_reader is not None:
            self._source_reader.read(int(key), image)
        elif self.cache is None:
            self.decode(str(key), image)
        else:
            self.cache.read(str(key), image, self.decode)

    def decode(self, path: str, image: ImageArray) -> None:
        """Decodes an image file into the array `image`, resized to the height and width of the array."""
        read_resized(path, image, self.image_format.color, self.image_format.resize)

    @property
    def read_shape(self) -> tuple[int, ...]:
        """The shape of the arrays that images are read into, before they are augmented."""
        size = self.image_format.image_size
        return self.image_format.image_shape(self.augmentation.canvas_size(size) if self.training else size)

    @property
    def decoding_settings(self) -> dict[str, Any]:
        """What decoded pixels depend on besides the file and the size; sequences that differ in it share no cache."""
        return {"color": self.image_format.color, "resize": self.image_format.resize, "decoders": DECODERS}

    def use_cache(self, cache: ImageCache) -> None:
        """Reads decoded images from a cache from now on, and adds those that are missing there.

        Raises:
            ConfigError: when the source's images are not files.
        """
        if self._source_reader is not None:
            raise ConfigError(
                f"the pictures of a {type(self.source).__name__} are no image files, which a cache keeps",
                fix="remove `cache`",
            )
        self.cache = cache

    def cache_sample(self, index: int) -> bool:
        """Decodes a sample into the cache, unless it is there already.

        Returns:
            Whether it was there already.
        """
        image = np.empty(self.read_shape, dtype=np.uint8)
        return self.cache is not None and self.cache.read(self.source[index]["path"], image, self.decode)

    @property
    def _writes_as_read(self) -> bool:
        """Whether rows of a batch are exactly the images as they are read, not augmented or rearranged."""
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
        if labels is None or (self._source_reader is None and "path" not in self.source[int(self.indices[0])]):
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
