"""Facts about each sample for `check --data`, gathered by the loader's workers instead of batches.

`FactSequence` wraps a run's sequence. The workers make the samples as usual, but return only a few numbers of each:
digest, ranges, labels, a thumbnail. So data is checked as fast as it is loaded, by the same threads or processes, and
the facts about a million samples take a few hundred MB.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import xxhash

from seqtrain.loading.batch_errors import unforeseen
from seqtrain.reports.duplicates import THUMBNAIL
from seqtrain.reports.fields import Field, fields_of_sequence
from seqtrain.reports.file_facts import DIGEST_BYTES, ReadFiles, digest_of, file_fields
from seqtrain.reports.scratch import scratch
from seqtrain.reports.statistics import class_indices
from seqtrain.reports.value_ranges import are_constant, channels, measure
from seqtrain.sequences.base import BatchSequence, SampleSequence
from seqtrain.sequences.decoding import observing_files
from seqtrain.structure import FieldSpec, map_structure, named_leaves

Array = npt.NDArray[Any]

NO_LABEL = np.iinfo(np.int64).min
"""The label of samples whose target is no class."""

BAD_BATCH = "bad_batch"
"""The key of the facts about a batch that could not be made, which are only its index."""

_BYTES_IN_A_BATCH = 1 << 22
_BYTES_IN_A_PART = 1 << 21  # with less, the calls take longer than the computation
_MOST_ROWS = 4096


class FactSequence(BatchSequence):
    """A sequence for the loader whose batches are facts about the samples of another sequence.

    Args:
        inner: The other sequence, which must neither shuffle nor augment if it knows its samples.
    """

    indices: npt.NDArray[np.integer]  # only if rows are split

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seed = inner.seed
        self.training = inner.training
        try:
            inner.on_epoch_begin()
        except Exception as error:
            raise unforeseen(f"{inner.owner_name}.on_epoch_begin: the beginning of an epoch", error) from error
        self._file_fields: tuple[str, ...] = ()
        self._first_items: npt.NDArray[np.integer] | None = None
        if not self.splits_rows:
            return
        self.indices = inner.indices
        self._file_fields = file_fields(inner.source, inner.source_indices(inner.indices))
        if self._file_fields and type(inner).source_indices is not SampleSequence.source_indices:
            _, first = np.unique(inner.source_indices(inner.indices), return_index=True)
            self._first_items = np.sort(inner.indices[first])
        zeros = map_structure(lambda field: np.zeros_like(field.empty(1)), inner.spec)
        row_bytes = sum(array.nbytes for _, array in named_leaves(zeros))
        self.batch_size = max(inner.batch_size, min(_MOST_ROWS, _BYTES_IN_A_BATCH // max(row_bytes, 1)))
        self.min_part_rows = max(inner.min_part_rows, _BYTES_IN_A_PART // max(row_bytes, 1))
        one = map_structure(lambda array: FieldSpec(array.shape[1:], array.dtype.name), self._facts(zeros))
        self.spec = (one,)

    @property
    def splits_rows(self) -> bool:
        """Whether the inner sequence writes single rows of a batch."""
        return bool(self.inner.splits_rows)

    @property
    def num_samples(self) -> int:
        """The number of samples; for a class that makes whole batches, the number of batches."""
        return len(self.indices) if self.splits_rows else len(self)

    @property
    def unit(self) -> str:
        """What `num_samples` counts."""
        return "samples" if self.splits_rows else "batches"

    @property
    def file_fields(self) -> tuple[str, ...]:
        """The fields of the source's samples that are files."""
        return self._file_fields

    def __len__(self) -> int:
        return math.ceil(len(self.indices) / self.batch_size) if self.splits_rows else len(self.inner)

    def sample_indices(self, epoch: int, position: int) -> npt.NDArray[np.integer] | None:
        """The indices of the samples in a batch of facts."""
        if not self.splits_rows:
            return None
        part: npt.NDArray[np.integer] = self.indices[position * self.batch_size : (position + 1) * self.batch_size]
        return part

    def write(self, indices: npt.NDArray[np.integer], epoch: int, rows: tuple[Any, ...]) -> None:
        """Writes the facts about samples, or that they cannot be read."""
        use, files = itertools.count(), ReadFiles()
        batch = map_structure(
            lambda field: scratch.empty(f"batch {next(use)}", (len(indices), *field.shape), field.dtype),
            self.inner.row_spec,
        )
        try:
            with observing_files(files.note):
                self.inner.write(indices, epoch, batch)
        except MemoryError:
            raise
        except Exception:  # `data_check` reads the sample again to find the reason
            if len(indices) > 1:
                for row in range(len(indices)):
                    one = map_structure(lambda array, row=row: array[row : row + 1], rows)
                    self.write(indices[row : row + 1], epoch, one)
            else:
                map_structure(lambda array: array.fill(0), rows)
                rows[0]["item"][:] = indices
                rows[0]["is_bad"][:] = 1
            return
        map_structure(np.copyto, rows, (self._facts(self.inner.finish(batch), indices, files),))

    def batch(self, epoch: int, position: int) -> tuple[Any, ...]:
        """The facts about a batch of a class that makes whole batches."""
        try:
            batch = self.inner.batch(epoch, position)
        except MemoryError:
            raise
        except Exception:
            return ({BAD_BATCH: np.array([position])},)
        return (self._facts(batch),)

    def finish(self, rows: tuple[Any, ...]) -> tuple[Any, ...]:
        """The facts, unchanged."""
        return rows

    def describe(self, index: int) -> str:
        """The file or row of one sample."""
        return str(self.inner.describe(index))

    def _facts(
        self, batch: tuple[Any, ...], items: npt.NDArray[np.integer] | None = None, files: ReadFiles | None = None
    ) -> dict[str, Any]:
        """The facts about the samples of a batch.

        Args:
            batch: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
            items: The sequence's index of each row; None if unknown, and files are not read.
            files: The files that were read for the samples.
        """
        fields = fields_of_sequence(self.inner, batch)
        count = len(fields[0].array)
        inputs = [field for field in fields if field.is_input]
        image = next((field for field in inputs if field.kind == "pixels"), None)
        ranges = {
            field.name: measure(channels(field, self.inner.data_format))
            for field in fields
            if field.kind != "mask" and field.array.dtype.kind in "iufb"
        }
        facts: dict[str, Any] = {
            "item": np.full(count, -1, np.int64) if items is None else items.astype(np.int64),
            "is_bad": np.zeros(count, np.uint8),
            "ranges": ranges,
            "labels": {field.name: _labels(field) for field in fields if _has_labels(field)},
            "pixels": {field.name: _pixels_by_class(field, fields) for field in fields if field.kind == "mask"},
            "is_constant": np.zeros(count, np.uint8),
        }
        if image is not None:
            facts["is_constant"] = are_constant(channels(image, self.inner.data_format)).astype(np.uint8)
            if image.array.ndim < 5 and "path_b" not in self._file_fields:  # one image of a pair is not the sample
                facts["thumbnail"] = thumbnails(image, self.inner.data_format)
        if self._file_fields:
            facts |= self._file_facts(count, items, files or ReadFiles())
        else:
            facts["digest"] = _row_digests([field.array for field in inputs])
        return facts

    def _file_facts(self, count: int, items: npt.NDArray[np.integer] | None, read: ReadFiles) -> dict[str, Any]:
        digests = np.zeros((count, DIGEST_BYTES), np.uint8)
        files = {name: np.zeros((count, 5), np.int32) for name in self._file_fields}
        if items is None:
            return {"digest": digests, "files": files}
        rows = np.flatnonzero(self._is_first(items))
        for row, index in zip(rows.tolist(), self.inner.source_indices(items[rows]).tolist(), strict=True):
            sample, parts = self.inner.source[index], []
            for name in self._file_fields:
                seen = read.facts(sample[name], with_digest=name != "mask")
                files[name][row] = seen.codes
                if name != "mask":
                    parts.append(seen.digest or b"")
            digest = b"".join(parts)
            digests[row] = np.frombuffer(digest if len(digest) == DIGEST_BYTES else digest_of(digest), np.uint8)
        return {"digest": digests, "files": files}

    def _is_first(self, items: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Which items are the first of their sample in the source, whose files are read only once."""
        found: npt.NDArray[np.bool_] = np.ones(len(items), np.bool_)
        return found if self._first_items is None else np.isin(items, self._first_items)


def _has_labels(field: Field) -> bool:
    shape = field.array.shape[1:]
    is_number = shape in ((), (1,)) and field.array.dtype.kind in "iub"
    return field.is_target and field.kind is None and (field.num_classes is not None or is_number)


def _labels(field: Field) -> Array:
    labels = class_indices(field.array, field.num_classes)
    return np.full(len(field.array), NO_LABEL) if labels is None else labels


def _pixels_by_class(field: Field, fields: list[Field]) -> Array:
    """The number of pixels of each class in each mask; the last column is for ids that are no class."""
    num_classes = field.num_classes or 0
    weights = field.weights(fields)
    ids = np.minimum(field.array.astype(np.int64), num_classes)
    if weights is not None:
        ids = np.where(weights.array > 0, ids, num_classes + 1)
    return np.stack([np.bincount(mask.reshape(-1), minlength=num_classes + 2)[: num_classes + 1] for mask in ids])


def thumbnails(field: Field, data_format: str) -> Array:
    """Each image as 8 x 9 gray values, roughly the means of its areas."""
    array = field.channels_last(data_format)
    gray = _gray(array if array.dtype == np.uint8 else _stretched(array))
    height, width = THUMBNAIL
    enlarged = max(-(-height // gray.shape[1]), -(-width // gray.shape[2]))
    gray = gray.repeat(enlarged, axis=1).repeat(enlarged, axis=2) if enlarged > 1 else gray
    count, rows, columns = gray.shape
    tall = gray.reshape(count * rows, columns)  # the images one below the other; no area spans two of them
    while rows % 2 == columns % 2 == 0 and rows >= 4 * height and columns >= 4 * width:  # OpenCV halves fast
        rows, columns = rows // 2, columns // 2
        tall = cv2.resize(tall, (columns, count * rows), interpolation=cv2.INTER_AREA)
    small: Array = cv2.resize(tall, (width, count * height), interpolation=cv2.INTER_AREA)
    return small.reshape(count, height, width)


def _gray(images: Array) -> Array:
    """Gray images (samples, rows, columns) from uint8 images with or without channels."""
    if images.ndim == 3:
        return np.ascontiguousarray(images)
    count, rows, columns, num_channels = images.shape
    if num_channels == 1:
        return np.ascontiguousarray(images[..., 0])
    if num_channels == 3:
        gray: Array = scratch.empty("gray", (count, rows, columns), np.uint8)
        tall = np.ascontiguousarray(images).reshape(count * rows, columns, 3)
        cv2.cvtColor(tall, cv2.COLOR_RGB2GRAY, dst=gray.reshape(count * rows, columns))
        return gray
    mean: Array = images.mean(axis=3, dtype=np.float32).astype(np.uint8)
    return mean


def _stretched(images: Array) -> Array:
    """The images as uint8: the range of each image's finite values becomes 0 to 255."""
    numbers = np.nan_to_num(images.astype(np.float32), posinf=0, neginf=0)
    others = tuple(range(1, numbers.ndim))
    low, high = (extreme(numbers, axis=others, keepdims=True).astype(np.float64) for extreme in (np.min, np.max))
    scale = 255 / np.where(high > low, high - low, 1)
    scaled: Array = (numbers * scale.astype(np.float32) - (low * scale).astype(np.float32)).clip(0, 255)
    return scaled.astype(np.uint8)


def _row_digests(arrays: list[Array]) -> npt.NDArray[np.uint8]:
    """The digest of each sample, over its inputs; for samples that are not files."""
    flat = [np.ascontiguousarray(array).reshape(len(array), math.prod(array.shape[1:])) for array in arrays]
    raw = [array.view(np.uint8) for array in flat]
    rows = raw[0] if len(raw) == 1 else np.concatenate(raw, axis=1)
    digests = b"".join(xxhash.xxh3_128_digest(row) for row in rows)
    return np.frombuffer(digests, np.uint8).reshape(len(rows), DIGEST_BYTES)
