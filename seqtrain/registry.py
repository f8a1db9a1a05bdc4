"""The registries: map the names in a config to classes and functions.

A component is registered beside its definition:

    from seqtrain.registry import sequences

    @sequences.register("my_sequence")
    class MySequence: ...

Its signature is its schema: parameters are the YAML keys, with their annotations, defaults, and descriptions in the
docstring's `Args:`. Arguments that the run supplies (the source, the batch size, the input shape) are declared like any
other parameter, but must not be in the YAML. If a class has other names for them, the decorator says which:

    @sequences.register("my_sequence", x_set="file_paths", y_set="labels")

Without that, the names that are usual in code for Keras are understood (`USUAL_NAMES`), unless the YAML sets them.

Related parameters may be grouped in one value, whose fields are the keys: see `argument_group` in `signature`.

The first look-up imports the family's package and then the entry points `seqtrain.<family>` of installed packages.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from seqtrain.errors import UNKNOWN_COMPONENT, ConfigError, Mistake, did_you_mean, one_of
from seqtrain.signature import REQUIRED, Signature, signature_of

T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Component:
    """A registered class or function.

    Args:
        family: The registry it belongs to, in the singular: "source", "sequence", "model" or "callback".
        name: The name in the YAML.
        load: Returns the class or function; imports it first if it was registered lazily.
        signature: Its parameters, including those that the run supplies.
        supplied: The names of the arguments that the run supplies to components of this family.
        roles: Its parameters that the run supplies, with the names of what they get.
        usual: Those of `roles` that are only known by `USUAL_NAMES`.
    """

    family: str
    name: str
    load: Callable[[], Callable[..., Any]]
    signature: Signature
    supplied: frozenset[str]
    roles: Mapping[str, str]
    usual: frozenset[str] = frozenset()

    @property
    def settings(self) -> Signature:
        """The parameters that a config sets."""
        return self.signature.without(frozenset(self.roles))

    @property
    def possible_settings(self) -> Signature:
        """The parameters that a config may set: those that are supplied by their usual names alone are optional."""
        found = self.signature.without(frozenset(self.roles) - self.usual)
        optional = {name: replace(found.parameters[name], default=None) for name in self.usual}
        return replace(found, parameters={**found.parameters, **optional})

    def settings_of(self, arguments: Collection[str]) -> Signature:
        """The parameters that a config sets that names these arguments: it may set `usual` ones too."""
        return self.signature.without(frozenset(self.roles_besides(arguments)))

    def roles_besides(self, arguments: Collection[str]) -> dict[str, str]:
        """The parameters that the run supplies, with what they get: none of `usual` if a config sets one of them."""
        usual = self.usual if self.usual.isdisjoint(arguments) else frozenset()
        return {name: role for name, role in self.roles.items() if name not in self.usual or name in usual}

    def build(self, arguments: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
        """Calls the component with the YAML's arguments and those supplied arguments that it declares."""
        roles = self.roles_besides(arguments).items()
        declared = {name: supplied[role] for name, role in roles if role in supplied}
        return self.load()(**self.signature.grouped({**arguments, **declared}))


