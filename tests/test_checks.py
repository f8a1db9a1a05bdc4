"""The same checks on a laptop and in CI: format, lint and types."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "command",
    [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_checks_pass(command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_top_level_holds_what_was_agreed_and_nothing_else():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail("the tests run from a checkout")
    top = {name.split("/")[0] for name in done.stdout.splitlines()}
    assert top <= {
        *("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".ci", ".github"),
        *("seqtrain", "configs", "tests", "data_samples"),
    }


def test_the_sample_data_stay_small():
    total = sum(path.stat().st_size for path in (ROOT / "data_samples").rglob("*") if path.is_file())
    assert total < 8 * 1024 * 1024
