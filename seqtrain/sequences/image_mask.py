"""The sequence `image_mask`: pictures, and with each a mask that went through the very same geometry."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from seqtrain.errors import DataError
from seqtrain.registry import sequences
from seqtrain.sequences.augmented_image import (
    AugmentedImageSequence,
    CropFraction,
    Degrees,
    Fraction,
    ProperFraction,
)
from seqtrain.sequences.decoding import read_picture
from seqtrain.sequences.geometry import Matrix, warp
from seqtrain.sequences.image import Picture
from seqtrain.sequences.kept_masks import KeptMasks
from seqtrain.sequences.mask_resizing import fit_mask, shrunk_size
from seqtrain.sequences.resizing import fit
from seqtrain.sources.base import Source
from seqtrain.sources.mask_source import require_masks
from seqtrain.sources.picture_size import picture_size
from seqtrain.structure import FieldSpec
from seqtrain.types import Color, DataFormat, ImageSize, Probability, Resize

_MB = 1 << 20


@sequences.register("image_mask")
class ImageMaskSequence(AugmentedImageSequence):
    """Images with a class for each pixel; both are flipped, turned, moved, scaled and cropped alike, in training only.

    Ids of masks are never interpolated: a pixel has the id that lies nearest. Light changes the image alone. Where the
    source has pixels to ignore, batches carry a weight for each pixel, 0 for those and 1 for all others.

    Masks are decoded in the first epoch and kept in memory as runs, from which they come back byte for byte. A mask's
    file is therefore not looked at again: what changes in it is seen by the next run.

    Args:
        source: `image_mask`, or any other whose samples have a mask.
        indices: See `SampleSequence`.
        batch_size: See `SampleSequence`.
        seed: See `SampleSequence`.
        training: Whether to augment; see also `SampleSequence`.
        image_size: Height and width in pixels, of image and mask.
        color: "rgb" or "gray"; a file of the other kind is converted.
        resize: Where proportions differ: "stretch" image and mask, "crop" their edges, or "pad" the image with black
            and the mask with the background, or with pixels to ignore where the source has some.
        data_format: Where the channels of the image are.
        drop_remainder: Leave out the last batch where it would be smaller.
        horizontal_flip: Probability that left and right change places.
        vertical_flip: Probability that top and bottom change places.
        rotation: Turn about the centre by up to so many degrees to either side.
        shift: Move by up to this fraction of the width and of the height.
        zoom: Grow or shrink by up to this fraction.
        brightness: Add or take away up to this fraction of white.
        contrast: Draw pixels away from or towards middle gray by up to this fraction.
        random_crop: Cut out a window with this fraction of the picture's height and width at a random place.
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
        source: Source,
        indices: npt.NDArray[np.integer],
        batch_size: int,
        seed: int,
        training: bool,
        image_size: ImageSize,
        color: Color = "rgb",
        resize: Resize = "stretch",
        data_format: DataFormat = "channels_last",
        drop_remainder: bool = False,
        horizontal_flip: Probability = 0.0,
        vertical_flip: Probability = 0.0,
        rotation: Degrees = 0.0,
        shift: Fraction = 0.0,
        zoom: ProperFraction = 0.0,
        brightness: Fraction = 0.0,
        contrast: Fraction = 0.0,
        random_crop: CropFraction | None = None,
        kept_masks_mb: Annotated[int, Field(ge=0)] = 64,
    ) -> None:
        require_masks(source, "image_mask")
        self._ignored_id: int | None = source.ignored_id
        self._same_size = bytearray(len(source))  # which samples were found to be; one byte each, set once
        self._kept_masks = KeptMasks(kept_masks_mb * _MB)
        super().__init__(
            source,
            indices,
            batch_size,
            seed,
            training,
            image_size,
            color,
            resize,
            data_format,
            "sparse",
            drop_remainder,
            horizontal_flip,
            vertical_flip,
            rotation,
            shift,
            zoom,
            brightness,
            contrast,
            random_crop,
        )
        self._may_differ = self._cut is None and not source.masks_fit
        x, y = self.spec
        weights = () if self._ignored_id is None else (FieldSpec(image_size, "float32"),)
        self.spec = (FieldSpec(x.shape, x.dtype, kind="pixels"), y, *weights)

    def write_sample(self, index: int, generator: np.random.Generator, rows: tuple[Any, ...]) -> None:
        """Writes one sample."""
        x, y, *weights = rows
        to_canvas = self._drawn(generator) if self.augmenting else None
        picture = self._picture_in(x[0])
        self._show(to_canvas, partial(self.read, self.key_of(index)), picture)
        if self.augmenting:
            self._light(generator, picture)
        if picture.base is None:  # made for the purpose
            x[0] = np.moveaxis(picture, -1, 0)
        mask = y[0]
        self._show(to_canvas, partial(self._read_mask, index), mask, nearest=True)
        if weights:
            weights[0][0] = mask != self._ignored_id
            mask[mask == self._ignored_id] = 0  # an id that every loss understands

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_same_size": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._same_size = bytearray(len(self.source))

    @property
    def shaped_by(self) -> dict[str, Any]:
        """See `ImageSequence`; a cache is not shared with those who shrink JPEGs otherwise."""
        return {**super().shaped_by, "lies_on_mask": True}

    def _decode(self, path: str, picture: Picture) -> None:
        size = picture.shape[0], picture.shape[1]
        fit(read_picture(path, self.color, lambda stored: shrunk_size(stored, size, self.resize)), picture, self.resize)

    def _label_spec(self) -> FieldSpec:
        return FieldSpec(self.image_size, "uint8", kind="mask", classes=self.source.classes)

    def _picture_in(self, row: Picture) -> Picture:
        """The row as (height, width) or (height, width, 3); a new array where its channels come first."""
        if self.color == "gray":
            return row.reshape(self.image_size)
        return row if self.data_format == "channels_last" else np.empty((*self.image_size, 3), dtype=np.uint8)

    def _show(
        self, to_canvas: Matrix | None, read: Callable[[Picture], None], out: Picture, nearest: bool = False
    ) -> None:
        """Writes what is drawn of a picture or mask that `read` writes into an array of any size."""
        if to_canvas is None:
            read(out)
            return
        canvas = np.empty((*self._canvas_size, *out.shape[2:]), dtype=np.uint8)
        read(canvas)
        warp(canvas, to_canvas, out, nearest)

    def _read_mask(self, index: int, row: Picture) -> None:
        if self._kept_masks.read(index, row):
            return
        mask = self.source.read_mask(index)
        if self._may_differ and not self._same_size[index]:
            self._check_size(index, (mask.shape[0], mask.shape[1]))
            self._same_size[index] = True
        fit_mask(mask, row, self.resize, padding_id=self._ignored_id or 0)
        self._kept_masks.keep(index, row)

    def _check_size(self, index: int, mask_size: tuple[int, int]) -> None:
        sample = self.source[index]
        size = picture_size(sample["path"])
        if size != mask_size:
            raise DataError(
                "the mask has another size than its image",
                where=sample.get("mask", self.describe(index)),
                expected=f"{size[0]} x {size[1]} pixels (height x width), as {sample['path']}",
                received=f"{mask_size[0]} x {mask_size[1]}",
                fix="save the mask in the size of its image, or pair the files that belong together",
            )
