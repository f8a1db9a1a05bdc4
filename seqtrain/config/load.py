"""Loads a file and overrides into a checked, frozen `RunConfig`; all mistakes are reported together."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from seqtrain import console
from seqtrain.config.arguments import absolute
from seqtrain.config.components import arguments_path, resolve_components
from seqtrain.config.imports import import_module_or_file
from seqtrain.config.mistakes import mistakes_of
from seqtrain.config.node import Key, Node, merged
from seqtrain.config.overrides import apply_override
from seqtrain.config.reader import read_file
from seqtrain.config.schema import CacheConfig, RunConfig
from seqtrain.errors import IMPORT_FAILED, MISSING_FILE, UNKNOWN_COMPONENT, ConfigError, Mistake


@dataclass(frozen=True)
class LoadedConfig:
    """A checked config, with the places where its values are written.

    Args:
        config: The config.
        path: Its file.
        root: The tree that it was made from.
        missing: Files and folders that it names but that do not exist, if it was loaded with `needs_files=False`.
    """

    config: RunConfig
    path: Path
    root: Node
    missing: tuple[Mistake, ...] = ()

    def place(self, *path: Key) -> str:
        """The `file:line:column` of a value."""
        return self.root.find(path).place

    def argument_place(self, path: Sequence[Key], component: str, argument: str) -> str:
        """The `file:line:column` of an argument of a component."""
        return self.root.find((*arguments_path(self.root, tuple(path), component), argument)).place


def load_config(path: Path, overrides: Sequence[str] = (), *, needs_files: bool = True) -> LoadedConfig:
    """Reads a config, merges the files that it extends, applies overrides, and checks it.

    Args:
        path: The YAML file.
        overrides: The overrides, each `path=value`, which take precedence over the file.
        needs_files: Whether the data must exist and the imports must work. If not, the arguments of components that a
            failed import would have registered are not checked.

    Raises:
        ConfigError: with every mistake found.
    """
    mistakes: list[Mistake] = []
    root = _with_bases(path, mistakes, ())
    for override in overrides:
        try:
            apply_override(root, override, mistakes)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    config = _validated(root, mistakes)
    if config is not None:
        imports = _load_imports(config, root, mistakes)
        resolved = {"imports": imports, "cache": _resolved_cache(config.cache, root)}
        config = _resolved(config, root, mistakes).model_copy(update=resolved)
    missing = tuple(
        mistake for mistake in mistakes if not needs_files and mistake.code in (IMPORT_FAILED, MISSING_FILE)
    )
    if len(mistakes) > len(missing) or config is None:
        raise ConfigError(sorted(mistakes, key=_by_place))
    return LoadedConfig(config, path, root, missing)


def _with_bases(path: Path, mistakes: list[Mistake], above: tuple[Path, ...]) -> Node:
    """The tree of a file, merged over the files that it extends."""
    node = read_file(path, mistakes)
    extends = node.value.pop("extends", None)
    if extends is None:
        return node
    if not isinstance(extends.value, str):
        raise ConfigError("extends: wrong value", where=extends.place, expected="the path of another config")
    base = Path(path.parent, extends.value)
    if base.resolve() in {p.resolve() for p in (*above, path)}:
        raise ConfigError("extends: leads back to itself", where=extends.place, fix="remove this line")
    if not base.is_file():
        raise ConfigError(f"extends: no such file: {base}", where=extends.place)
    return merged(_with_bases(base, mistakes, (*above, path)), node)


def _validated(root: Node, mistakes: list[Mistake]) -> RunConfig | None:
    """Validates the config against its schema. Invalid sections are left out, so that the rest can be checked."""
    plain = root.plain()
    try:
        return RunConfig.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        found = mistakes_of(error, root, schema=RunConfig)
        mistakes.extend(found)
        wrong = {item["loc"][0] for item in error.errors() if item["loc"]}
    needed = {name for name, field in RunConfig.model_fields.items() if field.is_required()}
    kept = {key: value for key, value in plain.items() if key not in wrong}
    placeholders = dict.fromkeys(needed - kept.keys(), "none")
    config = RunConfig.model_validate_json(json.dumps({**kept, **placeholders}))
    _load_imports(config, root, mistakes)
    _resolved(config, root, mistakes, placeholders)
    return None


def _by_place(mistake: Mistake) -> tuple[str, int, int]:
    file, line, column = [*(mistake.where or "").rsplit(":", 2), "", ""][:3]
    return (file, int(line), int(column)) if line.isdigit() and column.isdigit() else (mistake.where or "", 0, 0)


def _resolved_cache(cache: CacheConfig | None, root: Node) -> CacheConfig | None:
    return cache and cache.model_copy(update={"path": absolute(cache.path, root.find(("cache", "path")))})


def _resolved(config: RunConfig, root: Node, mistakes: list[Mistake], missing: Container[str] = ()) -> RunConfig:
    """Resolves the components. If an import failed, unknown names are not reported: it may have registered them."""
    import_failed = any(mistake.code == IMPORT_FAILED for mistake in mistakes)
    found: list[Mistake] = []
    resolved = resolve_components(config, root, found, missing)
    mistakes.extend(each for each in found if not (import_failed and each.code == UNKNOWN_COMPONENT))
    return resolved


def _load_imports(config: RunConfig, root: Node, mistakes: list[Mistake]) -> list[str]:
    loaded = []
    for index, name in enumerate(config.imports):
        node = root.find(("imports", index))
        try:
            with console.status(f"importing {name}"):
                loaded.append(import_module_or_file(name, node.folder, node.place))
        except ConfigError as error:
            mistakes.extend(error.mistakes)
            loaded.append(name)
    return loaded
