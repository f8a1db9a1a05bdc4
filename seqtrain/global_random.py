"""Seeds the global random generators of `random`, NumPy and, if it is imported, torch, which users' classes use.

The generators are seeded before each batch, so that the numbers depend only on the seed, the side (training or not),
the epoch and the batch; afterwards their previous state is restored. As threads share the generators, these batches are
made one at a time. A class that does not draw from the generators needs none of this: it is known by its first batch,
which leaves their state as it was; its batches are made at the same time, while no other thread seeds.

`getstate`, `setstate` and their NumPy counterparts convert the 624 words of a state one by one, which can take longer
than making a batch; so the state's memory is copied.
"""

# ruff: noqa: NPY002 - the legacy generator is the one that users draw from

from __future__ import annotations

import contextlib
import ctypes
import functools
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from seqtrain.randomness import batch_seed

State = tuple[Any, float | None, bytes, bytes]  # of Python's generator, its second normal number; NumPy's; torch's
_Words = ctypes.c_char * (624 * 4 + 4)  # the 624 words and the position in them; NumPy has it last, Python first
_python: Any = random._inst  # what `random.random` and the like draw from
_seeding = threading.Condition(threading.RLock())  # held while the generators are seeded
_this_thread = threading.local()
_num_unseeded = 0  # threads that make a batch without seeding
_num_waiting = 0  # threads that wait for these, to seed
_known = b""  # a state of NumPy's generator without a second normal number


class SeededBatches:
    """Makes a sequence's batches with the global generators seeded for each, and finds whether they draw from them.

    Args:
        sequence: A `BatchSequence`.
        on_drawn: Called when a batch has drawn, if none had before.
    """

    def __init__(self, sequence: Any, on_drawn: Callable[[], None] | None = None) -> None:
        self._sequence = sequence
        self._on_drawn = on_drawn
        self._draws: bool | None = None  # unknown before the first batch
        self._num_changes = 0  # batches without seeding during which the generators changed

    def batch(self, epoch: int, index: int) -> tuple[Any, ...]:
        """Makes a batch. If it draws and those before it did not, it is made a second time, seeded."""
        if self._draws is None:
            with _seeding:  # one thread makes the first batch
                if self._draws is None:
                    return self._seeded(epoch, index)
        if self._draws is False and not self._sequence.in_order:
            made = self._unseeded(epoch, index)
            if made is not None:
                return made
        return self._seeded(epoch, index)

    def _seeded(self, epoch: int, index: int) -> tuple[Any, ...]:
        training = self._sequence.training
        with seeded_globals(batch_seed(self._sequence.seed, training, epoch if training else 0, index)) as has_drawn:
            try:
                batch: tuple[Any, ...] = self._sequence.batch(epoch, index)
            finally:
                self._note(has_drawn())
        return batch

    def _unseeded(self, epoch: int, index: int) -> tuple[Any, ...] | None:
        """A batch that does not draw; None if it draws, or if that would not show."""
        made: tuple[Any, ...] | None = None
        with _no_seeding:
            before = _state()
            if _whole_numpy_state(before) is not None:
                return None
            try:
                made = self._sequence.batch(epoch, index)
            except Exception:
                if _state() == before:
                    raise
            if _state() == before:
                return made
        with _seeding:
            _restore(before, None)
            self._num_changes += 1
            if self._num_changes > 1:  # it draws, though perhaps not again where it is asked again
                self._note(drawn=True)
        return None

    def _note(self, drawn: bool) -> None:
        if drawn and not self._draws and self._on_drawn is not None:
            self._on_drawn()
        self._draws = drawn or bool(self._draws)


@contextlib.contextmanager
def seeded_globals(seed: int) -> Iterator[Callable[[], bool]]:
    """Seeds the global generators within the block; no other thread makes a batch meanwhile.

    Yields a function that says whether the block has drawn from them so far.
    """
    global _num_waiting
    with _seeding:
        while _num_unseeded > getattr(_this_thread, "is_unseeded", False):
            _num_waiting += 1
            _seeding.wait()
            _num_waiting -= 1
        saved = _state()
        whole = _whole_numpy_state(saved)
        random.seed(seed)
        np.random.seed(seed)
        if (torch := _torch()) is not None:
            torch.manual_seed(seed)
        before = _state()
        try:
            yield lambda: _state() != before
        finally:
            _restore(saved, whole)


class _NoSeeding:
    """Keeps other threads from seeding within the block, as that would look as if the block had drawn."""

    def __enter__(self) -> None:
        global _num_unseeded
        with _seeding:
            _num_unseeded += 1
        _this_thread.is_unseeded = True

    def __exit__(self, *_: object) -> None:
        global _num_unseeded
        _this_thread.is_unseeded = False
        with _seeding:
            _num_unseeded -= 1
            if _num_waiting:
                _seeding.notify_all()


_no_seeding = _NoSeeding()


def _state() -> State:
    words = _python_words()
    python = _python.getstate() if words is None else words.raw
    torch = _torch()
    of_torch = b"" if torch is None else torch.get_rng_state().numpy().tobytes()
    return python, _python.gauss_next, _numpy_words().raw, of_torch


def _restore(state: State, whole_numpy_state: Any) -> None:
    global _known
    python, _python.gauss_next, numpy, of_torch = state
    if of_torch and (torch := _torch()) is not None:
        torch.set_rng_state(torch.frombuffer(bytearray(of_torch), dtype=torch.uint8))
    words = _python_words()
    if words is None:
        _python.setstate(python)
    else:
        words.raw = python
    if whole_numpy_state is not None:
        np.random.set_state(whole_numpy_state)
        return
    np.random.seed(0)  # forgets a second normal number
    _numpy_words().raw = _known = numpy


def _whole_numpy_state(state: State) -> Any:
    """NumPy's state if it has a second normal number; None if the words of `state` are all of it.

    NumPy draws normal numbers in pairs and keeps the second beside the words. Only `get_state` says whether it has one;
    but if the words are those of a state that was known to have none, it has none.
    """
    global _known
    if state[2] != _known:
        whole: Any = np.random.get_state()
        _, key, position, has_normal, _ = whole
        if has_normal or state[2] != key.tobytes() + position.to_bytes(4, sys.byteorder):
            return whole
        _known = state[2]
    return None


@functools.cache
def _python_words() -> ctypes.Array[ctypes.c_char] | None:
    """The memory of the state of Python's generator; None if it is not where CPython has it."""
    *key, position = _python.getstate()[1]
    expected = b"".join(word.to_bytes(4, sys.byteorder) for word in (position, *key))
    header = object.__basicsize__
    if sys.implementation.name != "cpython" or random.Random.__basicsize__ < header + len(expected):
        return None
    words = _Words.from_address(id(_python) + header)
    return words if words.raw == expected else None


def _torch() -> Any:
    """The module torch, if it is imported."""
    module = sys.modules.get("torch")
    return module if hasattr(module, "manual_seed") else None  # not while it is being imported


def _numpy_words() -> ctypes.Array[ctypes.c_char]:
    generator = np.random.get_bit_generator()  # type: ignore[attr-defined]  # missing in NumPy's stubs
    if type(generator) is not np.random.MT19937:
        raise TypeError(f"NumPy's global generator is a {type(generator).__name__}, which cannot be seeded")
    return _Words.from_address(generator.ctypes.state_address)
