"""Lists the values of a config that differ from the defaults, even if all values are written, as in a run folder."""

from __future__ import annotations

from typing import Any

from seqtrain.config.compare import by_key
from seqtrain.config.flat import FlatValue, Names
from seqtrain.config.load import LoadedConfig
from seqtrain.config.schema import CompileConfig, ComponentConfig, ListedComponentConfig, RunConfig

_ALWAYS_CHOSEN = (("source",), ("sequence",), ("model",), ("compile", "loss"), ("compile", "metrics"))
_DEFAULT_NAMES: dict[Names, str] = {("compile", "optimizer"): "adam", ("callbacks", "tqdm"): "tqdm"}


def non_default(loaded: LoadedConfig) -> list[FlatValue]:
    """The values that differ from their default, and the names of all components; in the order of the schema."""
    defaults = by_key(_bare(loaded.config), loaded.root)
    return [value for value in by_key(loaded.config, loaded.root).values() if _differs(value, defaults)]


def _differs(value: FlatValue, defaults: dict[Names, FlatValue]) -> bool:
    keys = value.keys
    is_callback = keys[0] == "callbacks" and len(keys) == 2
    if keys in _ALWAYS_CHOSEN:
        return bool(value.value)
    if is_callback or keys in _DEFAULT_NAMES:
        return bool(_DEFAULT_NAMES.get(keys) != value.value)
    if keys not in defaults:
        return value.value is not None
    default = defaults[keys].value
    return bool(value.value != default or isinstance(value.value, bool) is not isinstance(default, bool))


def _bare(config: RunConfig) -> RunConfig:
    """A config with the same components, but without their arguments and with defaults everywhere else."""
    return RunConfig(
        source=_named(config.source),
        sequence=_named(config.sequence),
        model=_named(config.model),
        compile=config.compile and _bare_compile(config.compile),
        callbacks=_named(config.callbacks),
    )


def _bare_compile(config: CompileConfig) -> CompileConfig:
    return CompileConfig(
        optimizer=_named(config.optimizer),
        loss=_named(config.loss),
        metrics=_named(config.metrics),
        weighted_metrics=_named(config.weighted_metrics),
    )


def _named(value: Any) -> Any:
    """Replaces each component by its name, also in lists and mappings."""
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named(item) for item in value]
    return (ListedComponentConfig if isinstance(value, ListedComponentConfig) else ComponentConfig)(name=value.name)
