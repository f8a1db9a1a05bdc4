"""Where contestants run: a process for each framework, asked one thing at a time.

Frameworks start threads that never end and set what belongs to the whole process; so those that are no part of a
contestant stay out of its process. A process waits, idle, while another has its turn.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np


class Session(Protocol):
    """A contestant, ready to be measured again and again."""

    def sample(self) -> np.ndarray:
        """What it delivers first, to be compared with a reference."""

    def speed(self) -> float:
        """Units a second in one round."""


@dataclass(frozen=True)
class Contestant:
    """What is measured.

    Args:
        name: What the table calls it.
        process: Contestants with equal names here share a process.
        open: Makes its session in that process; a function of a module with its arguments bound.
        needs: The packages that must be installed.
        at_least: How many times its speed ours has to reach, or None where it is shown for comparison.
    """

    name: str
    process: str
    open: Callable[[], Session]
    needs: tuple[str, ...] = ()
    at_least: float | None = None

    @property
    def missing(self) -> str | None:
        """The packages that are not installed."""
        absent = [name for name in self.needs if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else None


class ContestantError(Exception):
    """What a contestant raised, with its traceback."""


class Stage:
    """The processes of a run of benchmarks."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[str, tuple[Any, Any]] = {}

    def ask(self, contestant: Contestant, what: str) -> Any:
        """Calls a method of a contestant's session.

        Raises:
            ContestantError: what it raised.
        """
        if contestant.process not in self._processes:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs,), name=contestant.process)
            process.start()
            theirs.close()
            self._processes[contestant.process] = process, ours
        process, connection = self._processes[contestant.process]
        try:
            connection.send((pickle.dumps(contestant.open), what))
            result, failure = connection.recv()
        except (EOFError, ConnectionError) as error:
            process.join()
            raise ContestantError(f"its process ended with {process.exitcode}") from error
        if failure is not None:
            raise ContestantError(failure)
        return result

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, connection in self._processes.values():
            connection.close()
            process.join(10)
            if process.is_alive():
                process.kill()


def _serve(connection: Any) -> None:
    multiprocessing.set_start_method(
        None, force=True
    )  # contestants start processes as they do in a program of their own
    sessions: dict[bytes, Session] = {}
    while True:
        try:
            build, what = connection.recv()
        except EOFError:
            return
        try:
            if build not in sessions:
                sessions[build] = pickle.loads(build)()
            reply = getattr(sessions[build], what)(), None
        except Exception:
            reply = None, traceback.format_exc()
        connection.send(reply)
