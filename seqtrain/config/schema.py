"""The config, version 1: what each key means, its type, its range and its default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from seqtrain.text import parse_duration

_SWITCHES = {"yes": True, "on": True, "no": False, "off": False}


def _switch(value: Any) -> Any:
    return _SWITCHES.get(value.lower(), value) if isinstance(value, str) else value


Switch = Annotated[bool, BeforeValidator(_switch, json_schema_input_type=bool)]
"""A bool; the words yes, no, on and off are understood too."""


def _duration(value: str) -> str:
    parse_duration(value)
    return value


Duration = Annotated[str, AfterValidator(_duration)]
"""Such as 90s, 10m or 3h50m."""


class Section(BaseModel):
    """Base of the config's parts: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ComponentConfig(Section):
    """A component and its arguments: `cnn`, or `{name: cnn, filters: [16, 32]}`."""

    name: str
    arguments: dict[str, Any] = {}

    @classmethod
    def of(cls, name: str, arguments: dict[str, Any]) -> ComponentConfig:
        """A component, without validation."""
        return cls.model_construct(name=name, arguments=arguments)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, dict):
            raise ValueError("a name, or a mapping with a name and arguments")
        if not isinstance(value.get("name"), str):
            raise ValueError("a mapping with a 'name'")
        return {"name": value["name"], "arguments": {key: item for key, item in value.items() if key != "name"}}

    def to_yaml(self) -> Any:
        """The component as it is written in YAML."""
        return {"name": self.name, **self.arguments} if self.arguments else self.name


class ListedComponentConfig(ComponentConfig):
    """A component in a list, where `{early_stopping: {patience: 3}}` is understood too."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) == 1 and "name" not in value:
            ((name, arguments),) = value.items()
            if arguments is not None and not isinstance(arguments, dict):
                raise ValueError(f"the arguments of '{name}' as a mapping")
            return {"name": name, "arguments": arguments or {}}
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return {"name": value["name"], "arguments": {key: item for key, item in value.items() if key != "name"}}
        if isinstance(value, str):
            return {"name": value}
        raise ValueError("a name, or a mapping of one name to its arguments")

    def to_yaml(self) -> Any:
        """The component as it is written in YAML."""
        return {self.name: self.arguments} if self.arguments else self.name


class SplitConfig(Section):
    """Which samples train and which validate. A bare number is the share that trains."""

    train: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of the samples that trains."""
    val: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Share that validates. Default: all the rest; 0 for a run without validation."""
    by: Literal["random", "stratified", "group", "ordered"] = "random"
    """random: any sample; stratified: each class by its share; group: no group on both sides; ordered: as they are."""
    column: str | None = None
    """The source's column that holds the groups, where it has several."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return {"train": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _adds_up(self) -> SplitConfig:
        if self.val is not None and self.train + self.val > 1 + 1e-9:
            raise ValueError(f"train and val that add up to at most 1, not {self.train + self.val:g}")
        if self.val is None and self.train == 1:
            raise ValueError("train below 1, or `val: 0` for a run without validation")
        if self.column is not None and self.by != "group":
            raise ValueError("column only with `by: group`")
        return self

    @property
    def validation_share(self) -> float:
        """The share that validates."""
        return 1 - self.train if self.val is None else self.val


Metrics = list[ListedComponentConfig] | dict[str, list[ListedComponentConfig]]


class CompileConfig(Section):
    """Arguments of Keras's `compile`: optimizers, losses and metrics by name, with their arguments."""

    optimizer: ComponentConfig = ComponentConfig(name="adam")
    """Any optimizer of Keras; `learning_rate` may be a schedule: `{name: cosine_decay, ...}`."""
    loss: ComponentConfig | dict[str, ComponentConfig]
    """Any loss of Keras; for several outputs a mapping of output to loss."""
    loss_weights: dict[str, float] | None = None
    """For several outputs: the weight of each loss."""
    metrics: Metrics = []
    """Any metrics of Keras; for several outputs a mapping of output to a list."""
    weighted_metrics: Metrics = []
    """Metrics that sample and class weights apply to."""
    jit_compile: Switch | Literal["auto"] = "auto"
    """Compile the model with XLA."""
    steps_per_execution: Annotated[int, Field(ge=1)] = 1
    """Batches in one call of the compiled step."""
    run_eagerly: Switch = False
    """Run without compiling, to debug."""


class CacheConfig(Section):
    """Decoded images kept on disk: decoded in the first epoch or by `seqtrain prepare`, and read from then on."""

    path: Path
    """A folder for all caches; several configs and runs may share it."""
    after: Literal["decode"] = "decode"
    """What is kept: decoded and resized images, before augmentation."""


class CheckpointConfig(Section):
    """When a run is saved. A bare duration or number is `every`."""

    every: Annotated[int, Field(ge=1)] | Duration | None = None
    """How often it is saved within an epoch: a duration such as 10m, or a number of batches."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return value if isinstance(value, dict) or value is None else {"every": value}


class BadSampleConfig(Section):
    """What happens to samples that cannot be read. A plain string is the action."""

    action: Literal["error", "skip"] = "error"
    """error: the run ends; skip: another sample of the split takes its place, and it is listed in bad_samples.csv."""
    max: Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, le=1)] = 0.01
    """How many different samples may be skipped before the run ends: a number, or a share below 1 (at least one
    sample)."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value

    def most(self, num_samples: int) -> int:
        """The largest number of samples that may be skipped, of `num_samples`."""
        return self.max if isinstance(self.max, int) else max(1, math.floor(self.max * num_samples))


