"""Writes checkpoints to disk atomically, and verifies their hashes before they are loaded.

    checkpoints/
      step-00000120/      one checkpoint: its files, and manifest.json with the size and SHA-256 of each
      last -> step-…      links for users; `load` takes the newest valid folder
      best -> step-…
      corrupt-step-…/     a checkpoint that failed verification

A checkpoint is written to a folder with a temporary name, synced file by file, and renamed; then each link is replaced
by one rename; then old checkpoints are removed, except for the one before the last. If the process is killed or the
disk fills up between any two of these steps, the previous checkpoints are unchanged, and the next start removes
leftovers.

A failed write is an `OSError`, which the caller handles.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqtrain.errors import CheckpointError
from seqtrain.files import sync_folder

_MANIFEST = "manifest.json"
_FORMAT = 1
_NAME = re.compile(r"step-(\d{8,})(?:-(\d+))?")
_UNFINISHED, _REMOVED, _CORRUPT = ".unfinished-", ".removed-", "corrupt-"
_KEPT = 2

Content = bytes | memoryview
log = logging.getLogger("seqtrain")


@dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint on disk whose files match the hashes in its manifest.

    Args:
        path: Its folder.
        about: The further facts in its manifest, as passed to `commit`.
    """

    path: Path
    about: dict[str, Any]

    @property
    def epoch(self) -> int:
        """The epoch in or after which it was saved, from 0."""
        return int(self.about["epoch"]) - (0 if self.about["batch"] else 1)


