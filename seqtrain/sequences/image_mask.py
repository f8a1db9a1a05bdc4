"""The sequence `image_mask`: images with a mask each, which gets the same geometric augmentation."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from seqtrain.errors import DataError
from seqtrain.registry import sequences
from seqtrain.sequences.augment import NO_AUGMENTATION, Augmentation
from seqtrain.sequences.base import Samples
from seqtrain.sequences.image import ImageSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sequences.image_readers import read_resized
from seqtrain.sequences.mask_cache import MaskCache
from seqtrain.sequences.resizing import fit_mask, shrunk_size
from seqtrain.sources.base import Source
from seqtrain.sources.image_header import read_image_size
from seqtrain.sources.mask_source import require_masks
from seqtrain.structure import FieldSpec, ImageArray

_MB = 1 << 20


@sequences.register("image_mask")
class ImageMaskSequence(ImageSequence):
    """Images with a class id for each pixel; both get the same random geometric augmentation, in training only.

    Class ids are never interpolated: a pixel gets the nearest id. Brightness and contrast change the image only. If the
    source has pixels to ignore, batches have a weight for each pixel, 0 for those and 1 for all others.

    Masks are decoded in the first epoch and cached in memory as runs, without loss. So a mask's file is read once per
    run, and changes to it have no effect until the next run.

    Args:
        samples: The samples of `image_mask`, or of any other source whose samples have a mask.
        image_format: The format of the images; masks have their size.
        image_size: Height and width in pixels, of image and mask.
        resize: If the proportions differ, "stretch" image and mask, "crop" their edges, or "pad" the image with black
            and the mask with the background, or with pixels to ignore if the source has any.
        data_format: Where the channels of the image are in a batch.
        drop_remainder: Leave out the last batch if it is smaller.
        augmentation: See `Augmentation`.
        kept_masks_mb: The memory for decoded masks in MB, in each process and for training and validation separately.
            A mask of 224x224 takes about 1.6 KB, so 64 MB hold some 30 000. Other masks are decoded in every epoch; 0
            keeps none.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch, height, width), uint8, class ids
        sample_weight: (batch, height, width), float32, if the source has pixels to ignore

    Raises:
        ConfigError: when the source has no masks, or images that are not files are to be cached.
        DataError: when an image or a mask cannot be read, or their sizes differ.

    Example:
        sequence: {name: image_mask, image_size: [256, 256], horizontal_flip: 0.5, rotation: 10}
    """

    def __init__(
        self,
        samples: Samples[Source],
        image_format: ImageFormat,
        drop_remainder: bool = False,
        augmentation: Augmentation = NO_AUGMENTATION,
        kept_masks_mb: Annotated[int, Field(ge=0)] = 64,
    ) -> None:
        source = samples.source
        require_masks(source, "image_mask")
        self._ignored_id: int | None = source.ignored_id
        self._same_size = bytearray(len(source))  # by sample: 1 if its mask is known to fit its image
        self._mask_cache = MaskCache(kept_masks_mb * _MB)
        super().__init__(samples, image_format, drop_remainder=drop_remainder)
        self.augmentation = augmentation
        self._may_differ = self._source_reader is None and not source.masks_fit
        weights = () if self._ignored_id is None else (FieldSpec(image_format.image_size, "float32"),)
        self.spec = (image_format.field("pixels"), self._label_spec(), *weights)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample."""
        x, y, *weights = rows
        warp = self.draw_warp(generator)
        self.image_format.write(x[0], partial(self.show, self.key_of(index), warp, generator))
        mask = y[0]
        warp.apply(partial(self._read_mask, index), mask, nearest=True)
        if weights:
            weights[0][0] = mask != self._ignored_id
            mask[mask == self._ignored_id] = 0  # an id that is valid for every loss

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_same_size": bytearray()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._same_size = bytearray(len(self.source))

    @property
    def decoding_settings(self) -> dict[str, Any]:
        """See `ImageSequence`; JPEGs are scaled differently here, so caches are not shared with it."""
        return {**super().decoding_settings, "lies_on_mask": True}

    def decode(self, path: str, image: ImageArray) -> None:
        """See `ImageSequence`; JPEGs are scaled only by factors that keep them aligned with their masks."""
        read_resized(path, image, self.image_format.color, self.image_format.resize, shrunk_size)

    def _label_spec(self) -> FieldSpec:
        return FieldSpec(self.image_format.image_size, "uint8", kind="mask", classes=self.source.classes)

    def _read_mask(self, index: int, row: ImageArray) -> None:
        if self._mask_cache.read(index, row):
            return
        mask = self.source.read_mask(index)
        if self._may_differ and not self._same_size[index]:
            self._check_size(index, (mask.shape[0], mask.shape[1]))
            self._same_size[index] = True
        fit_mask(mask, row, self.image_format.resize, padding_id=self._ignored_id or 0)
        self._mask_cache.add(index, row)

    def _check_size(self, index: int, mask_size: tuple[int, int]) -> None:
        sample = self.source[index]
        size = read_image_size(sample["path"])
        if size != mask_size:
            raise DataError(
                "the mask has another size than its image",
                where=sample.get("mask", self.describe(index)),
                expected=f"{size[0]} x {size[1]} pixels (height x width), as {sample['path']}",
                received=f"{mask_size[0]} x {mask_size[1]}",
                fix="save the mask in the size of its image, or pair the files that belong together",
            )
