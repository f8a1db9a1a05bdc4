"""Imports optional packages when they are needed; if one is missing, the error names the extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from seqtrain.errors import ConfigError


def require(package: str, extra: str, what: str) -> Any:
    """Imports a package of an extra.

    Args:
        package: The package to import, such as "nibabel".
        extra: The project's extra that installs it.
        what: The feature that needs it, for the message: "NIfTI files".

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
