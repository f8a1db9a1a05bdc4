"""Every command line that the README prints is run, as printed, in a folder such as a reader has."""

import re

import pytest
import typer

from seqtrain import cli
from tests.conftest import ROOT

TEXT = "\n".join((ROOT / name).read_text() for name in ("README.md", "configs/README.md"))
CONFIG = """
extends: configs/digits.yaml
source: {name: image_folder, path: data_samples/digits, classes: ["0", "1"]}
cache: {path: ./cache}
fit: {epochs: 1}
"""
# Needs a shell to complete; the main job and the doctor, which tests of their own run from the command line.
ELSEWHERE = {"seqtrain --install-completion", "seqtrain fit configs/digits.yaml", "seqtrain doctor"}
NEEDS_CONFIG = {"seqtrain config show": "seqtrain config show config.yaml"}


def commands():
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines() if re.match(r"\s*seqtrain ", line)]
    inline = re.findall(r"`(seqtrain\s[^`]*)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
    found = dict.fromkeys([*lines, *(" ".join(words.split()) for words in inline)])
    # A run must be there before it can be looked at.
    return sorted(found.keys() - ELSEWHERE, key=lambda command: (" fit " not in command, list(found).index(command)))


def run(command):
    words = NEEDS_CONFIG.get(command, command).partition(" >")[0].split()[1:]
    try:
        return cli.app(words, prog_name="seqtrain", standalone_mode=False) or 0
    except typer.Exit as done:
        return done.exit_code


def test_the_readme_prints_commands():
    assert {"seqtrain runs ls", "seqtrain init --template list"} < set(commands())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Keras's own
def test_every_command_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "data_samples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "config.yaml").write_text(CONFIG)
    codes = {command: run(command) for command in commands()}
    assert {command: code for command, code in codes.items() if code} == {}
    for made in ("flats.yaml", "classes.csv", "runs/today/result.json"):
        assert (tmp_path / made).exists()
