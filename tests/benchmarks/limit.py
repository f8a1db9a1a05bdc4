"""What the machine can do: the bare work in a loop, pinned to one core, times the cores.

No loader is ahead of it, except where two cores share what one has alone (a clock that is higher when the other rests
counts against the loader here). `on_all_cores` runs the loop on every core at once: what is really there to be reached.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tests.benchmarks.data import Images

_STARTING_S = 1.5  # until all processes have imported what they need, so that they work at the same time


class Work(Protocol):
    """The body of a loop."""

    def __call__(self) -> int:
        """Does a part of the work; says how many samples it was."""

    def sample(self) -> np.ndarray:
        """What comes of it first."""


@dataclass(frozen=True)
class LimitSession:
    """The speed of a loop.

    Args:
        work: Makes the loop's body.
        seconds: How long a round lasts.
        on_all_cores: Run it on each core at once and add up, rather than on one and multiply.
    """

    work: Callable[[], Work]
    seconds: float
    on_all_cores: bool = False

    def sample(self) -> np.ndarray:
        """What the loop makes first."""
        return self.work().sample()

    def speed(self) -> float:
        """Samples a second of all cores."""
        cores = (
            sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
        )
        if not self.on_all_cores:
            return len(cores) * _pinned(cores[-1], self.work, self.seconds)
        with multiprocessing.get_context("spawn").Pool(len(cores)) as pool:
            when = time.time() + _STARTING_S
            return sum(pool.starmap(_pinned, [(core, self.work, self.seconds, when) for core in cores], chunksize=1))


def _pinned(core: int, work: Callable[[], Work], seconds: float, when: float = 0.0) -> float:
    with _on_core(core):
        step = work()
        step()
        time.sleep(max(0.0, when - time.time()))
        samples, began = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            samples += step()
        return samples / elapsed


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)


class ImageWork:
    """Reads, decodes and resizes images one after another, with the calls that the sequence `image` makes.

    Args:
        images: Which.
    """

    def __init__(self, images: Images) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._paths = images.paths
        self._rows = np.empty((images.batch_size, *images.image_size, 3), np.uint8)
        self._next = 0

    def __call__(self) -> int:
        """Makes the next image."""
        row = self._rows[self._next % len(self._rows)]
        decode_into(Path(self._paths[self._next % len(self._paths)]).read_bytes(), row)
        self._next += 1
        return 1

    def sample(self) -> np.ndarray:
        """The first batch."""
        for _ in range(len(self._rows)):
            self()
        return self._rows


def decode_into(content: bytes, row: np.ndarray) -> None:
    """Decodes a picture, a JPEG as small as will do, and resizes it into a row."""
    import cv2
    import simplejpeg

    height, width = row.shape[:2]
    if content.startswith(b"\xff\xd8"):
        picture = simplejpeg.decode_jpeg(content, min_height=height, min_width=width, min_factor=2)
    else:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    shrinks_much = picture.shape[0] > 2.5 * height or picture.shape[1] > 2.5 * width
    cv2.resize(picture, (width, height), row, interpolation=cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR)
