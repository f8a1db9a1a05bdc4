"""The folder of a run, and its files.

    config.yaml       the resolved config of the last start, which `fit` accepts again
    meta.json         versions, git commit, devices and argv of the first start; "resumed" lists the later starts
    split.json        the samples of both sides, with their SHA-256 and that of the data
    fitted.json       scales and vocabularies that were fitted on the training samples, if the sequence fits any
    history.csv       one line per epoch
    metrics.jsonl     the same, one JSON document per line
    bad_samples.csv   samples that were skipped
    train.log         every message with its time
    result.json       what `fit --json` prints
    checkpoints/      last and best among them
    plots/            curves

Files are written atomically. When a run starts, config.yaml is written last, so if it exists, the others do too.
Nothing is read or written before the folder is locked.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from seqtrain.config.diff import Difference, differences
from seqtrain.config.dump import dump
from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import RunConfig
from seqtrain.errors import CheckpointError, ResourceError
from seqtrain.files import atomic_write, is_unfinished, sync_folder
from seqtrain.loading.preprocessing_state import FITTED, data_record, read_document, require_same_data
from seqtrain.splits import Split
from seqtrain.text import listed
from seqtrain.training.folder_lock import FolderLock
from seqtrain.training.provenance import provenance, resumption

if TYPE_CHECKING:
    from seqtrain.loading.pipeline import Data

log = logging.getLogger("seqtrain")
_MAX_IN_JSON = 2_000_000
_LOCK = ".seqtrain.lock"
_FOLDERS = ("checkpoints", "plots")
_BEFORE_CONFIG = {  # files that a killed start may leave behind
    *(_LOCK, "split.json", "split.npz", "fitted.json", "meta.json", "train.log")
}


class RunFolder:
    """A locked run folder, which no other process can use until this process ends or calls `close`.

    Args:
        path: The folder; created if it does not exist.

    Raises:
        CheckpointError: when it cannot be used, or holds other files than those of a run.
        RunFolderBusyError: when another run uses it.
        ResourceError: when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history, self.metrics = path / "history.csv", path / "metrics.jsonl"
        self.bad_samples, self.log = path / "bad_samples.csv", path / "train.log"
        self.checkpoints, self.plots = path / "checkpoints", path / "plots"
        with _usable(path):
            path.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(path / _LOCK)
            try:
                self._require_own()
                for leftover in filter(is_unfinished, path.iterdir()):
                    leftover.unlink()
                for folder in _FOLDERS:
                    (path / folder).mkdir(exist_ok=True)
            except BaseException:
                self._lock.close()
                raise

    @classmethod
    def create(cls, config_path: Path) -> RunFolder:
        """A new folder `runs/<config's name>/<UTC time>/`."""
        parent = Path("runs", config_path.stem)
        name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        with _usable(parent):
            parent.mkdir(parents=True, exist_ok=True)
            for number in itertools.count():
                path = parent / (f"{name}-{number}" if number else name)
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
                    break
        return cls(path)

    def close(self) -> None:
        """Unlocks the folder before this process ends."""
        self._lock.close()

    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / "config.yaml").exists()

    def read_result(self) -> dict[str, Any] | None:
        """The result of the run; None if it has not ended, or its file is damaged."""
        if not (self.path / "result.json").exists():
            return None
        try:
            return self._read_json("result.json")
        except CheckpointError as error:
            log.warning("%s: %s; it is written anew", self.path / "result.json", error.mistakes[0].message)
            return None

    def begin(self, config: RunConfig, data: Data, argv: Sequence[str]) -> None:
        """Writes config, split and versions, and removes files of an earlier start that saved no checkpoint.

        Args:
            config: The run's config.
            data: The run's data.
            argv: The command.
        """
        for leftover in (self.bad_samples, self.path / FITTED):
            leftover.unlink(missing_ok=True)
        self._write_split(data)
        if fitted := data.train.fitted():
            self.write_json(FITTED, fitted)
        self.write_json("meta.json", provenance(argv))
        self.write("config.yaml", dump(config))

    def resume(self, config: RunConfig) -> None:
        """Writes the config that the run is resumed with, and removes the result.

        The result is removed first: a process that is killed in between leaves an unfinished run, which can be resumed.
        """
        try:
            (self.path / "result.json").unlink(missing_ok=True)
            sync_folder(self.path)
        except OSError as error:
            raise ResourceError(f"cannot be removed: {error.strerror}", where=self.path / "result.json") from error
        self.write("config.yaml", dump(config))

    def check_same(self, loaded: LoadedConfig, data: Data) -> list[Difference]:
        """Compares config and data with those that the run was started with.

        Args:
            loaded: The current config.
            data: The current data.

        Returns:
            The allowed differences of the config.

        Raises:
            CheckpointError: when there are other differences, or the data or the split has changed.
        """
        forbidden, allowed = differences(self.path / "config.yaml", loaded)
        if forbidden:
            raise CheckpointError(difference.mistake() for difference in forbidden)
        require_same_data(self.path, data, "name another --run-dir")
        self._require_same_split(self._read_json("split.json"), data.split)
        return allowed

    def add_resumption(self, argv: Sequence[str], changed: Sequence[Difference] = ()) -> None:
        """Adds to meta.json that the run is resumed.

        Args:
            argv: The command.
            changed: The differences of the config.
        """
        meta = self._meta() or provenance(argv)
        resumed = [*meta.get("resumed", ()), resumption(argv, list(map(str, changed)))]
        self.write_json("meta.json", {**meta, "resumed": resumed})

    def add_devices(self, backend: str, devices: Sequence[str]) -> None:
        """Adds the devices to the entry of this start in meta.json, after Keras is imported."""
        meta = self._meta()
        (meta["resumed"][-1] if meta.get("resumed") else meta).update(backend=backend, devices=list(devices))
        self.write_json("meta.json", meta)

    def write_json(self, name: str, document: Any, indent: int | None = 2) -> None:
        """Writes a JSON file atomically."""
        self.write(name, json.dumps(document, indent=indent) + "\n")

    def write(self, name: str, text: str) -> None:
        """Writes a text file atomically."""
        self._write(name, lambda file: file.write(text.encode()))

    def _write(self, name: str, fill: Callable[[BinaryIO], object]) -> None:
        path = self.path / name
        try:
            with atomic_write(path) as file:
                fill(file)
            sync_folder(self.path)
        except OSError as error:
            raise ResourceError(f"cannot be written: {error.strerror}", where=path) from error

    def _require_own(self) -> None:
        """Raises an error if the folder holds files that no run, and no start that was killed early, has written."""
        if self.holds_run():
            return
        foreign = sorted(entry.name for entry in self.path.iterdir() if not _is_left_by_start(entry))
        if foreign:
            (self.path / _LOCK).unlink()  # no run will be resumed here
            raise CheckpointError(
                "holds something else than a run, or a run without its config.yaml",
                where=self.path,
                received=listed(foreign, 5, rest=", ..."),
                fix="name a new or an empty folder with --run-dir",
            )

    def _require_same_split(self, kept: dict[str, Any], split: Split) -> None:
        path = self.path / "split.json"
        if not _is_as_written(kept):
            raise CheckpointError(
                "has been changed since it was written", where=path, fix="bring it back, or name another --run-dir"
            )
        if kept["sha256"] != split.fingerprint():
            raise CheckpointError(
                "the run in this folder had another split: its samples, seed or shares were not the same",
                where=path,
                expected=f"sha256 {kept['sha256']}: train {kept.get('num_train')}, val {kept.get('num_val')}",
                received=f"sha256 {split.fingerprint()}: train {len(split.train)}, val {len(split.val)}",
                fix="bring the data back to what it was, or name another --run-dir",
            )

    def _write_split(self, data: Data) -> None:
        """Writes the samples of both sides to split.json; more than two million go to split.npz."""
        split = data.split
        document = {"sha256": split.fingerprint(), "num_train": len(split.train), "num_val": len(split.val)}
        document |= data_record(data)
        if len(split.train) + len(split.val) > _MAX_IN_JSON:
            self._write("split.npz", lambda file: np.savez(file, train=split.train, val=split.val))
            document["samples"] = "split.npz"
        else:
            document |= {"train": split.train.tolist(), "val": split.val.tolist()}
        self.write_json("split.json", document, indent=None)

    def _meta(self) -> dict[str, Any]:
        """The content of meta.json; a damaged file is replaced, since nothing depends on it."""
        try:
            return self._read_json("meta.json")
        except CheckpointError as error:
            log.warning("%s: %s; it is begun anew", self.path / "meta.json", error.mistakes[0].message)
            return {}

    def _read_json(self, name: str) -> dict[str, Any]:
        return read_document(self.path / name, fix="name another --run-dir")


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    """Raises an error with the reason if a folder cannot be used."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (ResourceError if full else CheckpointError)(
            f"the run folder cannot be used: {error.strerror}", where=path, fix="name another with --run-dir"
        ) from error


def _is_left_by_start(entry: Path) -> bool:
    if entry.name in _FOLDERS and entry.is_dir():
        return not any(entry.iterdir())
    return entry.name in _BEFORE_CONFIG or is_unfinished(entry)


def _is_as_written(kept: dict[str, Any]) -> bool:
    """Whether the samples in split.json match its SHA-256."""
    if "train" not in kept:
        return "sha256" in kept
    try:
        written = Split(*(np.asarray(kept[side], dtype=np.int64) for side in ("train", "val")))
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    return written.fingerprint() == kept.get("sha256")