class CheckpointStore:
    """The checkpoints of one run; the caller must hold the run folder's lock.

    Args:
        path: The folder of the checkpoints; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def commit(self, step: int, files: Mapping[str, Content], about: Mapping[str, Any], *, best: str | None) -> str:
        """Writes a checkpoint, and makes the link `last` point to it.

        Args:
            step: The run's step, for the folder's name.
            files: The contents by file name.
            about: Further facts for the manifest.
            best: The name of the best checkpoint; "" for this one, None for none.

        Returns:
            The name of the checkpoint's folder.

        Raises:
            OSError: when it cannot be written, as on a full disk; the previous checkpoints are unchanged.
        """
        self.sweep()
        name = self._free_name(step)
        best = name if best == "" else best
        unfinished = self.path / f"{_UNFINISHED}{name}"
        try:
            unfinished.mkdir()
            entries = {file: _write(unfinished / file, content) for file, content in files.items()}
            manifest = {"format": _FORMAT, "name": name, "best": best, "files": entries, **about}
            _write(unfinished / _MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
            sync_folder(unfinished)
            unfinished.rename(self.path / name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        self._link("last", name)
        if best is not None and (self.path / best).is_dir():
            self._link("best", best)
        sync_folder(self.path)
        self._prune()
        return name

    def load(self) -> CheckpointInfo | None:
        """The newest valid checkpoint; corrupt ones are renamed, with a warning.

        Returns:
            None if no checkpoint was ever written.

        Raises:
            CheckpointError: when all checkpoints are corrupt.
        """
        self.sweep()
        for name in reversed(self._names()):
            reason = find_flaw(self.path / name)
            if reason is None:
                return CheckpointInfo(self.path / name, _manifest(self.path / name))
            log.warning("%s is corrupt and put aside: %s; the checkpoint before it is used", self.path / name, reason)
            aside = self.path / f"{_CORRUPT}{name}"
            if aside.exists():
                shutil.rmtree(aside)
            (self.path / name).rename(aside)
        if self.was_used():
            raise CheckpointError(
                "every checkpoint of this run is corrupt",
                where=self.path,
                fix="bring one back from a copy, or begin anew in another --run-dir",
            )
        return None

    def is_empty(self) -> bool:
        """Whether there is no checkpoint."""
        return not self._names()

    def was_used(self) -> bool:
        """Whether there is a checkpoint, valid or corrupt."""
        return not self.is_empty() or any(self.path.glob(f"{_CORRUPT}*"))

    def sweep(self) -> None:
        """Removes leftovers of interrupted writes and removals."""
        for pattern in (f"{_UNFINISHED}*", f"{_REMOVED}*"):
            for leftover in self.path.glob(pattern):
                _remove(leftover)

    def link_best(self, name: str | None) -> None:
        """Sets the link `best` to the checkpoint that was best when the resumed checkpoint was saved."""
        with contextlib.suppress(OSError):
            if name is not None and (self.path / name).is_dir():
                self._link("best", name)
            elif name is None:
                (self.path / "best").unlink(missing_ok=True)

    def _names(self) -> list[str]:
        """The checkpoints, oldest first."""
        found = [(match, path.name) for path in self._folders() if (match := _NAME.fullmatch(path.name))]
        return [name for _, name in sorted(found, key=lambda each: (int(each[0][1]), int(each[0][2] or 0)))]

    def _folders(self) -> Iterator[Path]:
        return (path for path in self.path.glob("step-*") if path.is_dir() and not path.is_symlink())

    def _free_name(self, step: int) -> str:
        """A new folder name for the step, which sorts after all existing names of that step."""
        names = (path.name.removeprefix(_CORRUPT) for path in self.path.iterdir())
        matches = [match for name in names if (match := _NAME.fullmatch(name)) and int(match[1]) == step]
        number = max((int(match[2] or 0) for match in matches), default=-1) + 1
        return f"step-{step:08d}-{number}" if number else f"step-{step:08d}"

    def _link(self, link: str, name: str) -> None:
        path, unfinished = self.path / link, self.path / f"{_UNFINISHED}{link}"
        unfinished.symlink_to(name)
        if path.is_dir() and not path.is_symlink():  # a copy of the run folder, made with links followed
            path.rename(self.path / f"{_REMOVED}{link}")
        unfinished.replace(path)

    def _prune(self) -> None:
        """Removes all checkpoints but the newest two and the best; a folder is renamed before its files are removed."""
        names = self._names()
        kept: set[str | None] = set(names[-_KEPT:])
        for name in names[-_KEPT:]:
            with contextlib.suppress(OSError, ValueError):
                kept.add(_manifest(self.path / name).get("best"))
        for name in names:
            if name not in kept:
                removed = self.path / f"{_REMOVED}{name}"
                (self.path / name).rename(removed)
                _remove(removed)


def stored_checkpoint(path: Path, which: Literal["best", "last"]) -> CheckpointInfo:
    """A checkpoint to read from, of a run that may still be training.

    Args:
        path: The folder of the checkpoints.
        which: The checkpoint of the best epoch, or the last one.

    Raises:
        CheckpointError: when it does not exist, or is corrupt.
    """
    folder = (path / which).resolve()
    if not folder.is_dir():
        raise CheckpointError(
            f"the run has no {which} checkpoint",
            where=path,
            fix="train it for an epoch" if which == "last" else "ask for the last one, or train it for an epoch",
        )
    reason = find_flaw(folder)
    if reason is not None:
        if folder != (path / which).resolve():  # the run, which is still training, has replaced and removed it
            return stored_checkpoint(path, which)
        is_last = folder == (path / "last").resolve()
        other = "" if is_last else ", or ask for the last one"
        fix = f"bring it back from a copy{other}"
        raise CheckpointError(f"the {which} checkpoint is corrupt: {reason}", where=folder, fix=fix)
    return CheckpointInfo(folder, _manifest(folder))


def _write(path: Path, content: Content) -> dict[str, Any]:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / _MANIFEST).read_text())
    if not isinstance(manifest, dict):
        raise ValueError("manifest.json holds no mapping")
    return manifest


def find_flaw(folder: Path) -> str | None:
    """What is wrong with a checkpoint, as text; None if it is valid."""
    try:
        manifest = _manifest(folder)
        if manifest["format"] != _FORMAT or manifest["name"] != folder.name:
            return f"its manifest is that of {manifest['name']}, format {manifest['format']}"
        for name, entry in manifest["files"].items():
            with (folder / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size != entry["size"]:
                    return f"{name} has {size} bytes where {entry['size']} were written"
                if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                    return f"{name} has changed since it was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except PermissionError as error:
        raise CheckpointError("cannot be read: permission denied", where=error.filename) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return None
