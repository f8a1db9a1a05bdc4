"""The folder of a run: what it was made from, how it went, what came out.

    config.yaml    resolved; can be fed back
    meta.json      versions, git commit, devices, argv
    split.json     the samples of both sides, with a SHA-256
    history.csv    one line per epoch
    train.log      every message with its time
    result.json    what `fit --json` prints
    checkpoints/   last/ and best/, each with model.weights.h5
    plots/         curves

Files appear whole or not at all: each is written beside its name and renamed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from seqtrain import __version__
from seqtrain.config.dump import dump
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError, ResourceError, RunFolderBusyError
from seqtrain.splits import Split

_MOST_IN_JSON = 2_000_000
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "numpy", "opencv-python-headless", "simplejpeg", "pillow")


class RunFolder:
    """A run's folder.

    Args:
        path: The folder; made if it is not there.

    Raises:
        CheckpointError: when it cannot be used, or holds something else.
        RunFolderBusyError: when another run uses it.
        ResourceError: when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.exists() and any(path.iterdir()) and not (path / "config.yaml").exists():
                raise CheckpointError(
                    "holds something else than a run", where=path, fix="name a new or an empty folder with --run-dir"
                )
            for folder in (path / "checkpoints", path / "plots"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise (ResourceError if full else CheckpointError)(
                f"the run folder cannot be used: {error.strerror}", where=path, fix="name another with --run-dir"
            ) from error

    @classmethod
    def at_now(cls, config_path: Path) -> RunFolder:
        """A new folder `runs/<config's name>/<UTC time>/`."""
        parent = Path("runs", config_path.stem)
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        number = 0
        while (path := parent / (f"{name}-{number}" if number else name)).exists():
            number += 1
        return cls(path)

    @property
    def history(self) -> Path:
        """One line per epoch."""
        return self.path / "history.csv"

    @property
    def plots(self) -> Path:
        """The curves."""
        return self.path / "plots"

    @property
    def log(self) -> Path:
        """Every message with its time."""
        return self.path / "train.log"

    def _locked(self) -> int:
        """Locks the folder for as long as this process lives; the kernel gives a dead holder's lock back."""
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            raise RunFolderBusyError(
                "another process uses this run folder", where=self.path, received=holder or None
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"host {platform.node()}, process {os.getpid()}\n".encode())
        return descriptor

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            document: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot be read: {error}", where=path, fix="name another --run-dir") from error
        return document

    def checkpoint(self, name: str) -> Path:
        """The weights of a checkpoint: "last" or "best"."""
        folder = self.path / "checkpoints" / name
        folder.mkdir(exist_ok=True)
        return folder / "model.weights.h5"

    def read_result(self) -> dict[str, Any] | None:
        """What the run printed at its end, or None where it has not ended."""
        return self._read_json("result.json") if (self.path / "result.json").exists() else None

    def is_used(self) -> bool:
        """Whether a run got so far here that starting anew would lose something."""
        return self.history.exists() or (self.path / "result.json").exists()

    def check_same(self, config: RunConfig, split: Split) -> None:
        """Compares with the run that was made here before.

        Raises:
            CheckpointError: when that had another split or config.
        """
        kept = self._read_json("split.json")
        if "train" in kept:
            written = Split(*(np.asarray(kept[side], dtype=np.int64) for side in ("train", "val")))
            if written.fingerprint() != kept["sha256"]:
                raise CheckpointError(
                    "has been changed since it was written",
                    where=self.path / "split.json",
                    fix="bring it back, or name another --run-dir",
                )
        if kept["sha256"] != split.fingerprint():
            raise CheckpointError(
                "the run in this folder had another split: its samples, seed or shares were not the same",
                where=self.path / "split.json",
                expected=f"sha256 {kept['sha256']}: train {kept['num_train']}, val {kept['num_val']}",
                received=f"sha256 {split.fingerprint()}: train {len(split.train)}, val {len(split.val)}",
                fix="bring the data back to what it was, or name another --run-dir",
            )
        if (self.path / "config.yaml").read_text() != dump(config):
            raise CheckpointError(
                "the run in this folder had another config", where=self.path, fix="name another --run-dir"
            )

    def begin(self, config: RunConfig, split: Split, argv: Sequence[str]) -> None:
        """Writes what the run is made from."""
        self._write_split(split)
        self.write_json("meta.json", _meta(argv))
        self.write("config.yaml", dump(config))

    def _write_split(self, split: Split) -> None:
        """The samples of both sides; of more than some million, which JSON holds badly, in arrays beside it."""
        document: dict[str, Any] = {
            "sha256": split.fingerprint(),
            "num_train": len(split.train),
            "num_val": len(split.val),
        }
        if len(split.train) + len(split.val) > _MOST_IN_JSON:
            np.savez(self.path / "split.npz", train=split.train, val=split.val)
            document["samples"] = "split.npz"
        else:
            document |= {"train": split.train.tolist(), "val": split.val.tolist()}
        self.write_json("split.json", document, indent=None)

    def add_devices(self, backend: str, devices: Sequence[str]) -> None:
        """Completes meta.json with what is known once Keras is loaded."""
        meta = self._read_json("meta.json")
        self.write_json("meta.json", {**meta, "backend": backend, "devices": list(devices)})

    def write_json(self, name: str, document: Any, indent: int | None = 2) -> None:
        """Writes a JSON file whole or not at all."""
        self.write(name, json.dumps(document, indent=indent) + "\n")

    def write(self, name: str, text: str) -> None:
        """Writes a text file whole or not at all."""
        path = self.path / name
        unfinished = path.with_name(f".{name}.unfinished")
        try:
            unfinished.write_text(text)
            unfinished.replace(path)
        except OSError as error:
            raise ResourceError(f"cannot be written: {error.strerror}", where=path) from error


def _meta(argv: Sequence[str]) -> dict[str, Any]:
    return {
        "seqtrain": __version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "hostname": platform.node(),
        "cpus": os.cpu_count(),
        "git_commit": _git_commit(),
        "argv": list(argv),
        "executable": sys.executable,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of the folder that the run was started in, where it is a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
