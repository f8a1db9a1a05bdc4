"""Builds optimizers, losses, metrics and schedules from the config, and compiles the model."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import keras

from seqtrain import keras_api, keras_private
from seqtrain.config.build import build_component
from seqtrain.config.load import LoadedConfig
from seqtrain.config.node import Key
from seqtrain.config.schema import ComponentConfig
from seqtrain.errors import ConfigError
from seqtrain.registry import losses, metrics

Path = tuple[Key, ...]

_REGISTRIES = {"loss": losses, "metric": metrics}


def compile_model(model: Any, loaded: LoadedConfig, classes: Mapping[str, Any]) -> None:
    """Compiles a model as the config says; without a `compile` section, the builder must have compiled it.

    Args:
        model: The model to compile.
        loaded: The config.
        classes: `num_classes` and `class_names`, for the project's own losses and metrics.

    Raises:
        ConfigError: when Keras rejects an argument, or the model is not compiled.
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
    builder = _Builder(loaded, classes)
    built = {
        "optimizer": builder.build("optimizer", config.optimizer, ("compile", "optimizer")),
        "loss": builder.build("loss", config.loss, ("compile", "loss")),
        "metrics": builder.build("metric", config.metrics, ("compile", "metrics")),
        "weighted_metrics": builder.build("metric", config.weighted_metrics, ("compile", "weighted_metrics")),
    }
    model.compile(
        **built,
        loss_weights=config.loss_weights,
        jit_compile=config.jit_compile,
        steps_per_execution=config.steps_per_execution,
        run_eagerly=config.run_eagerly,
    )
    if keras_private.compile_loss(model) is not None:
        keras_private.mean_over_samples(model)


class _Builder:
    """Builds the objects that a config names: the project's own and Keras's.

    Args:
        loaded: The config.
        classes: Arguments that the run supplies to the project's own losses and metrics.
    """

    def __init__(self, loaded: LoadedConfig, classes: Mapping[str, Any]) -> None:
        self._loaded = loaded
        self._classes = classes

    def build(self, kind: keras_api.Kind, part: Any, path: Path) -> Any:
        """Builds a component, or each of the components in a list or mapping."""
        if isinstance(part, ComponentConfig):
            registry = _REGISTRIES.get(kind)
            if registry is not None and part.name in registry:
                return build_component(self._loaded, registry, part, path, self._classes)
            return self._build_keras_object(kind, part, path)
        if isinstance(part, Mapping):
            return {key: self.build(kind, item, (*path, key)) for key, item in part.items()}
        return [self.build(kind, item, (*path, index)) for index, item in enumerate(part)]

    def _build_keras_object(self, kind: keras_api.Kind, component: ComponentConfig, path: Path) -> Any:
        """Builds an object of Keras, or returns its name as a string, which `compile` accepts and shows in the logs."""
        offer = keras_api.find(kind, component.name)
        if offer is None:
            return _build_custom_object(self._loaded, component, path)
        if kind in ("loss", "metric") and offer.string and not component.arguments:
            return offer.string
        arguments = dict(component.arguments)
        if isinstance(arguments.get("learning_rate"), dict):
            schedule = dict(arguments["learning_rate"])
            inner = ComponentConfig.of(schedule.pop("name"), schedule)
            arguments["learning_rate"] = self._build_keras_object("schedule", inner, (*path, "learning_rate"))
        module, attribute = offer.target.split(":")
        target = getattr(importlib.import_module(module), attribute)
        if not offer.is_class:
            return target
        try:
            return target(**arguments)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"{'.'.join(map(str, path))}: Keras refuses the arguments of {kind} '{component.name}'",
                where=self._loaded.place(*path),
                received=str(error).strip(),
            ) from error


def _build_custom_object(loaded: LoadedConfig, component: ComponentConfig, path: Path) -> Any:
    """Builds an object that the user has registered with Keras."""
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
