"""The summary of one run: status, results, config, data, and the command that resumes it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seqtrain.config.load import load_config
from seqtrain.config.non_default import non_default
from seqtrain.errors import ConfigError
from seqtrain.reports.run_folder import RunFolder
from seqtrain.reports.runs_table import status_color
from seqtrain.reports.terminal import columns, indented, styled
from seqtrain.text import ago, file_size, number, short_duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_IN_GOOD_ORDER = ("completed", "early_stopped", "training")
_LOG_LINES = 12
_LABEL = 11
_OF_SPLIT = ("num_samples", "num_train", "num_val", "data_sha256")
_MESSAGE = re.compile(r"^\d{4}-\d\d-\d\d \S+ (?!DEBUG saved ).*(?:\n  (?! ).*)*", re.MULTILINE)
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax")


def summary(run: RunFolder) -> dict[str, Any]:
    """The summary as a JSON document."""
    meta = run.meta
    last_start = (meta.get("resumed") or [meta])[-1]
    config, flaw = _config(run)
    is_over = run.state.status in _IN_GOOD_ORDER
    return {
        **run.to_json(),
        "config": config,
        "config_flaw": flaw,
        "data": {key: run.split[key] for key in _OF_SPLIT if key in run.split},
        "machine": {
            **{key: meta.get(key) for key in ("hostname", "cpus", "platform", "python", "seqtrain", "packages")},
            **{key: last_start.get(key) for key in ("backend", "devices")},
        },
        "git_commit": meta.get("git_commit"),
        "command": _command(meta.get("argv", ("",))),
        "resumed": [
            {"time": each["time"], "command": _command(each["argv"]), "changed": each.get("changed", [])}
            for each in meta.get("resumed", ())
        ],
        "checkpoints": run.checkpoints(),
        "log": [] if is_over else _last_lines(run.log_end),
        "go_on": None if is_over else run.resume_command(),
    }


def summary_parts(run: RunFolder, document: Mapping[str, Any]) -> list[RenderableType]:
    """The summary for the terminal.

    Args:
        run: The run.
        document: Its summary.
    """
    facts = [(f"  {name:<{_LABEL}}", text) for name, text in (*_outcome(run, document), *_facts(document))]
    title = styled("what is not the default:", "dim")
    parts: list[RenderableType] = [str(run.path), columns(facts, ("", "")), "", title]
    if document["config_flaw"]:
        parts.append(indented(document["config_flaw"]))
    if document["config"]:
        parts.append(columns([_setting(each["key"], each["value"]) for each in document["config"]], ("", "")))
    if document["log"]:
        title = styled(f"the end of {run.path / 'train.log'}:", "dim")
        parts += ["", title, *(f"  {line}" for line in document["log"])]
    if document["go_on"]:
        parts += ["", styled("go on with:", "dim"), f"  {document['go_on']}"]
    return parts


def _outcome(run: RunFolder, document: Mapping[str, Any]) -> Iterator[tuple[str, str | Text]]:
    planned = f" of {run.planned_epochs}" if run.planned_epochs else ""
    trained = f" in {short_duration(run.duration_s)}" if run.duration_s is not None else ""
    epochs = f"{len(run.rows)}{planned} epoch{'' if (run.planned_epochs or len(run.rows)) == 1 else 's'}"
    status = styled(run.state.label, status_color(run.state), wraps=True)
    yield "status", status.append(f" after {epochs}{trained}, started {ago(run.age_s)}")
    message, _, fix = run.state.reason.partition("\n  fix: ")
    for name, text in (("by" if run.state.status == "training" else "why", message), ("fix", fix)):
        if text:
            yield name, text.replace("\n", " ")
    if run.best:
        yield "best", f"{run.best.monitor} {number(run.best.value)} in epoch {run.best.epoch + 1}"
    if document["metrics"]:
        metrics = [f"{name} {number(value, none='none')}" for name, value in document["metrics"].items()]
        yield "last epoch", ", ".join(metrics)


def _facts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    machine, data = document["machine"], document["data"]
    if data:
        val = f"{data['num_val']} to validate" if data.get("num_val") else "no validation"
        yield "data", f"{data.get('num_train')} samples to train, {val}"
    versions = [f"{name} {version}" for name, version in (machine["packages"] or {}).items() if name in _PACKAGES]
    own = [f"seqtrain {machine['seqtrain']}", f"Python {machine['python']}"]
    yield "machine", f"{machine['hostname']}, {machine['cpus']} CPUs; {', '.join(machine['devices'] or ['no device'])}"
    yield "versions", ", ".join([*own, *versions])
    if document["git_commit"]:
        yield "commit", document["git_commit"]
    yield "command", document["command"]
    for each in document["resumed"]:
        changed = f"; changed: {'; '.join(each['changed'])}" if each["changed"] else ""
        yield "resumed", f"{each['time'].replace('T', ' ').replace('+00:00', ' UTC')}{changed}"
    for each in document["checkpoints"]:
        links = f" ({', '.join(each['links'])})" if each["links"] else ""
        yield "checkpoint", f"{each['name']}{links}, {file_size(each['bytes'])}"


def _setting(key: str, value: Any) -> tuple[str, str]:
    """A key and its value; without the value if the key ends with it, as for a callback."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"  {key}", "" if key.endswith(f".{text}") else text


def _config(run: RunFolder) -> tuple[list[dict[str, Any]], str | None]:
    """The config values that are not the default; or why they are unknown, if another version wrote the config."""
    try:
        found = non_default(load_config(run.path / "config.yaml", needs_files=False))
    except ConfigError as error:
        return [], f"config.yaml is not one of this version: {error.mistakes[0].message}"
    return [{"key": value.key, "value": value.value} for value in found], None


def _command(argv: Any) -> str:
    return shlex.join(["seqtrain", *argv[1:]])


def _last_lines(log: str) -> list[str]:
    """The last messages of the log, without the model's layers, the output of libraries, and tracebacks."""
    return [line for message in _MESSAGE.findall(log) for line in message.splitlines()][-_LOG_LINES:]
