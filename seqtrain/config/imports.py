"""Imports the user's own Python files and modules, which register their components when they are imported."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path

from seqtrain.errors import IMPORT_FAILED, ConfigError, SeqtrainError, did_you_mean
from seqtrain.user_files import load_file


def import_module_or_file(name: str, folder: Path, place: str) -> str:
    """Imports a Python file (`./my_sequences.py`) or an installed module (`my_package.sequences`).

    A file becomes a module whose name depends only on its path, so that worker processes can import it too; its folder
    is added to the search path for its own imports. A file that is already loaded is not loaded again.

    Returns:
        The file's absolute path, or the module's name.

    Raises:
        ConfigError: when it cannot be found or imported; shows the line of the user's file that failed.
    """
    if not name.endswith(".py") and "/" not in name:
        _run(name, place, lambda: importlib.import_module(name))
        return name
    path = Path(folder, name).resolve()
    if not path.is_file():
        siblings = (file.name for file in path.parent.glob("*.py"))
        raise ConfigError(
            f"imports: no such file: {path}",
            where=place,
            fix=did_you_mean(path.name, siblings) or "mend the path",
            code=IMPORT_FAILED,
        )
    _run(str(path), place, lambda: load_file(path))
    return str(path)


def _run(name: str, place: str, load: Callable[[], object]) -> None:
    try:
        load()
    except SeqtrainError as error:
        raise ConfigError(f"imports: {name}: {error.mistakes[0].message}", where=place, code=IMPORT_FAILED) from error
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((f for f in reversed(frames) if f.filename == name), frames[-1])
        line = f"{frame.filename}:{frame.lineno}"
        if isinstance(error, SyntaxError) and error.filename:
            line = f"{error.filename}:{error.lineno}"
        raise ConfigError(
            f"imports: {name} cannot be imported",
            where=place,
            received=f"{type(error).__name__}: {error} ({line})",
            fix="mend the file; `python FILE` shows the whole traceback",
            code=IMPORT_FAILED,
        ) from error
