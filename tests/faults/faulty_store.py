"""Faults at each step of a save: every call by which the checkpoint store changes the disk can be made to fail or kill.

    {"save": {"number": 2, "call": 5, "do": "SIGKILL"}}     killed before the fifth call of the second save
    {"save": {"number": "call", "do": "ENOSPC"}}            the n-th call of the n-th save fails, and no other
    {"save": {"do": "ENOSPC"}}                              all saves fail, at their first call

A kill before a file is synced leaves half of it, as a power cut would. A save begins where its folder is made.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable
from typing import Any

from tests.faults.environment import fault

_CALLS = ("mkdir", "fsync", "rename", "symlink", "replace", "unlink", "rmdir")
_STORE = "seqtrain.training.checkpoint_store"


def install() -> None:
    """Puts the fault, if this process has one, before the calls."""
    if fault("save"):
        steps = _Steps(fault("save"))
        for name in _CALLS:
            setattr(os, name, steps.before(name, getattr(os, name)))


class _Steps:
    """Counts saves, and the calls of each.

    Args:
        save: The fault.
    """

    def __init__(self, save: dict[str, Any]) -> None:
        self._number, self._call, self._do = save.get("number"), save.get("call", 1), save["do"]
        self._saves = self._calls = 0

    def before(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with the fault before it."""

        def faulty(*args: Any, **kwargs: Any) -> Any:
            if _in_commit():
                self._count(name)
                if self._is_now():
                    self._strike(name, args)
            return function(*args, **kwargs)

        return faulty

    def _count(self, name: str) -> None:
        if name == "mkdir":
            self._saves, self._calls = self._saves + 1, 0
        self._calls += 1

    def _is_now(self) -> bool:
        if self._number == "call":
            return self._calls == self._saves
        return self._calls == self._call and self._number in (None, self._saves)

    def _strike(self, name: str, args: tuple[Any, ...]) -> None:
        if self._do != "SIGKILL":
            number = getattr(errno, self._do)
            raise OSError(number, os.strerror(number))
        if name == "fsync" and stat.S_ISREG(os.fstat(args[0]).st_mode):
            os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)


def _in_commit() -> bool:
    """Whether the store's `commit` is what calls."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name == "commit" and frame.f_globals.get("__name__") == _STORE:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
