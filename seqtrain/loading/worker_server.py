"""Starts worker processes: one process imports what the sequence needs, and forks a worker for each that is wanted.

A user's file may import TensorFlow, which takes seconds of a core; so it is imported once and not by each worker. The
server is started as a new interpreter, never forked from a process that runs TensorFlow. A process with several threads
must not be forked: if the imports have started some, as the first operation of TensorFlow does, each worker is an
interpreter of its own.

    run ──► server: imports, then per request ──fork──► worker 1, worker 2, ...
     └────────────── tasks and replies, over a pipe for each worker ──┘

The streams of a run share a server. When the last of them is closed, or the run dies, it is killed, and its workers
with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import ClassVar, Protocol

import seqtrain
from seqtrain.errors import SeqtrainError, WorkerError

_START_S = 600.0  # time for the imports: a user's may take long on a busy machine
_PROGRAM = "from seqtrain.loading.worker_process import main; main()"


class WorkerProcess(Protocol):
    """A worker process that was started."""

    def kill(self) -> None:
        """Kills it."""

    def wait(self) -> int:
        """Waits for its end, and returns its exit code, or the negative number of the signal that killed it."""


class WorkerServer:
    """Starts worker processes.

    Args:
        imports: Files and modules that they import.
    """

    _shared: ClassVar[dict[tuple[str, ...], WorkerServer]] = {}
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, imports: tuple[str, ...]) -> None:
        self._imports = imports
        self._users = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._can_fork = True
        self._is_importing = False
        self._is_closed = False

    @classmethod
    def shared(cls, imports: Sequence[str]) -> WorkerServer:
        """The server of all streams with the same imports; each calls `release` when it has no more workers."""
        key = tuple(imports)
        with cls._sharing:
            server = cls._shared.setdefault(key, cls(key))
            server._users += 1
        return server

    def stop_starting(self) -> None:
        """Ends a wait for the imports, if no other stream waits for them too."""
        with self._sharing:
            if self._users == 1:
                self._is_closed = True
                self._shared.pop(self._imports, None)
                if self._is_importing and self._process is not None:
                    self._process.kill()

    def release(self) -> None:
        """Kills the server, if no other stream uses it; called when the stream's workers have ended."""
        with self._sharing:
            self._users -= 1
            if self._users:
                return
            if self._shared.get(self._imports) is self:
                del self._shared[self._imports]
        self._is_closed = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._control is not None:
            self._control.close()

    def start(self) -> tuple[WorkerProcess, Connection]:
        """Starts a worker, whose end of the returned connection takes tasks.

        Raises:
            SeqtrainError: what the imports raised.
            WorkerError: when they take too long.
            EOFError: when the server is closed.
            ServerDiedError: when it died.
        """
        with self._lock:
            if self._is_closed:
                raise EOFError
            if self._can_fork and (self._process is None or self._process.poll() is not None):
                self._start_server()
            if self._can_fork:
                return self._fork()
            if self._process is not None and self._control is not None:  # it takes tasks itself
                first = self._process, self._control
                self._process = self._control = None
                return first
        process, connection = _interpreter("worker")
        _wait_for_imports(process, connection, self._imports)
        return process, connection

    def wait(self, worker: ForkedWorker) -> int:
        """Waits for the end of a worker, and returns its exit code."""
        with self._lock:
            if worker.parent is self._process:
                with contextlib.suppress(ServerDiedError):
                    return self._ask(worker.pid)
        return -signal.SIGKILL  # its server has died, and so has it

    def _start_server(self) -> None:
        if self._control is not None:
            self._control.close()
        self._is_importing = True
        self._process, self._control = process, _ = _interpreter("server")
        try:
            self._can_fork = _wait_for_imports(process, self._control, self._imports)
        except EOFError:
            raise ServerDiedError(process.wait()) from None
        except SeqtrainError:
            process.kill()
            process.wait()
            raise
        finally:
            self._is_importing = False

    def _fork(self) -> tuple[WorkerProcess, Connection]:
        ours, theirs = Pipe()
        with theirs:
            pid: int = self._ask(theirs)
        assert self._process is not None
        return ForkedWorker(self, self._process, pid), ours

    def _ask(self, request: int | Connection) -> int:
        """Asks the server for a worker at the other end of a connection, or for the exit code of one by its id."""
        assert self._process is not None and self._control is not None
        try:
            self._control.send(None if isinstance(request, Connection) else request)
            if isinstance(request, Connection):
                send_handle(self._control, request.fileno(), self._process.pid)
            answer: int = self._control.recv()
        except (EOFError, OSError):
            raise ServerDiedError(self._process.wait()) from None
        return answer


class ServerDiedError(ConnectionError):
    """The server has died.

    Args:
        code: Its exit code, or the negative number of the signal that killed it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class ForkedWorker:
    """A worker that a server has forked.

    Args:
        server: The server.
        parent: The server's process, whose child it is.
        pid: Its process id, which stays its own until `wait` has returned.
    """

    server: WorkerServer
    parent: subprocess.Popen[bytes]
    pid: int
    code: int | None = None

    def kill(self) -> None:
        """See `WorkerProcess`."""
        if self.code is None and self.parent.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """See `WorkerProcess`."""
        if self.code is None:
            self.code = self.server.wait(self)
        return self.code


def _interpreter(role: str) -> tuple[subprocess.Popen[bytes], Connection]:
    """A new interpreter that runs `worker_process.main`, and the connection to it."""
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, role, str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=2,  # stdout is reserved for the command's JSON document
            env=_environment(),
        )
    return process, ours


def _wait_for_imports(process: subprocess.Popen[bytes], connection: Connection, imports: Sequence[str]) -> bool:
    """Lets a new interpreter import what the sequence needs; returns whether it may be forked afterwards."""
    connection.send((sys.path, list(imports)))
    if not connection.poll(_START_S):
        process.kill()
        process.wait()
        raise WorkerError(
            f"a worker process has not started within {_START_S:g} seconds",
            fix="look for a hang in the files of `imports`",
        )
    answer = connection.recv()
    if isinstance(answer, SeqtrainError):
        raise answer
    return bool(answer)


def _environment() -> Mapping[str, str]:
    """The environment of a worker: it finds this package, does not use the GPU, and computes in one thread."""
    package = str(Path(seqtrain.__file__).parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **single,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's memory allocator; a thread would forbid to fork
    }
