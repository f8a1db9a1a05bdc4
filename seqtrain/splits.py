"""Splits the samples into training and validation sets, which depend only on the seed and the config.

- random: a random subset of exactly the given share
- stratified: each class is shuffled and split separately; sizes follow the largest remainder method, so that the total
  is exact and each class is within one sample of its share
- group: whole groups, in random order, until the share is reached, so that no group is on both sides
- ordered: the first samples are for training, the next ones for validation

Each takes one pass over the labels or groups; no sample is read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqtrain.config.schema import SplitConfig
from seqtrain.errors import ConfigError, DataError
from seqtrain.randomness import random_subset, split_generator
from seqtrain.sources.base import Source

Indices = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Split:
    """The samples of both sides, as ascending indices of the source.

    Args:
        train: The samples to train on.
        val: The samples to validate on; empty for a run without validation.
    """

    train: Indices
    val: Indices

    def fingerprint(self) -> str:
        """The SHA-256 of the indices of both sides, as 64-bit integers."""
        digest = hashlib.sha256()
        for side in (self.train, self.val):
            digest.update(len(side).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(side, dtype="<i8").tobytes())
        return digest.hexdigest()


def split_source(source: Source, config: SplitConfig, seed: int) -> Split:
    """Splits a source.

    Args:
        source: The source; its length is used, and its labels or groups if `config.by` needs them.
        config: The shares and the kind of split.
        seed: The run's seed.

    Raises:
        ConfigError: when the source has no labels or groups to split by.
        DataError: when a side would be empty, or a class or the groups cannot be divided.
    """
    total = len(source)
    generator = split_generator(seed)
    if config.by == "stratified":
        names = source.label_classes or source.classes  # `classes` may have the names of the masks' ids
        train, val = _stratified(_class_labels(source), config, generator, names)
    elif config.by == "group":
        train, val = _grouped(_groups(source, config.column), config, generator)
    else:
        train, val = _random(total, config, generator) if config.by == "random" else _ordered(total, config)
    if len(val):
        train = source.drop_leaking(train, val)
    if len(train) == 0 or (len(val) == 0 and config.validation_share > 0):
        side = "training" if len(train) == 0 else "validation"
        raise DataError(
            f"the split leaves no samples for {side}",
            received=f"{total} samples, train {config.train:g}, val {config.validation_share:g}, by {config.by}",
            fix="use more samples or other shares, or `val: 0` for a run without validation",
        )
    small = np.uint32 if total <= np.iinfo(np.uint32).max else np.int64
    return Split(train.astype(small), val.astype(small))


def _random(total: int, config: SplitConfig, generator: np.random.Generator) -> tuple[Indices, Indices]:
    num_train, num_val = _sizes(total, config)
    in_train = random_subset(generator, total, num_train)
    train, rest = np.flatnonzero(in_train), np.flatnonzero(~in_train)
    return train, rest if num_val == len(rest) else rest[random_subset(generator, len(rest), num_val)]


def _ordered(total: int, config: SplitConfig) -> tuple[Indices, Indices]:
    num_train, num_val = _sizes(total, config)
    return np.arange(num_train), np.arange(num_train, num_train + num_val)


def _sizes(total: int, config: SplitConfig) -> tuple[int, int]:
    """The numbers of training and validation samples; together all samples, if the shares add up to one."""
    num_train = round(total * config.train)
    covers_all = config.train + config.validation_share > 1 - 1e-9
    return num_train, total - num_train if covers_all else min(
        round(total * config.validation_share), total - num_train
    )


def _stratified(
    labels: npt.NDArray[Any], config: SplitConfig, generator: np.random.Generator, classes: tuple[str, ...] | None
) -> tuple[Indices, Indices]:
    values, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if config.validation_share > 0 and counts.min() < 2:
        name = values[counts.argmin()]
        name = classes[int(name)] if classes else name
        raise DataError(
            f"the class '{name}' has one sample, which cannot be on both sides of a stratified split",
            fix="add samples of the class, leave it out, or split `by: random`",
        )
    num_train, num_val = _sizes(len(labels), config)
    least: Indices = np.full_like(counts, config.validation_share > 0)  # every class is on both sides
    train_counts = _apportion(counts, config.train, num_train, least, counts - least)
    val_counts: Indices = counts - train_counts
    if num_train + num_val < len(labels):
        val_counts = _apportion(counts, config.validation_share, num_val, least, val_counts)
    train, val = [], []
    by_class = np.split(np.argsort(positions, kind="stable"), np.cumsum(counts)[:-1])
    for members, in_train, in_val in zip(by_class, train_counts, val_counts, strict=True):
        shuffled = generator.permutation(members)
        train.append(shuffled[:in_train])
        val.append(shuffled[in_train : in_train + in_val])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(val))


def _apportion(counts: Indices, share: float, total: int, least: Indices, most: Indices) -> Indices:
    """Integers near `counts * share`, between `least` and `most`, that add up to `total` (largest remainder method)."""
    exact = counts * share
    parts: Indices = np.clip(np.floor(exact + 1e-9).astype(np.int64), least, most)
    remainders = np.argsort(-(exact - parts), kind="stable")
    for index in remainders:
        if parts.sum() >= total:
            break
        parts[index] += parts[index] < most[index]
    return parts


def _grouped(groups: npt.NDArray[Any], config: SplitConfig, generator: np.random.Generator) -> tuple[Indices, Indices]:
    names, positions, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < 2 and config.validation_share > 0:
        raise DataError(
            "a split by group needs at least two groups",
            received=f"{len(groups)} samples, all of the group '{names[0]}'",
            fix="split `by: random`, or name another column",
        )
    num_train, num_val = _sizes(len(groups), config)
    order = generator.permutation(len(names))
    before = np.cumsum(counts[order]) - counts[order]  # samples in the groups that come earlier
    middle = before + counts[order] / 2  # a group is on the side that contains its middle sample
    in_train = middle < num_train
    in_val = ~in_train & (middle < num_train + num_val)
    if config.validation_share > 0:
        in_train[0], in_train[-1], in_val[0] = True, False, False
        in_val[-1] |= not in_val.any()
    side = np.zeros(len(names), dtype=np.int8)
    side[order[in_train]], side[order[in_val]] = 1, 2
    return np.flatnonzero(side[positions] == 1), np.flatnonzero(side[positions] == 2)


def _class_labels(source: Source) -> npt.NDArray[Any]:
    labels = source.labels
    if labels is None or labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ConfigError(
            "split: by: stratified needs a source with classes",
            received=f"a {type(source).__name__} with {'no' if labels is None else 'other'} labels",
            fix="split `by: random`",
        )
    return labels


def _groups(source: Source, column: str | None) -> npt.NDArray[Any]:
    if column is not None and source.has_columns:
        return source.column(column)
    if source.groups is None or column is not None:
        raise ConfigError(
            "split: by: group needs a source with groups",
            received=f"a {type(source).__name__}" + (f" without columns (column: {column})" if column else ""),
            fix="name the column with `column:` where the source reads a table, or split `by: random`",
        )
    return source.groups
