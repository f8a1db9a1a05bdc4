"""The sequence `image_mask`: pictures, and with each a mask that went through the very same geometry."""

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
from seqtrain.sequences.kept_masks import KeptMasks
from seqtrain.sequences.pictures import read_resized
from seqtrain.sequences.resizing import fit_mask, shrunk_size
from seqtrain.sources.base import Source
from seqtrain.sources.image_header import read_image_size
from seqtrain.sources.mask_source import require_masks
from seqtrain.structure import FieldSpec, Picture

_MB = 1 << 20


@sequences.register("image_mask")
class ImageMaskSequence(ImageSequence):
    """Images with a class for each pixel; both are flipped, turned, moved, scaled and cropped alike, in training only.

    Ids of masks are never interpolated: a pixel has the id that lies nearest. Light changes the image alone. Where the
    source has pixels to ignore, batches carry a weight for each pixel, 0 for those and 1 for all others.

    Masks are decoded in the first epoch and kept in memory as runs, from which they come back byte for byte. A mask's
    file is therefore not looked at again: what changes in it is seen by the next run.

    Args:
        samples: Of `image_mask`, or of any other source whose samples have a mask.
        image_format: Of the images; masks have their size.
        image_size: Height and width in pixels, of image and mask.
        resize: Where proportions differ: "stretch" image and mask, "crop" their edges, or "pad" the image with black
            and the mask with the background, or with pixels to ignore where the source has some.
        data_format: Where the channels of the image are.
        drop_remainder: Leave out the last batch where it would be smaller.
        augmentation: See `Augmentation`.
        kept_masks_mb: Memory for masks that were decoded, in each process and for training and validation each; about
            1.6 KB a mask of 224x224, so 64 hold some 30 000. Those beyond are decoded in every epoch; 0 keeps none.

    Shapes:
        x: (batch, height, width, channels) or (batch, channels, height, width), uint8, 0 to 255
        y: (batch, height, width), uint8, class ids
        sample_weight: (batch, height, width), float32, where the source has pixels to ignore

    Raises:
        ConfigError: when the source has no masks, or pictures that are no files are to be cached.
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
        self._same_size = bytearray(len(source))  # by sample: whether its mask was found to have the size of its image
        self._kept_masks = KeptMasks(kept_masks_mb * _MB)
        super().__init__(samples, image_format, drop_remainder=drop_remainder)
        self.augmentation = augmentation
        self._may_differ = self._made is None and not source.masks_fit
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
            mask[mask == self._ignored_id] = 0  # an id that every loss understands

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_same_size": bytearray()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._same_size = bytearray(len(self.source))

    @property
    def shaped_by(self) -> dict[str, Any]:
        """See `ImageSequence`; JPEGs are shrunk in another way here, so caches are not shared with it."""
        return {**super().shaped_by, "lies_on_mask": True}

    def decode(self, path: str, picture: Picture) -> None:
        """See `ImageSequence`; JPEGs are shrunk by factors that keep them on their masks."""
        read_resized(path, picture, self.image_format.color, self.image_format.resize, shrunk_size)

    def _label_spec(self) -> FieldSpec:
        return FieldSpec(self.image_format.image_size, "uint8", kind="mask", classes=self.source.classes)

    def _read_mask(self, index: int, row: Picture) -> None:
        if self._kept_masks.read(index, row):
            return
        mask = self.source.read_mask(index)
        if self._may_differ and not self._same_size[index]:
            self._check_size(index, (mask.shape[0], mask.shape[1]))
            self._same_size[index] = True
        fit_mask(mask, row, self.image_format.resize, padding_id=self._ignored_id or 0)
        self._kept_masks.keep(index, row)

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
