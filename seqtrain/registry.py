"""The registries: the names that a config may use, and what stands behind each.

A component is registered beside its definition:

    from seqtrain.registry import sequences

    @sequences.register("my_sequence")
    class MySequence: ...

Its signature is its schema: parameter names are the YAML keys, annotations their types, defaults their defaults, and
the `Args:` of the docstring their meaning. Names that the run itself supplies (the source, the batch size, the shape of
the input) are declared like any other parameter, and never appear in the YAML.

Arguments that belong together may be one value, so that a signature stays short:

    @argument_group
    @dataclass(frozen=True)
    class ImageFormat:
        image_size: ImageSize
        color: Color = "rgb"

    @sequences.register("my_sequence")
    class MySequence:
        def __init__(self, image_format: ImageFormat, ...): ...

The YAML does not know of it: there, `image_size` and `color` are keys of the sequence like any other.

The first look-up imports the family's package and then the entry points `seqtrain.<family>` of installed packages.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from seqtrain.errors import UNKNOWN_COMPONENT, ConfigError, Mistake, did_you_mean, one_of

T = TypeVar("T", bound=Callable[..., Any])
C = TypeVar("C", bound=type[Any])

REQUIRED: Any = inspect.Parameter.empty

_argument_groups: set[type[Any]] = set()


def argument_group(group: C) -> C:
    """Marks a class of values, such as a frozen dataclass, whose fields are arguments of the component that takes one.

    The fields stand in the place of the component's parameter, in their order. What the component's own docstring says
    of a field counts before what the group's says, and a field of the parameter's default before the group's default.
    """
    _argument_groups.add(group)
    return group


@dataclass(frozen=True)
class Parameter:
    """One argument of a component.

    Args:
        name: Its name, which is the key in the YAML.
        annotation: Its type; `Any` where the signature gives none.
        default: Its default, or `REQUIRED`.
        meaning: What the docstring says of it.
    """

    name: str
    annotation: Any
    default: Any
    meaning: str = ""


@dataclass(frozen=True)
class Component:
    """What a registered name stands for.

    Args:
        family: The registry it belongs to, in the singular: "source", "sequence", "model" or "callback".
        name: The name in the YAML.
        load: Returns the class or function; imports it first where it was registered lazily.
        parameters: All parameters of its signature, those included that the run supplies.
        supplied: The names that the run supplies to components of this family.
        takes_any_keyword: Whether its signature ends in `**kwargs`.
        docstring: Its docstring.
        groups: Those parameters of the signature whose values are argument groups; `parameters` has their fields.
    """

    family: str
    name: str
    load: Callable[[], Callable[..., Any]]
    parameters: Mapping[str, Parameter]
    supplied: frozenset[str]
    takes_any_keyword: bool = False
    docstring: str = ""
    groups: Mapping[str, type[Any]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return summary_of(self.docstring)

    @property
    def arguments(self) -> dict[str, Parameter]:
        """The parameters that the YAML may set."""
        return {name: p for name, p in self.parameters.items() if name not in self.supplied}

    def build(self, arguments: Mapping[str, Any], supplied: Mapping[str, Any]) -> Any:
        """Calls the component with the YAML's arguments and with those supplied names that it declares."""
        values = dict(arguments)
        values |= {name: value for name, value in supplied.items() if name in self.parameters}
        for name, group in self.groups.items():
            values[name] = group(**{own: values.pop(own) for own in _signature(group) if own in values})
        return self.load()(**values)


