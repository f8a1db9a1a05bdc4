"""The sequence `arrays`: batches of samples that are stored as arrays.

The source writes into a view of the batch that has the layout of the stored samples, so that a change of layout or
dtype needs no extra copy.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seqtrain.errors import ConfigError
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec, Indices
from seqtrain.types import DataFormat

_CHANNEL_COUNTS = (1, 3, 4)
_IMAGE, _IMAGE_WITH_CHANNELS = 2, 3  # axes of one sample


@sequences.register("arrays")
class ArraySequence(SampleSequence):
    """Samples that are arrays, as they are stored: images, slices or vectors; for every source with rows of arrays.

    A sample with two axes is an image (height, width) and gets a channel axis; one with three axes is an image with
    channels; any other is not changed. Dtypes are kept, except that float64 becomes float32.

    Args:
        samples: The samples of `arrays`, `csv_pixels`, `synthetic_sum`, or any other source with rows of arrays.
        data_format: Where the channels of images are in a batch.
        stored_format: Where the channels of stored images are. Default: last.
        labels: "sparse" (the class index) or "one_hot".
        drop_remainder: Leave out the last batch if it is smaller.

    Shapes:
        x: (batch, height, width, channels), (batch, channels, height, width), or (batch, ...) as stored
        y: (batch,), int32, for sparse labels; (batch, classes), float32, for one-hot labels; else as stored

    Raises:
        ConfigError: when the source has no rows of arrays, when an option does not fit the samples, or when the samples
            look like channels_first and `stored_format` does not say so.

    Example:
        sequence: {name: arrays, data_format: channels_first}
    """

    source: Source

    def __init__(
        self,
        samples: Samples[Source],
        data_format: DataFormat = "channels_last",
        stored_format: DataFormat | None = None,
        labels: Literal["sparse", "one_hot"] = "sparse",
        drop_remainder: bool = False,
    ) -> None:
        super().__init__(*samples, drop_remainder=drop_remainder)
        source = samples.source
        if not source.has_rows:
            raise ConfigError(
                f"the sequence 'arrays' cannot read from a {type(source).__name__}",
                expected="a source with rows of arrays, such as arrays, csv_pixels or synthetic_sum",
            )
        self.data_format = data_format
        self._stored_format = stored_format
        self._one_hot = labels == "one_hot"
        self._num_axes = len(source.fields["x"].shape)
        self._check_formats()
        self.spec = (self._x_spec(), self._y_spec())

    def write(self, indices: Indices, epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes samples into rows, many at once."""
        x, y = rows
        fields = {"x": self._stored_view(x)}
        if self._one_hot:
            y[...] = self._class_labels()[indices, None] == np.arange(y.shape[1])
        else:
            fields["y"] = y
        self.source.read_rows(indices, fields)

    @property
    def _moves_channels(self) -> bool:
        return self._num_axes == _IMAGE_WITH_CHANNELS and self.data_format != (self._stored_format or "channels_last")

    def _stored_view(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A view of a batch's rows in the layout of the stored samples."""
        channels_first = self.data_format == "channels_first"
        if self._num_axes == _IMAGE:
            return x[:, 0] if channels_first else x[..., 0]
        if self._moves_channels:
            return np.moveaxis(x, 1, -1) if channels_first else np.moveaxis(x, -1, 1)
        return x

    def _x_spec(self) -> FieldSpec:
        stored = self.source.fields["x"]
        channels_first = self.data_format == "channels_first"
        shape = stored.shape
        if self._num_axes == _IMAGE:
            shape = (1, *shape) if channels_first else (*shape, 1)
        elif self._moves_channels:
            shape = (shape[2], *shape[:2]) if channels_first else (*shape[1:], shape[0])
        return FieldSpec(shape, _batch_dtype(stored.dtype))

    def _y_spec(self) -> FieldSpec:
        stored = self.source.fields["y"]
        if self._one_hot:
            self._class_labels()
            return FieldSpec((self.num_classes or 0,), "float32")
        if _are_classes(self.source.labels):
            return FieldSpec((), "int32")
        return FieldSpec(stored.shape, _batch_dtype(stored.dtype))

    def _class_labels(self) -> npt.NDArray[Any]:
        labels = self.source.labels
        if labels is None or not _are_classes(labels):
            raise ConfigError(
                "labels: one_hot needs class labels, and the source has other targets",
                received=f"targets of shape {self.source.fields['y'].shape}, {self.source.fields['y'].dtype}",
                fix="leave labels out",
            )
        return labels

    def _check_formats(self) -> None:
        shape = self.source.fields["x"].shape
        if self._num_axes not in (_IMAGE, _IMAGE_WITH_CHANNELS):
            if self.data_format != "channels_last" or self._stored_format:
                raise ConfigError(
                    f"data_format: the samples are no images, they have the shape {shape}",
                    fix="leave data_format and stored_format out",
                )
        elif self._num_axes == _IMAGE:
            if self._stored_format:
                raise ConfigError(
                    f"stored_format: the stored images have no channel axis, they have the shape {shape}",
                    fix="leave stored_format out",
                )
        elif not self._stored_format and shape[0] in _CHANNEL_COUNTS and shape[-1] > max(_CHANNEL_COUNTS):
            raise ConfigError(
                f"stored_format: samples of shape {shape} look as if their channels came first",
                where=self.source.describe(0),
                expected="(height, width, channels)",
                fix="set sequence.stored_format: channels_first; or channels_last, where the last axis holds them",
            )


def _batch_dtype(dtype: str) -> str:
    return "float32" if dtype == "float64" else dtype


def _are_classes(labels: npt.NDArray[Any] | None) -> bool:
    return labels is not None and labels.dtype.kind in "iub"
