"""Disks that change what was written, and disks that take no more."""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.lab import Lab, Start, Tally

_FILES = ("model.weights.h5", "state.npz", "state.json", "manifest.json")
_LARGEST_FILE = 150_000  # bytes: less than a checkpoint's, more than any other file of a run
_INTERRUPTED = {"moment": {"at": "train_batch_end", "epoch": 2, "batch": 4, "do": "SIGKILL"}}
PUT_ASIDE = "corrupt and put aside"
SAVE_FAILED = "could not be saved"

Harm = Callable[[Path], object]


def corrupt_checkpoints(lab: Lab) -> Tally:
    """A byte flipped, a file cut, gone or of another checkpoint: in the last one, and in all."""
    interrupted = lab.path / "interrupted"
    code = Start(interrupted, _INTERRUPTED).wait()
    if code != -signal.SIGKILL:
        raise RuntimeError(f"{interrupted}: ended with {code}")
    cases = [(f"{verb}-{name}", name, harm) for verb, harm in _HARMS.items() for name in _FILES]
    found = lab.map(lambda case: _corrupt_last(lab, interrupted, *case), cases)
    return found + lab.map(lambda case: _corrupt_all(lab, interrupted, *case), cases[::5])


def _corrupt_last(lab: Lab, interrupted: Path, case: str, name: str, harm: Harm) -> Tally:
    folder, tally = lab.path / f"corrupt-{case}", Tally()
    shutil.copytree(interrupted, folder, symlinks=True)
    harm(checkpoints(folder)[-1] / name)
    start = Start(folder)
    code = start.wait()
    if code != 0 or PUT_ASIDE not in start.err:
        tally.add(f"{folder}: ended with {code}: {start.err[-500:]}")
    else:
        tally.add(lab.difference(folder))
    return tally


def _corrupt_all(lab: Lab, interrupted: Path, case: str, name: str, harm: Harm) -> Tally:
    """With nothing left to go on from, a run says so and touches nothing."""
    folder, tally = lab.path / f"all-corrupt-{case}", Tally()
    shutil.copytree(interrupted, folder, symlinks=True)
    for checkpoint in reversed(checkpoints(folder)):
        harm(checkpoint / name)
    start = Start(folder)
    code = start.wait()
    tally.add(None if code == 4 else f"{folder}: ended with {code}, not 4: {start.err[-500:]}")
    return tally


def full_disk(lab: Lab) -> Tally:
    """Saves that fail, each at another of its calls; all saves; files that may not grow, for a while or for ever."""
    found = lab.map(lambda name: _failing_saves(lab, name), ("ENOSPC", "EIO", "EACCES"))
    return found + _never_saved(lab) + _limited(lab) + _limited_for_a_while(lab)


def _failing_saves(lab: Lab, name: str) -> Tally:
    """The n-th call of the n-th save fails, with n from 1 to more than a save has calls."""
    folder, tally = lab.path / f"disk-{name}", Tally()
    start = Start(folder, {"save": {"number": "call", "do": name}})
    code = start.wait()
    failed = start.err.count(SAVE_FAILED)
    if code != 0 or failed < 5:
        tally.add(f"{folder}: ended with {code} after {failed} failed saves: {start.err[-500:]}")
    else:
        tally.add(lab.difference(folder), failed)
    return tally


def _never_saved(lab: Lab) -> Tally:
    folder = lab.path / "disk-never"
    return _ends_with_6(Start(folder, {"save": {"do": "ENOSPC"}}))


def _limited(lab: Lab) -> Tally:
    # Without Keras's ModelCheckpoint, whose HDF5 file ends the process by a segmentation fault where the disk is full.
    arguments = ["-s", "callbacks=[faulty]"]
    return _ends_with_6(Start(lab.path / "file-size", arguments=arguments, before=_limit_file_size))


def _limited_for_a_while(lab: Lab) -> Tally:
    folder, tally = lab.path / "file-size-for-a-while", Tally()
    start = Start(folder, before=_limit_file_size)
    failed = start.said_at(SAVE_FAILED)
    start.lift_file_size_limit()
    code = start.wait()
    if code != 0 or failed is None:
        tally.add(f"{folder}: ended with {code}: {start.err[-500:]}")
    else:
        tally.add(lab.difference(folder))
    return tally


def _ends_with_6(start: Start) -> Tally:
    tally, code = Tally(), start.wait()
    right = code == 6 and SAVE_FAILED in start.err
    tally.add(None if right else f"{start.folder}: ended with {code}, not 6: {start.err[-500:]}")
    return tally


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE, resource.RLIM_INFINITY))


def checkpoints(folder: Path) -> list[Path]:
    """Oldest first, as far as a resumption looks."""
    found = [path for path in folder.glob("checkpoints/step-*") if path.is_dir()]
    return sorted(found, key=lambda path: [int(part) for part in path.name.split("-")[1:]])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _mix(path: Path) -> None:
    """Puts the file of another checkpoint in its place; of the only one, its own twice."""
    others: Iterator[Path] = (each / path.name for each in checkpoints(path.parents[2]) if each != path.parent)
    content = next(others).read_bytes()
    path.write_bytes(content if content != path.read_bytes() else content + content)


_HARMS: dict[str, Harm] = {"flip": flip, "cut": _cut, "remove": Path.unlink, "mix": _mix}
