"""Checks that Keras computes on the machine's GPU; if it does not, finds out why.

Three parts must match: the driver (queried with nvidia-smi), the CUDA libraries, and the backend, which was built for a
version of CUDA. A driver supports every CUDA version up to its own, and later ones with the same major number.

Source: NVIDIA, CUDA Compatibility, "Minor Version Compatibility".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from seqtrain.doctor.finding import Finding, finding_of
from seqtrain.training.provenance import version_of

LONGEST_S = 180
_QUERY = "name,driver_version,memory.total,memory.used"
_NVIDIA = "0x10de"
_DISPLAY_CLASS = "0x03"
_MOSTLY_USED = 0.5
PROGRAM = """
import json, keras
from keras import ops
backend = keras.backend.backend()
built = {}
if backend == "tensorflow":
    import tensorflow
    built = dict(tensorflow.sysconfig.get_build_info())
devices = [str(device) for device in keras.distribution.list_devices()]
pixels = ops.conv(ops.ones((1, 8, 8, 1)), ops.ones((3, 3, 1, 1)), padding="valid")
assert float(ops.convert_to_numpy(pixels).sum()) == 324.0
print(json.dumps({"keras": keras.__version__, "backend": backend, "devices": devices,
                  "is_cuda_build": bool(built.get("is_cuda_build", backend != "tensorflow")),
                  "cuda": built.get("cuda_version")}))
"""
_LIBRARY_LINE = re.compile(
    r"[^\n]*(?:dlopen|cuda drivers|libcud|CUDA_ERROR|failed call to cuInit)[^\n]*", re.IGNORECASE
)


@dataclass(frozen=True)
class Backend:
    """Keras and its backend, as seen by a separate process.

    Args:
        keras: Keras's version.
        backend: The backend's name.
        devices: The devices that Keras uses.
        is_cuda_build: Whether it was built for NVIDIA's GPUs.
        cuda: The version of CUDA that it was built for; None if unknown.
        log: What its libraries wrote to stderr.
    """

    keras: str
    backend: str
    devices: list[str]
    is_cuda_build: bool
    cuda: str | None
    log: str = ""

    @property
    def gpus(self) -> list[str]:
        """The devices that are GPUs."""
        return [device for device in self.devices if device.lower().startswith(("gpu", "cuda"))]


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver and its GPUs.

    Args:
        gpus: For each GPU its name, driver version, MiB of memory and MiB in use.
        cuda: The latest version of CUDA that the driver supports; None if unknown.
    """

    gpus: list[tuple[str, str, int, int]]
    cuda: str | None


def devices() -> Iterator[Finding]:
    """Checks which devices exist, and whether Keras uses them."""
    driver = query_driver()
    if isinstance(driver, Finding):
        yield driver
    elif driver is not None:
        yield from (_gpu_finding(*gpu, driver.cuda) for gpu in driver.gpus)
    backend = query_backend()
    if isinstance(backend, Finding):
        yield backend
        return
    message = f"{backend.keras} on {backend.backend} computes on {', '.join(backend.devices)}"
    yield Finding("devices", "keras", "ok", message)
    if not isinstance(driver, Finding):
        yield match(driver, backend, os.environ.get("CUDA_VISIBLE_DEVICES"), _is_nvidia_there())


def query_driver() -> Driver | Finding | None:
    """Runs nvidia-smi; returns a finding if it fails, None if it is not installed."""
    try:
        listed = _run(["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"])
        shown = _run(["nvidia-smi"])
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        return Finding("devices", "driver", "problem", "nvidia-smi does not answer", "sudo reboot")
    if listed.returncode != 0:
        message = (listed.stdout + listed.stderr).strip().splitlines()
        fix = "sudo reboot (a driver that was updated is loaded then); if that does not help, install the driver anew"
        return Finding("devices", "driver", "problem", message[0] if message else "nvidia-smi fails", fix)
    rows = (re.split(r"\s*,\s*", line) for line in listed.stdout.strip().splitlines())
    gpus = [(name, version, _mib(total), _mib(used)) for name, version, total, used in rows]
    cuda = re.search(r"CUDA (?:\w+ )?Version:\s*([\d.]+)", shown.stdout)
    return Driver(gpus, cuda[1] if cuda else None)