class NanConfig(Section):
    """What happens when the loss becomes NaN or infinite. A plain string is the action."""

    action: Literal["error", "rollback"] = "error"
    """error: the run ends; rollback: it goes back to the last checkpoint and on from there."""
    max: Annotated[int, Field(ge=1)] = 3
    """How often it may go back before the run ends."""
    learning_rate_scale: Annotated[float, Field(gt=0, le=1)] = 0.5
    """What the learning rate is multiplied by each time."""

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        return {"action": value} if isinstance(value, str) else value


ClassWeight = Literal["balanced"] | dict[str, Annotated[float, Field(ge=0)]]


class FitConfig(Section):
    """Arguments of the training loop and of the loader."""

    epochs: Annotated[int, Field(ge=1)] = 10
    """Passes over the training samples, or over `steps_per_epoch` batches, at most."""
    workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = 4
    """Threads that prepare batches ahead; 0 loads in the main thread; auto measures and chooses, processes too. The
    batches are the same with any number."""
    use_multiprocessing: Switch = False
    """Processes instead of threads, for code that holds the interpreter."""
    max_queue_size: Annotated[int, Field(ge=1)] = 10
    """Batches that may be ready and waiting, at most."""
    worker_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Seconds that a worker may take for a part of a batch; then it counts as hung."""
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    """Batches in an epoch. Default: all; otherwise the next epoch continues where this one ended."""
    validation_steps: Annotated[int, Field(ge=1)] | None = None
    """Number of batches to validate on, the first ones. Default: all."""
    class_weight: ClassWeight | dict[str, ClassWeight] | None = None
    """Weight of each class by name or index, or `balanced`: inversely to the classes' counts in the training part.
    Where targets are masks, each pixel has the weight of its class; several outputs are weighted by name."""
    mixed_precision: Literal["float16", "bfloat16"] | None = None
    """Compute in half precision and keep the weights in float32."""
    deterministic: Switch = False
    """Deterministic kernels on a GPU: equal weights from run to run, at a cost in speed."""


class FineTuneConfig(Section):
    """A second phase of training: more of the model is trained, by a new optimizer.

    Callbacks begin anew with it, so that early stopping ends one phase at a time.
    """

    after: Annotated[int, Field(ge=1)]
    """Epochs of the first phase, at most; `fit.epochs` is the number of both phases."""
    trainable: Any = True
    """The argument `trainable` of the model in the second phase."""
    learning_rate: Annotated[float, Field(gt=0)] | dict[str, Any]
    """The learning rate in the second phase: a number or a schedule."""


class RunConfig(Section):
    """The config of a run."""

    version: Literal[1] = 1
    """The version of the config's form."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The seed of the split, the order, the augmentation, the initial weights and dropout."""
    imports: list[str] = []
    """Python files (./my_sequences.py) or modules that register components of your own."""
    source: ComponentConfig
    """Which samples exist."""
    split: SplitConfig = SplitConfig()
    """Which samples train and which validate."""
    sequence: ComponentConfig
    """How samples become batches."""
    cache: CacheConfig | None = None
    """Keeps decoded images on disk, for data that takes long to decode."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Samples in a batch."""
    model: ComponentConfig
    """The model builder."""
    compile: CompileConfig | None = None
    """Optimizer, loss and metrics; may be left out where the model builder compiles."""
    fit: FitConfig = FitConfig()
    """The training loop and the loader."""
    fine_tune: FineTuneConfig | None = None
    """A second phase, for models that take `trainable`, such as `backbone`."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """When the run is saved."""
    on_bad_sample: BadSampleConfig = BadSampleConfig()
    """What happens to samples that cannot be read."""
    on_nan: NanConfig = NanConfig()
    """What happens when the loss becomes NaN or infinite."""
    callbacks: list[ListedComponentConfig] = [ListedComponentConfig(name="tqdm")]
    """The project's, Keras's or your own callbacks, in order."""

    @property
    def patience(self) -> list[Any]:
        """The patience of each `early_stopping`."""
        return [each.arguments.get("patience", 0) for each in self.callbacks if each.name == "early_stopping"]

    def to_yaml(self) -> dict[str, Any]:
        """The config as it is written in YAML, with all defaults filled in."""
        written: dict[str, Any] = _to_yaml(self)
        return written


def _to_yaml(value: Any) -> Any:
    if isinstance(value, ComponentConfig):
        return {k: _to_yaml(v) for k, v in written.items()} if isinstance(written := value.to_yaml(), dict) else written
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _to_yaml(item) for name, item in fields.items() if item is not None}
    if isinstance(value, dict):
        return {key: _to_yaml(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_yaml(item) for item in value]
    return str(value) if isinstance(value, Path) else value
