"""What the tests share: where things are, and the command line as a subprocess."""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from seqtrain.registry import FAMILIES
from tests import command

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs"
DATA = ROOT / "data_samples"


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def pytest_configure():
    """Has the many processes that the tests start compile the package once, and not each for itself."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The tests' imports are no garbage, so nothing looks for any among them, then or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)  # a traced function makes many objects, and frees them itself


def seqtrain(*arguments, cwd=None, env=None):
    """Runs the command line in a process that has TensorFlow already; runs draw no plots at their end."""
    with tempfile.TemporaryDirectory() as folder:
        words, environment = list(map(str, arguments)), {**os.environ, **(env or {})}
        code = command.run(words, cwd or Path.cwd(), environment, folder, 900)
        return Done(code, *(Path(folder, name).read_text() for name in ("out", "err")))


def seqtrain_from_scratch(*arguments, cwd=None, env=None):
    """Runs the command line as a script does."""
    done = subprocess.run(
        [sys.executable, "-m", "seqtrain", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard():
    """A shell's background has SIGINT ignored, also in all that the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def own_components():
    """What the files of one module's tests register is not there for the next module."""
    before = {family: set(registry.names()) for family, registry in FAMILIES.items()}
    files = {name for name in sys.modules if name.startswith("seqtrain_import_")}
    yield
    for family, registry in FAMILIES.items():
        for name in set(registry.names()) - before[family]:
            registry.unregister(name)
    for name in {name for name in sys.modules if name.startswith("seqtrain_import_")} - files:
        del sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def libraries_are_no_garbage():
    """Once they are loaded, the garbage collector, which Keras calls between two models, need not look at them."""
    were_loaded = "keras" in sys.modules
    yield
    if "keras" in sys.modules and not were_loaded:
        gc.collect()
        gc.freeze()


@pytest.fixture
def points(tmp_path):
    """A small config with components of the tests' own, as a file in an empty folder."""
    for name in ("points.yaml", "my_data.py", "my_components.py"):
        (tmp_path / name).write_text((ROOT / "tests" / "own" / name).read_text())
    return tmp_path / "points.yaml"