@dataclass
class Registry:
    """The components of one family by name.

    Args:
        family: The name of their package, in the plural: "sources".
        supplied: The names of the arguments that the run supplies.
        usual_names: Other names that parameters may have, with the names of what they get.
    """

    family: str
    supplied: frozenset[str]
    usual_names: Mapping[str, str] = field(default_factory=dict)
    _components: dict[str, Component] = field(default_factory=dict)
    _loaded: bool = False

    @property
    def singular(self) -> str:
        """The family's name as the config uses it: "source"."""
        return self.family.removesuffix("es" if self.family == "losses" else "s")

    def register(self, name: str, **names: str) -> Callable[[T], T]:
        """A decorator that registers a class or a function.

        Args:
            name: The name that configs use, in snake_case.
            names: Of its parameters that the run supplies, where they differ: `x_set="file_paths"`.

        Raises:
            ConfigError: when the name is taken, or it has no such parameter.
        """

        def decorate(target: T) -> T:
            self._add(self._component(name, lambda: target, signature_of(target), names))
            return target

        return decorate

    def register_lazy(self, name: str, target: str, signature: Signature) -> None:
        """Registers a component whose module is imported only when it is built.

        For classes that derive from Keras's classes: importing them takes seconds, and `check` and `list` need only
        their signatures.

        Args:
            name: The name that configs use.
            target: "module:attribute".
            signature: Its parameters.
        """

        def load() -> Callable[..., Any]:
            module, attribute = target.split(":")
            return typing.cast(Callable[..., Any], getattr(importlib.import_module(module), attribute))

        self._add(self._component(name, load, signature, {}))

    def get(self, name: str) -> Component:
        """The component called `name`.

        Raises:
            ConfigError: when there is none; it lists the names and suggests the nearest.
        """
        self._load()
        if name not in self._components:
            raise ConfigError([self.unknown(name)])
        return self._components[name]

    def unregister(self, name: str) -> None:
        """Removes a component, so that the name can be registered again, as in a notebook."""
        self._load()
        del self._components[name]

    def unknown(self, name: str) -> Mistake:
        """The mistake for a name that is not registered."""
        names = self.names()
        return Mistake(
            f"unknown {self.singular} '{name}'",
            expected=one_of(names),
            fix=did_you_mean(name, names)
            or f"register your own in a file named under `imports:` (@{self.family}.register('{name}'))",
            code=UNKNOWN_COMPONENT,
        )

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._load()
        return sorted(self._components)

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._components

    def _component(
        self, name: str, load: Callable[[], Callable[..., Any]], signature: Signature, names: Mapping[str, str]
    ) -> Component:
        """A component whose decorator gives some names of its parameters, by what they get."""
        known = self.supplied | frozenset(self.usual_names.values())
        for role, parameter in names.items():
            if role not in known or parameter not in signature.parameters:
                raise ConfigError(
                    f"{self.family}.register('{name}', {role}='{parameter}'): "
                    + (f"it has no parameter '{parameter}'" if role in known else f"nothing is called '{role}'"),
                    expected=one_of(signature.parameters if role in known else known),
                    fix=did_you_mean(parameter, signature.parameters) if role in known else did_you_mean(role, known),
                )
        roles = {parameter: role for role, parameter in names.items()}
        roles |= {each: each for each in signature.parameters if each in self.supplied and each not in names}
        usual = _usual_roles(signature, roles, self.usual_names)
        return Component(self.singular, name, load, signature, self.supplied, roles | usual, frozenset(usual))

    def _add(self, component: Component) -> None:
        if component.name in self._components:
            raise ConfigError(
                f"the {self.singular} '{component.name}' is registered twice",
                fix="give one of them another name",
            )
        self._components[component.name] = component

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        importlib.import_module(f"seqtrain.{self.family}")
        for entry_point in importlib.metadata.entry_points(group=f"seqtrain.{self.family}"):
            entry_point.load()


def _usual_roles(signature: Signature, roles: Mapping[str, str], usual_names: Mapping[str, str]) -> dict[str, str]:
    """Further parameters that the run supplies to a class that takes samples by usual names."""
    found: dict[str, str] = {}
    if {"source", "indices", "training_indices"} & set(roles.values()):
        return found
    for name, parameter in signature.parameters.items():
        role = usual_names.get(name)
        may_be = parameter.default is REQUIRED and parameter.annotation not in (str, Path, int, float, bool)
        if role and may_be and name not in roles and role not in {*roles.values(), *found.values()}:
            found[name] = role
    if "y_set" in found.values() and any(name.lower().endswith("ids") for name in found):
        found = {name: "y_by_x" if role == "y_set" else role for name, role in found.items()}
    return found if SAMPLES & {*roles.values(), *found.values()} else {}


SAMPLES = frozenset({"x_set", "data", "dataset", "source", "indices"})
"""The names of what holds the samples of one side of the split."""

_USUAL = {
    "x_set": """x X x_data X_data inputs images imgs image_paths img_paths image_files file_paths filepaths file_names
        filenames files paths list_IDs list_ids ids IDs""",
    "y_set": "y Y y_data Y_data labels targets masks mask_paths target_paths",
    "data": "df dataframe data_frame frame data",
    "dataset": "dataset",
    "y_by_x": "y_by_x",
}
USUAL_NAMES = {name: role for role, names in _USUAL.items() for name in names.split()}
"""The names that parameters of a sequence often have, with the name of what they get."""

sources = Registry("sources", frozenset({"seed"}))
sequences = Registry(
    "sequences",
    frozenset({"source", "indices", "training_indices", "batch_size", "seed", "training", "x_set", "y_set"}),
    USUAL_NAMES,
)
models = Registry(
    "models",
    frozenset({"input_shape", "input_dtype", "input_spec", "output_spec", "num_classes", "data_format", "seed"}),
)
losses = Registry("losses", frozenset({"num_classes", "class_names"}))
metrics = Registry("metrics", frozenset({"num_classes", "class_names"}))
callbacks = Registry(
    "callbacks",
    frozenset({"run_dir", "progress", "train_sequence", "val_sequence", "validation_steps", "watched_metric"}),
)

FAMILIES: Mapping[str, Registry] = {
    registry.family: registry for registry in (sources, sequences, models, losses, metrics, callbacks)
}
