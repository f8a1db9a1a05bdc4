"""The folder that the commands run in, and the commands themselves, with what differs from run to run taken out."""

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import command

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 600

VOLATILE = {"samples_per_s", "data_wait", "ms", "duration_s", "starts", "machine", "log", "bytes"}
"""Keys of documents and columns of tables that tell of times, of speeds and of this machine."""

STATUS = {"listing the samples", "starting Keras", "building the model", "drawing the plots"}


@dataclass
class Done:
    """A command that has ended, without what differs from run to run."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed as JSON."""
        return without_times(json.loads(self.out)) if self.out.strip() else None


class Workplace:
    """A folder with copies of the configs and of the sample data, so that no path depends on the checkout."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="seqtrain-record-")).resolve()
        for name in ("configs", "data_samples"):
            shutil.copytree(ROOT / name, self.folder / name)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SEQTRAIN_", "KERAS_"))},
            **{"LINES": "40", "NO_COLOR": "1", "TERM": "dumb", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
            **{"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"},
        }

    @property
    def configs(self) -> list[Path]:
        return sorted((self.folder / "configs").glob("*.yaml"))

    def seqtrain(self, *words: object, cwd: Path | None = None, columns: int = 400) -> Done:
        """Runs the command line; a line so long that no path is cut where it is wrapped."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {**self.environment, "COLUMNS": str(columns)}
            code = command.run([*map(str, words)], cwd or self.folder, environment, folder, TIMEOUT_S)
            out, err = ((Path(folder) / name).read_bytes().decode(errors="replace") for name in ("out", "err"))
        return Done(code, self.plain(out), self.plain(err))

    def plain(self, text: str) -> str:
        """Text without the paths of this machine and this checkout; folders of a cache are named after paths too."""
        text = text.replace(str(self.folder), "<work>").replace(str(ROOT), "<tree>")
        return re.sub(r"/[0-9a-f]{16}\b", "/<digest>", text)

    def plain_bytes(self, content: bytes) -> bytes:
        """The same for the content of a file."""
        return content.replace(str(self.folder).encode(), b"<work>")

    def remove(self) -> None:
        shutil.rmtree(self.folder)


def without_times(value: Any) -> Any:
    """A document without times and speeds, and without the lines of code in a traceback."""
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [without_times(item) for item in value]
    return value.rpartition("\n")[2] if isinstance(value, str) and "Traceback" in value else value


def steady(text: str) -> str:
    """What people read, without times and without what is told only of what takes long."""
    lines = [line for line in text.splitlines() if line not in STATUS]
    return "\n".join(re.sub(r"\b\d+(\.\d+)? ?(ms|s|min)\b", "<time>", line) for line in lines)
