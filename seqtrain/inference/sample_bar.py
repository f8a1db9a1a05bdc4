"""Shows progress over samples: a bar on a terminal, occasional lines in a log, or nothing."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

from seqtrain import console

_LINE_EVERY_S = 30.0


@contextlib.contextmanager
def sample_bar(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows progress on stderr, as --progress says.

    Args:
        task: The task, such as `predicting`.
        total: The number of samples.

    Yields:
        A function to call with the number of further samples done.
    """
    shown = console.display()
    if shown == "bar":
        bar: tqdm[Any] = tqdm(total=total, desc=task, unit=" samples", dynamic_ncols=True, leave=False)
        with bar:
            yield lambda count: _add(bar, count)
    elif shown == "lines":
        yield _Lines(task, total)
    else:
        yield lambda count: None


def _add(bar: tqdm[Any], count: int) -> None:
    bar.update(count)


class _Lines:
    """Writes progress as whole lines, one every half minute."""

    def __init__(self, task: str, total: int) -> None:
        self._task, self._total, self._done = task, total, 0
        self._began = self._logged = time.monotonic()

    def __call__(self, count: int) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._logged >= _LINE_EVERY_S:
            self._logged = now
            speed = self._done / (now - self._began)
            console.write_above_bars(f"{self._task}: {self._done} of {self._total} samples, {speed:.0f}/s\n")
