"""Seeds the global random generators of `random` and NumPy, which classes written for Keras use.

If a single thread makes all batches, the generators are seeded before each batch, so that the numbers depend only on
the seed, the side (training or not), the epoch and the batch; afterwards their previous state is restored.
`np.random.get_state` and `set_state` convert the 624 words of the state one by one, which can take longer than a batch;
so the state's memory is copied.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import inspect
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_Words = ctypes.c_char * (624 * 4 + 4)  # NumPy's `mt19937_state`: the 624 words, and the position in them
_GLOBAL_RANDOM = re.compile(
    r"\b(np|numpy)\.random\.(?!default_rng|Generator|RandomState|SeedSequence|PCG64|Philox)\w+\("
    r"|(?<![\w.])random\.(?!Random\b)\w+\("
)
_seeding = threading.RLock()
_known = b""  # the words of a state without a cached normal number


@contextlib.contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seeds the global generators of `random` and NumPy within the block; not for several threads at once."""
    with _seeding:
        state, restore_numpy = random.getstate(), _numpy_restorer()
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - what users draw from
        try:
            yield
        finally:
            random.setstate(state)
            restore_numpy()


def uses_global_random(wrapped: object) -> bool:
    """Whether a class seems to draw from the global generators, which threads share."""
    try:
        source = inspect.getsource(vars(type(wrapped))["__getitem__"])
    except (KeyError, OSError, TypeError):
        return False
    return _GLOBAL_RANDOM.search(source) is not None


def _numpy_restorer() -> Callable[[], None]:
    """A function that restores the current state of NumPy's global generator.

    NumPy draws normal numbers in pairs and caches the second beside the words. Only `get_state` says whether one is
    cached; but if the words are those of a state that was known to have none, there is none.
    """
    generator = np.random.get_bit_generator()  # type: ignore[attr-defined]  # missing in NumPy's stubs
    if type(generator) is not np.random.MT19937:
        raise TypeError(f"NumPy's global generator is a {type(generator).__name__}, which cannot be seeded")
    words = _Words.from_address(generator.ctypes.state_address)
    saved = words.raw
    if saved != _known:
        state: Any = np.random.get_state()  # noqa: NPY002
        _, key, position, has_normal, _ = state
        if has_normal or saved != key.tobytes() + position.to_bytes(4, sys.byteorder):
            return functools.partial(np.random.set_state, state)  # noqa: NPY002
    return functools.partial(_put_back, words, saved)


def _put_back(words: ctypes.Array[ctypes.c_char], saved: bytes) -> None:
    global _known
    np.random.seed(0)  # noqa: NPY002 - forgets a normal number that is kept
    words.raw = saved
    _known = saved
