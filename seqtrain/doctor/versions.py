"""Checks the versions of Python and of packages against the project's requirements."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from seqtrain import __version__
from seqtrain.doctor.finding import Finding, finding_of
from seqtrain.training.provenance import version_of

_SAME = {  # distributions that contain the same modules: one is enough, and two overwrite each other's files
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"),
    "opencv-python-headless": ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless"),
}
_EXTRAS = {"jax": "jax", "nibabel": "nifti", "h5py": "hdf5"}
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[^]]*\])?>=([\d.]+)")


def versions() -> Iterator[Finding]:
    """Checks Python, the required packages, and the optional ones."""
    yield Finding("versions", "python", "ok", f"{platform.python_version()} ({sys.executable})")
    yield Finding("versions", "seqtrain", "ok", __version__)
    for requirement in metadata.requires("seqtrain") or ():
        match = _REQUIREMENT.fullmatch(requirement)
        if match is not None:
            yield check_package(match[1], match[2])
    for package, extra in _EXTRAS.items():
        version = version_of(package)
        message = version or f"not installed; pip install 'seqtrain[{extra}]' where it is needed"
        yield Finding("versions", package, "ok", message)


def check_package(package: str, oldest: str) -> Finding:
    """Checks a required package.

    Args:
        package: The name of the distribution.
        oldest: The oldest supported version.
    """
    installed = {name: version for name in _SAME.get(package, (package,)) if (version := version_of(name))}
    short = package.removesuffix("-python-headless")
    if not installed:
        if package == "tensorflow" and os.environ.get("KERAS_BACKEND", package) != package:
            return Finding("versions", short, "ok", "not installed; KERAS_BACKEND names another backend")
        return Finding("versions", short, "problem", "not installed", f"pip install '{package}>={oldest}'")
    message = ", ".join(version if name == package else f"{version} ({name})" for name, version in installed.items())
    if len(installed) > 1:
        fix = f"pip uninstall -y {' '.join(installed)} && pip install '{package}>={oldest}'"
        return Finding("versions", short, "warning", f"{' and '.join(installed)} overwrite each other's files", fix)
    name, version = next(iter(installed.items()))
    is_old = _numbers(version) < _numbers(oldest)
    message += f"; {oldest} is needed" if is_old else ""
    return finding_of("versions", short, message, f"pip install '{name}>={oldest}'", problem=is_old)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
