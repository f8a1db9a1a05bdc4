"""Starts the command line, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from seqtrain import __version__
from seqtrain.cli.options import print_json
from seqtrain.console import outlive_terminal, write_above_bars
from seqtrain.errors import ConfigError, Mistake, ResourceError, SeqtrainError

_MAX_SHOWN = 20  # mistakes that are printed

app = typer.Typer(
    name="seqtrain",
    help="Train Keras models from the command line on data that does not fit in memory.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Show what a config means.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(config_app, name="config")
runs_app = typer.Typer(
    help="Show runs: those that there are, one, several side by side.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(runs_app, name="runs")


def main() -> None:
    """Runs the command line; a `SeqtrainError` ends it with its exit code.

    However a command ends, with `--json` there is one document on stdout.
    """
    outlive_terminal()
    try:
        app(prog_name="seqtrain")
    except SystemExit as end:
        _silence_libraries()
        reason = end.__context__
        if isinstance(reason, BrokenPipeError):  # Click would exit with 1, the code of a bug
            sys.exit(128 + signal.SIGPIPE)
        format_message = getattr(reason, "format_message", None)
        if format_message is not None:  # a usage error of Click
            _print_failure(ConfigError.exit_code, [Mistake(format_message(), code="usage")])
        elif reason is not None and isinstance(reason.__cause__, KeyboardInterrupt):
            _print_failure(128 + signal.SIGINT, [Mistake("stopped by SIGINT", code="interrupted")], "interrupted")
        raise
    except SeqtrainError as error:
        _end(error)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _end(ResourceError(f"the disk is full: {error.strerror}", where=error.filename, fix="free the disk"))
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            _end(ConfigError(f"cannot be written: {error.strerror}", where=error.filename, fix="name another place"))
        _print_bug(error)
        raise
    except Exception as error:
        _print_bug(error)
        raise


def _silence_libraries() -> None:
    """Discards stderr for the rest of the process, since TensorFlow warns about iterators at interpreter shutdown."""
    if "keras" in sys.modules:
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _end(error: SeqtrainError) -> NoReturn:
    typer.echo(format_error(error), err=True)
    _print_failure(error.exit_code, error.mistakes, getattr(error, "status", "failed"))
    logging.getLogger("seqtrain").debug("%s", error, exc_info=True)
    _silence_libraries()
    sys.exit(error.exit_code)


def _print_failure(exit_code: int, mistakes: Sequence[Mistake], status: str = "failed") -> None:
    if "--json" in sys.argv:
        print_json({"status": status, "exit_code": exit_code, "mistakes": [asdict(each) for each in mistakes]})


def _print_bug(error: Exception) -> None:
    _print_failure(1, [Mistake(f"{type(error).__name__}: {error}", code="bug")])


def format_error(error: SeqtrainError) -> str:
    """An error as text: its first mistakes, and the number of all."""
    count = len(error.mistakes)
    lines = list(map(str, error.mistakes[:_MAX_SHOWN]))
    lines += [f"and {count - _MAX_SHOWN} more; --json has them all"] * (count > _MAX_SHOWN)
    return "\n".join([*lines, *([f"{count} mistakes"] if count > 1 else [])])


def _version(value: bool) -> None:
    if value:
        typer.echo(f"seqtrain {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    console = logging.StreamHandler(_Stderr())
    console.setLevel(logging.INFO)
    logger = logging.getLogger("seqtrain")
    logger.setLevel(logging.DEBUG)
    logger.handlers = [console]


class _Stderr:
    """The current `sys.stderr`; text is written above the progress bars."""

    def write(self, text: str) -> None:
        write_above_bars(text)

    def flush(self) -> None:
        sys.stderr.flush()
