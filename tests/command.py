"""The command line in a process of its own, which has TensorFlow already.

To import TensorFlow takes longer than most of what the tests do with it, and so does to parse what Keras offers. So one
process does that, once, and is forked for each command before anything in it has run.
"""

import multiprocessing
import os
import sys
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])


def run(arguments, cwd, environment, folder, timeout_s):
    """Runs a command; a run draws no plots when it ends, which takes longer than most of these train.

    Args:
        arguments: Its words.
        cwd: The folder that it starts in.
        environment: Its variables; those that TensorFlow reads as it is imported come too late.
        folder: Where `out` and `err` are to lie, what it writes.
        timeout_s: How long it may take.

    Returns:
        Its exit code; that of SIGKILL where it took longer.
    """
    process = start(arguments, cwd, environment, folder)
    process.join(timeout_s)
    process.kill()
    process.join()
    return process.exitcode


def start(arguments, cwd, environment, folder):
    """Starts a command, and does not wait for it; the arguments are those of `run`.

    Returns:
        The process: a `multiprocessing.Process`.
    """
    process = _CONTEXT.Process(target=_run, args=(arguments, cwd, environment, folder))
    process.start()
    return process


def _run(arguments, cwd, environment, folder):
    from seqtrain.cli import main
    from seqtrain.training import run

    run.draw_final_plots = lambda *arguments: None
    for descriptor, name in ((1, "out"), (2, "err")):
        with Path(folder, name).open("w") as file:
            os.dup2(file.fileno(), descriptor)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["seqtrain", *arguments]
    main()