def query_backend() -> Backend | Finding:
    """Imports Keras and computes a convolution in a separate process; returns a finding if that fails."""
    try:
        done = _run([sys.executable, "-c", PROGRAM])
    except subprocess.TimeoutExpired:
        message = f"has not computed a convolution after {LONGEST_S} s"
        return Finding(
            "devices", "keras", "problem", message, "CUDA_VISIBLE_DEVICES=-1 seqtrain doctor tells of the rest"
        )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"ended by {done.returncode}"])[-1]
        name = os.environ.get("KERAS_BACKEND", "tensorflow")
        extra = "jax" if name == "jax" else "gpu" if _is_nvidia_there() else ""
        fix = f"pip install --upgrade 'seqtrain{f'[{extra}]' if extra else ''}'"
        return Finding("devices", "keras", "problem", f"cannot compute on {name}: {last}", fix)
    return Backend(**json.loads(done.stdout.strip().splitlines()[-1]), log=done.stderr)


def match(driver: Driver | None, backend: Backend, visible: str | None, is_nvidia_there: bool) -> Finding:
    """Whether Keras computes on the driver's GPUs, and if not, why.

    Args:
        driver: The driver; None if there is none.
        backend: Keras and its backend.
        visible: The value of CUDA_VISIBLE_DEVICES.
        is_nvidia_there: Whether the machine has an NVIDIA GPU, with or without a driver.
    """
    if driver is None or not driver.gpus:
        if is_nvidia_there and not backend.gpus:
            fix = "install NVIDIA's driver (Ubuntu: sudo ubuntu-drivers install); in a container: docker run --gpus all"
            return Finding("devices", "match", "problem", "the machine has an NVIDIA GPU, but no driver for it", fix)
        return Finding("devices", "match", "ok", "Keras computes on all that is there; there is no NVIDIA GPU")
    message = f"Keras computes on {len(backend.gpus)} of {len(driver.gpus)} GPUs"
    if len(backend.gpus) >= len(driver.gpus):
        return Finding("devices", "match", "ok", f"{message}; driver, libraries and {backend.backend} fit")
    if visible is not None and (backend.gpus or visible in ("", "-1")):
        fix = "unset CUDA_VISIBLE_DEVICES"
        return Finding(
            "devices", "match", "warning", f"{message}: CUDA_VISIBLE_DEVICES={visible} hides the others", fix
        )
    return Finding("devices", "match", "problem", *_why(message, driver, backend))


def _why(message: str, driver: Driver, backend: Backend) -> tuple[str, str]:
    """Why Keras does not compute on every GPU, after `message`; and the fix."""
    if not backend.is_cuda_build:
        message += f": this {backend.backend} is built for the CPU alone"
        installed = [name for name in ("tensorflow", "tensorflow-cpu") if version_of(name)]
        return message, f"pip uninstall -y {' '.join(installed)} && pip install 'seqtrain[gpu]'"
    if backend.cuda and driver.cuda and int(backend.cuda.split(".")[0]) > int(driver.cuda.split(".")[0]):
        message += f": {backend.backend} is built for CUDA {backend.cuda}, the driver knows CUDA up to {driver.cuda}"
        return message, "install a newer driver (Ubuntu: sudo ubuntu-drivers install), then sudo reboot"
    library_line = _LIBRARY_LINE.search(backend.log)
    message += f": {library_line[0].strip()}" if library_line else ": it does not find the CUDA libraries"
    package = "'jax[cuda12]'" if backend.backend == "jax" else "'seqtrain[gpu]'"
    return message, f"pip install --upgrade {package}, and unset LD_LIBRARY_PATH where it leads to another CUDA"


def _gpu_finding(name: str, version: str, total: int, used: int, cuda: str | None) -> Finding:
    message = f"{name}, driver {version}{f' (CUDA up to {cuda})' if cuda else ''}, {used} of {total} MiB in use"
    fix = "nvidia-smi shows the processes; end one, or use another GPU"
    return finding_of("devices", "gpu", message, fix, warning=used > _MOSTLY_USED * total)


def _is_nvidia_there(root: Path = Path("/sys/bus/pci/devices")) -> bool:
    """Whether the machine has an NVIDIA GPU, according to the PCI bus, which needs no driver."""
    return any(
        (device / "vendor").read_text().strip() == _NVIDIA and (device / "class").read_text().startswith(_DISPLAY_CLASS)
        for device in (root.iterdir() if root.is_dir() else ())
        if (device / "vendor").exists() and (device / "class").exists()
    )


def _mib(text: str) -> int:
    return int(text) if text.isdigit() else 0  # "[N/A]" if GPU and CPU share their memory


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=LONGEST_S, check=False, cwd="/"
    )
