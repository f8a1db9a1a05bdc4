"""`seqtrain prepare`: fills the cache of a config ahead of training, so that the first epoch is as fast as the others.

It reads every sample of both sides of the split once, in threads. For cached samples it only checks the file's size
and time and a checksum, so an interrupted `prepare` continues where it stopped. With `on_bad_sample: skip`, it skips
as many bad samples as training would replace.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import BadSampleConfig
from seqtrain.errors import ConfigError, DataError, Mistake, ResourceError
from seqtrain.loading.pipeline import open_data
from seqtrain.loading.tuning import num_cores
from seqtrain.sequences.cache import ImageCache

_SAMPLES_IN_A_PART = 16
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class Prepared:
    """The result of `prepare`.

    Args:
        samples: The number of samples of both sides of the split.
        decoded: The number of samples that were not cached before.
        skipped: The number of samples that cannot be read.
        folders: The folders of the caches: one, or two if training reads larger images than validation.
        num_bytes: The disk space of the caches.
        seconds: How long it took.
    """

    samples: int
    decoded: int
    skipped: int
    folders: tuple[str, ...]
    num_bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """As `prepare --json` prints it."""
        return {
            "status": "prepared",
            "samples": self.samples,
            "decoded": self.decoded,
            "kept_before": self._kept_before,
            "skipped": self.skipped,
            "folders": list(self.folders),
            "bytes": self.num_bytes,
            "seconds": round(self.seconds, 3),
        }

    def text(self) -> str:
        """The same as text for the terminal."""
        skipped = f", {self.skipped} skipped that cannot be read" if self.skipped else ""
        return (
            f"prepared {self.samples} samples in {self.seconds:.1f} s: {self.decoded} decoded, "
            f"{self._kept_before} kept before{skipped}; {self.num_bytes / 1e6:.1f} MB in {', '.join(self.folders)}"
        )

    @property
    def _kept_before(self) -> int:
        return self.samples - self.decoded - self.skipped


def prepare(loaded: LoadedConfig) -> Prepared:
    """Decodes every sample that is not in the cache.

    Raises:
        ConfigError: when the config has no cache.
        DataError: with every sample that cannot be read, if these are more than may be skipped; all others are cached.
        ResourceError: when the disk is full.
    """
    if loaded.config.cache is None:
        raise ConfigError("the config has no cache", where=loaded.path, fix="add `cache: {path: ./cache}`")
    began = time.monotonic()
    data = open_data(loaded)
    sides = [sequence for sequence in (data.train, data.val) if sequence is not None]
    caches = {side.cache.folder: side.cache for side in sides}
    samples = sum(len(side.indices) for side in sides)
    decoded, skipped, mistakes = 0, 0, list[Mistake]()
    with ThreadPoolExecutor(num_cores()) as pool, _progress(samples, ", ".join(map(str, caches))) as bar:
        for side in sides:
            bad: list[DataError] = []
            for part in pool.map(partial(_keep, side), _parts(side.indices)):
                decoded += part.decoded
                bad += part.bad
                bar.update(part.samples)
                _check_room(side.cache)
            mistakes += _judge(bad, loaded.config.on_bad_sample, len(side.indices))
            skipped += len(bad)
    if mistakes:
        raise DataError(mistakes)
    num_bytes = sum(cache.num_bytes_on_disk for cache in caches.values())
    return Prepared(samples, decoded, skipped, tuple(map(str, caches)), num_bytes, time.monotonic() - began)


@dataclass(frozen=True)
class _Part:
    samples: int
    decoded: int
    bad: list[DataError]


def _parts(indices: npt.NDArray[np.integer]) -> Iterator[list[int]]:
    for start in range(0, len(indices), _SAMPLES_IN_A_PART):
        yield indices[start : start + _SAMPLES_IN_A_PART].tolist()


def _keep(sequence: Any, indices: list[int]) -> _Part:
    decoded, bad = 0, list[DataError]()
    for index in indices:
        try:
            decoded += not sequence.cache_sample(index)
        except DataError as error:
            bad.append(error)
    return _Part(len(indices), decoded, bad)


def _judge(bad: list[DataError], skips: BadSampleConfig, samples: int) -> list[Mistake]:
    """The mistakes of a side's bad samples; if they may be skipped, they are only logged."""
    most = skips.most(samples) if skips.action == "skip" else 0
    told = [mistake for error in bad for mistake in error.mistakes]
    if len(bad) > most:
        limit = Mistake(
            f"{len(bad)} samples cannot be read", expected=f"at most {most}, which on_bad_sample.max allows"
        )
        return [*told, limit] if skips.action == "skip" else told
    for mistake in told:
        log.warning("%s: cannot be read, and is skipped: %s", mistake.where, mistake.message)
    return []


def _progress(samples: int, folders: str) -> tqdm[Any]:
    """A progress bar on a terminal; otherwise a plain line for a log."""
    on_terminal = sys.stderr.isatty()
    if not on_terminal:
        print(f"preparing {samples} samples in {folders}", file=sys.stderr, flush=True)
    return tqdm(total=samples, desc="preparing", unit=" samples", file=sys.stderr, disable=not on_terminal)


def _check_room(cache: ImageCache) -> None:
    if cache.failure is not None:
        raise ResourceError(
            f"the cache takes no more pictures: {cache.failure}",
            where=cache.folder,
            fix="free some space, or set cache.path to a folder with more; what is there is kept, and prepare goes on",
        )
