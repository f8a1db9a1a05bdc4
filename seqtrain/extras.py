"""Packages that only some data needs: imported when it is used, and named with their extra where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from seqtrain.errors import ConfigError


def require(package: str, extra: str, what: str) -> Any:
    """Imports a package of an extra.

    Args:
        package: To import, such as "nibabel".
        extra: Of the project, that installs it.
        what: What needs it, for the message: "NIfTI files".

    Raises:
        ConfigError: when it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package.partition(".")[0]:
            raise
        raise ConfigError(
            f"{what} need the package {package}, which is not installed", fix=f"pip install 'seqtrain[{extra}]'"
        ) from error
