import pytest

from seqtrain.doctor import devices
from seqtrain.doctor.devices import Backend, Driver, match, query_driver

GPU = ("NVIDIA H200", "580.159.03", 143771, 0)
DRIVER = Driver([GPU], "13.0")
ON_GPU = Backend("3.15.1", "tensorflow", ["gpu:0"], True, "12.5.1")
ON_CPU = Backend("3.15.1", "tensorflow", ["cpu:0"], True, "12.5.1")

SHOWN = """Fri Nov 20 10:00:00 2026
| NVIDIA-SMI 580.159.03   Driver Version: 580.159.03   CUDA Version: 13.0 |
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    def make(program):
        path = tmp_path / "nvidia-smi"
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def test_the_driver_is_read_from_what_nvidia_smi_prints(nvidia_smi):
    nvidia_smi(
        f'case "$1" in --query*) echo "NVIDIA H200, 580.159.03, 143771, 12";'
        f' echo "NVIDIA GB10, 580.159.03, [N/A], [N/A]";; *) echo "{SHOWN}";; esac'
    )
    driver = query_driver()
    assert driver.gpus == [("NVIDIA H200", "580.159.03", 143771, 12), ("NVIDIA GB10", "580.159.03", 0, 0)]
    assert driver.cuda == "13.0"


def test_a_driver_that_was_updated_under_a_running_system_is_a_problem(nvidia_smi):
    nvidia_smi('echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18')
    found = query_driver()
    assert found.status == "problem"
    assert found.message == "Failed to initialize NVML: Driver/library version mismatch"
    assert found.fix.startswith("sudo reboot")


def test_a_machine_without_nvidia_smi_has_no_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert query_driver() is None


def test_a_gpu_that_keras_computes_on_is_right():
    assert match(DRIVER, ON_GPU, None, True).status == "ok"
    assert match(None, ON_CPU, None, False).status == "ok"


def test_a_gpu_without_a_driver_is_a_problem():
    found = match(None, ON_CPU, None, True)
    assert found.status == "problem"
    assert "no driver" in found.message


@pytest.mark.parametrize("visible", ["", "-1"])
def test_a_gpu_that_the_environment_hides_is_a_warning(visible):
    found = match(DRIVER, ON_CPU, visible, True)
    assert (found.status, found.fix) == ("warning", "unset CUDA_VISIBLE_DEVICES")
    assert f"CUDA_VISIBLE_DEVICES={visible} hides" in found.message


@pytest.mark.parametrize(
    ("driver", "backend", "message", "fix"),
    [
        (DRIVER, Backend("3", "tensorflow", ["cpu:0"], False, None), "built for the CPU alone", "seqtrain[gpu]"),
        (Driver([GPU], "11.4"), ON_CPU, "built for CUDA 12.5.1, the driver knows CUDA up to 11.4", "newer driver"),
        (Driver([GPU], "12.2"), ON_CPU, "does not find the CUDA libraries", "seqtrain[gpu]"),
        (
            DRIVER,
            Backend("3", "tensorflow", ["cpu:0"], True, "12.5.1", "I0\nW0 Cannot dlopen some GPU libraries.\nI1"),
            "0 of 1 GPUs: W0 Cannot dlopen some GPU libraries.",
            "seqtrain[gpu]",
        ),
        (DRIVER, Backend("3", "jax", ["cpu:0"], True, None), "does not find the CUDA libraries", "jax[cuda12]"),
    ],
    ids=["cpu build", "old driver", "libraries", "libraries named", "jax"],
)
def test_a_gpu_that_keras_does_not_see_is_a_problem_with_its_reason(driver, backend, message, fix):
    found = match(driver, backend, None, True)
    assert found.status == "problem"
    assert message in found.message
    assert fix in found.fix


def test_a_gpu_whose_memory_others_use_is_a_warning(nvidia_smi, monkeypatch):
    nvidia_smi('case "$1" in --query*) echo "NVIDIA H200, 580.1, 1000, 900";; esac')
    monkeypatch.setattr(devices, "query_backend", lambda: ON_GPU)
    gpu, _, matched = devices.devices()
    assert (gpu.status, matched.status) == ("warning", "ok")
    assert "900 of 1000 MiB in use" in gpu.message


def test_a_backend_that_cannot_be_imported_is_a_problem(monkeypatch):
    monkeypatch.setattr(devices, "PROGRAM", "raise ImportError('libcudnn.so.9: cannot open')")
    found = devices.query_backend()
    assert found.status == "problem"
    assert "ImportError: libcudnn.so.9: cannot open" in found.message


def test_a_backend_that_hangs_is_a_problem(monkeypatch):
    monkeypatch.setattr(devices, "PROGRAM", "import threading; threading.Event().wait()")
    monkeypatch.setattr(devices, "LONGEST_S", 0.3)
    assert devices.query_backend().status == "problem"
