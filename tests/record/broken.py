"""The cases of `broken.yaml`: each is a folder of small files, a command, and what the command says.

A group has a config, files and a command; each of its cases changes some of them:

    config:   the text of config.yaml, in which $DATA is the folder of the sample data
    replace:  [old, new], a change of that text
    append:   lines after it
    files:    what lies beside it, by name: text, bytes, null (none), or what `contents.write` knows
    set:      overrides, each for a `-s`
    first:    commands that run before, such as a `fit` whose run the command goes on with
    then:     files that change after those
    command:  the command and its options; `check` by default
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.record.contents import write
from tests.record.workplace import Done, Workplace, steady

CASES = Path(__file__).with_name("broken.yaml")


@dataclass
class Case:
    """One thing that is wrong."""

    name: str
    group: dict[str, Any]
    own: dict[str, Any]

    def run(self, place: Workplace) -> dict[str, Any]:
        """The exit code, the document and, of a command without Keras, the words."""
        folder = place.folder / "broken" / self.name.replace("/", "_")
        folder.mkdir(parents=True)
        data = place.folder / "data_samples"
        self._write(folder, data, {**self.group.get("files", {}), **self.own.get("files", {})})
        if (text := self._config()) is not None:
            (folder / "config.yaml").write_text(text.replace("$DATA", str(data)))
        for words in self._of("first", []):
            done = self._seqtrain(place, folder, words)
            if done.code:
                raise RuntimeError(f"{self.name}: {words} ended with {done.code}: {done.err}")
        self._write(folder, data, self._of("then", {}))
        words = self._of("command", "check")
        overrides = [word for item in self._of("set", []) for word in ("-s", item)]
        done = self._seqtrain(place, folder, words, *overrides, "--json")
        return {"exit code": done.code, "document": document_of(done), **self._words(done, words)}

    def _words(self, done: Done, command: str) -> dict[str, Any]:
        needs_keras = command.split()[0] not in ("check", "config", "list", "init")
        return {} if needs_keras or "Traceback" in done.err else {"stderr": steady(done.err)}

    def _config(self) -> str | None:
        text: str | None = self._of("config", None)
        if text is None:
            return None
        for old, new in self.own.get("replace", []):
            if old not in text:
                raise ValueError(f"{self.name}: {old!r} is not in the config")
            text = text.replace(old, new, 1)
        return text + str(self.own.get("append", ""))

    def _of(self, key: str, default: Any) -> Any:
        return self.own.get(key, self.group.get(key, default))

    def _write(self, folder: Path, data: Path, files: dict[str, Any]) -> None:
        for name, content in files.items():
            if content is not None:
                write(folder / name, content, data)

    def _seqtrain(self, place: Workplace, folder: Path, command: str, *more: str) -> Done:
        first, *options = command.replace("$DATA", str(place.folder / "data_samples")).split()
        takes_config = first in ("fit", "check", "inspect-batches", "profile", "prepare") and "--run" not in options
        config = ["config.yaml"] if takes_config and "NOTHING" not in options else []
        return place.seqtrain(first, *config, *(word for word in options if word != "NOTHING"), *more, cwd=folder)


def document_of(done: Done) -> Any:
    """The document, or, where what was printed is none, the text."""
    try:
        return done.document
    except json.JSONDecodeError:
        return done.out


def broken_cases() -> list[Case]:
    """All cases, in the order of the file."""
    groups = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    return [
        Case(f"{group}: {name}", {key: value for key, value in content.items() if key != "cases"}, own or {})
        for group, content in groups.items()
        for name, own in content["cases"].items()
    ]
