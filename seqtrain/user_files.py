"""Loads the user's Python files as modules, in the main process and in worker processes."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

IMPORT_PREFIX = "seqtrain_import_"  # of the names of modules that are users' files


def load_file(path: Path) -> None:
    """Loads a Python file as a module, once."""
    module_name = f"{IMPORT_PREFIX}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if module_name in sys.modules:
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