@dataclass
class Registry:
    """The components of one family by name.

    Args:
        family: The folder of the package that holds them, in the plural: "sources".
        supplied: The names that the run supplies.
    """

    family: str
    supplied: frozenset[str]
    _components: dict[str, Component] = field(default_factory=dict)
    _loaded: bool = False

    @property
    def singular(self) -> str:
        """The family's name as the config uses it: "source"."""
        return self.family.removesuffix("es" if self.family == "losses" else "s")

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers a class or a function.

        Args:
            name: The name that configs use, in snake_case.

        Raises:
            ConfigError: when the name is taken.
        """

        def decorate(target: T) -> T:
            parameters, takes_any_keyword = parameters_of(target)
            self._add(
                Component(
                    family=self.singular,
                    name=name,
                    load=lambda: target,
                    parameters=parameters,
                    supplied=self.supplied,
                    takes_any_keyword=takes_any_keyword,
                    docstring=inspect.getdoc(target) or "",
                    groups=_groups_of(target),
                )
            )
            return target

        return decorate

    def register_lazy(
        self,
        name: str,
        target: str,
        parameters: Mapping[str, Parameter],
        *,
        takes_any_keyword: bool = False,
        docstring: str = "",
    ) -> None:
        """Registers a component whose module is imported only when it is built.

        For classes that derive from Keras's: importing them takes seconds, and `check` and `list` need only their
        signature.

        Args:
            name: The name that configs use.
            target: "module:attribute".
            parameters: The parameters of its signature.
            takes_any_keyword: Whether its signature ends in `**kwargs`.
            docstring: Its docstring.
        """

        def load() -> Callable[..., Any]:
            module, attribute = target.split(":")
            return typing.cast(Callable[..., Any], getattr(importlib.import_module(module), attribute))

        self._add(Component(self.singular, name, load, parameters, self.supplied, takes_any_keyword, docstring))

    def get(self, name: str) -> Component:
        """The component called `name`.

        Raises:
            ConfigError: when there is none; it lists the names and suggests the nearest.
        """
        self._load()
        if name not in self._components:
            raise ConfigError([self.unknown(name)])
        return self._components[name]

    def unknown(self, name: str) -> Mistake:
        """What to say of a name that is not registered."""
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


sources = Registry("sources", frozenset({"seed"}))
sequences = Registry(
    "sequences",
    frozenset({"source", "indices", "training_indices", "batch_size", "seed", "training", "x_set", "y_set"}),
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


def parameters_of(target: Callable[..., Any]) -> tuple[dict[str, Parameter], bool]:
    """The parameters of a class or function, and whether it takes any keyword besides.

    Annotations that cannot be evaluated count as `Any`: a user's class need not be annotated for us.
    """
    meanings = _meanings(target)
    hints = _hints(target)
    groups = _groups_of(target)
    parameters: dict[str, Parameter] = {}
    takes_any_keyword = False
    for name, parameter in _signature(target).items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_any_keyword = True
        elif name in groups:
            for own in parameters_of(groups[name])[0].values():
                default = own.default if parameter.default is REQUIRED else getattr(parameter.default, own.name)
                meaning = meanings.get(own.name, own.meaning)
                parameters[own.name] = Parameter(own.name, own.annotation, default, meaning)
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            parameters[name] = Parameter(name, hints.get(name, Any), parameter.default, meanings.get(name, ""))
    return parameters, takes_any_keyword


def _groups_of(target: Callable[..., Any]) -> dict[str, type[Any]]:
    hints = _hints(target)
    classes = {name: typing.get_origin(hints.get(name)) or hints.get(name) for name in _signature(target)}
    return {name: group for name, group in classes.items() if group in _argument_groups}


def _meanings(target: Callable[..., Any]) -> dict[str, str]:
    """What docstrings say of each argument: that of a class, and of its bases where it says nothing."""
    described = reversed(target.__mro__) if inspect.isclass(target) else (target,)
    return {name: meaning for each in described for name, meaning in argument_meanings(each.__doc__).items()}


def summary_of(docstring: str | None) -> str:
    """The first sentence or line of a docstring."""
    return docstring.strip().splitlines()[0].strip() if docstring and docstring.strip() else ""


def docstring_section(docstring: str | None, title: str) -> str:
    """The text below `Args:`, `Shapes:` or another title of a docstring; "" where it has none."""
    found = re.search(rf"^{title}:\n(.*?)(?=^\S|\Z)", inspect.cleandoc(docstring or ""), re.MULTILINE | re.DOTALL)
    return inspect.cleandoc("\n" + found[1]) if found else ""


def argument_meanings(docstring: str | None) -> dict[str, str]:
    """What the `Args:` section of a docstring says of each argument."""
    meanings: dict[str, str] = {}
    name = ""
    for line in docstring_section(docstring, "Args").splitlines():
        start = re.match(r"`{0,2}(\w+)`{0,2}(?: \([^)]*\))?:\s*(.*)", line)
        if start:
            name, meanings[start.group(1)] = start.group(1), start.group(2)
        elif name and line.strip():
            meanings[name] = f"{meanings[name]} {line.strip()}".strip()
    return meanings


def _signature(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    if not inspect.isclass(target) or target in _argument_groups:
        return inspect.signature(target).parameters
    initializer = inspect.signature(target.__init__).parameters
    if target.__init__ is object.__init__:
        return {}
    return dict(list(initializer.items())[1:])


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) and target not in _argument_groups else target
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}


def annotation_name(annotation: Any) -> str:
    """A type as a person writes it: `int`, `list[int]`, `'crop' | 'pad'`."""
    if annotation is Any:
        return "any"
    if annotation is type(None):
        return "null"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return annotation_name(arguments[0])
    if origin is typing.Literal:
        return " | ".join(str(argument) for argument in arguments)
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return " | ".join(annotation_name(argument) for argument in arguments)
    if origin is not None:
        inner = ", ".join("..." if argument is Ellipsis else annotation_name(argument) for argument in arguments)
        return f"{origin.__name__}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))
