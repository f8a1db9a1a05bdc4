"""Keras's optimizers, losses, metrics and schedules from the config, and a compiled model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import keras

from seqtrain import keras_api
from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Key
from seqtrain.config.schema import ComponentConfig
from seqtrain.errors import ConfigError

Path = tuple[Key, ...]


def compile_model(model: Any, loaded: LoadedConfig) -> None:
    """Compiles a model as the config says; without `compile:` the builder must have done so.

    Raises:
        ConfigError: when Keras refuses an argument, or nothing says how to compile.
    """
    config = loaded.config.compile
    if config is None:
        if not getattr(model, "compiled", False):
            raise ConfigError(
                f"compile: missing, and the model '{loaded.config.model.name}' does not come compiled",
                where=loaded.path,
                fix="add `compile: {optimizer: adam, loss: ...}`",
            )
        return
    built = {
        "optimizer": _build(loaded, "optimizer", config.optimizer, ("compile", "optimizer")),
        "loss": _each(loaded, "loss", config.loss, ("compile", "loss")),
        "metrics": _each(loaded, "metric", config.metrics, ("compile", "metrics")),
        "weighted_metrics": _each(loaded, "metric", config.weighted_metrics, ("compile", "weighted_metrics")),
    }
    model.compile(
        **built,
        loss_weights=config.loss_weights,
        jit_compile=config.jit_compile,
        steps_per_execution=config.steps_per_execution,
        run_eagerly=config.run_eagerly,
    )


def _each(loaded: LoadedConfig, kind: keras_api.Kind, part: Any, path: Path) -> Any:
    """The objects of a component, or of the components in a list or mapping."""
    if isinstance(part, ComponentConfig):
        return _build(loaded, kind, part, path)
    if isinstance(part, Mapping):
        return {key: _each(loaded, kind, item, (*path, key)) for key, item in part.items()}
    return [_each(loaded, kind, item, (*path, index)) for index, item in enumerate(part)]


def _build(loaded: LoadedConfig, kind: keras_api.Kind, component: ComponentConfig, path: Path) -> Any:
    """The object, or the string that `compile` reads where that will do: it becomes the metric's name as written."""
    offer = keras_api.find(kind, component.name)
    if offer is None:
        return _own(loaded, component, path)
    if kind in ("loss", "metric") and offer.string and not component.arguments:
        return offer.string
    arguments = dict(component.arguments)
    if isinstance(arguments.get("learning_rate"), dict):
        schedule = dict(arguments["learning_rate"])
        name = schedule.pop("name")
        inner = ComponentConfig.of(name, schedule)
        arguments["learning_rate"] = _build(loaded, "schedule", inner, (*path, "learning_rate"))
    module, attribute = offer.target.split(":")
    target = getattr(importlib.import_module(module), attribute)
    if not offer.is_class:
        return target
    try:
        return target(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{'.'.join(map(str, path))}: Keras refuses the arguments of {kind} '{component.name}'",
            where=loaded.place(*path),
            received=str(error).strip(),
        ) from error


def _own(loaded: LoadedConfig, component: ComponentConfig, path: Path) -> Any:
    """An object that an imported file has registered with Keras."""
    custom = _custom_object(component.name)
    dotted, place = ".".join(map(str, path)), loaded.place(*path)
    if not isinstance(custom, type):
        if component.arguments:
            raise ConfigError(f"{dotted}: '{component.name}' is a function, which takes no arguments here", where=place)
        return custom
    try:
        return custom(**component.arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{dotted}: '{component.name}' refuses its arguments", where=place, received=str(error)
        ) from error


def _custom_object(name: str) -> Any:
    registered = keras.saving.get_custom_objects()
    return next(value for key, value in registered.items() if key == name or key.endswith(f">{name}"))
