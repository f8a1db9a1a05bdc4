"""Arguments that belong together: one value in the signature, keys of their own in the YAML."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.loading.pipeline import open_data
from seqtrain.registry import Component, Registry
from seqtrain.signature import REQUIRED, argument_group, signature_of
from seqtrain.types import Probability
from tests.conftest import CONFIGS


@argument_group
@dataclass(frozen=True)
class Noise:
    """What is added.

    Args:
        scale: How much.
        share: To how many.
        seeded: Whether the same each time.
    """

    scale: float
    share: Probability = 0.5
    seeded: bool = field(default=False, kw_only=True)


@argument_group
@dataclass(frozen=True)
class ColoredNoise(Noise):
    """The same, with a colour.

    Args:
        color: Which.
    """

    color: str = "gray"


class Plain:
    """Takes what is written.

    Args:
        size: Of all.
        noise: See `Noise`.
        share: To how many of its own.
        name: At the end.
    """

    def __init__(self, size: int, noise: Noise, name: str = "") -> None:
        self.given = (size, noise, name)


def component_of(target: object, supplied: frozenset[str] = frozenset()) -> Component:
    registry = Registry("sequences", supplied)
    registry.register("built")(target)
    return registry.get("built")


def test_the_fields_of_a_group_are_arguments_in_its_place() -> None:
    arguments = component_of(Plain).settings.parameters
    assert list(arguments) == ["size", "scale", "share", "seeded", "name"]
    assert arguments["scale"].default is REQUIRED
    assert (arguments["share"].default, arguments["share"].annotation) == (0.5, Probability)


def test_what_a_component_says_of_a_field_counts_before_what_the_group_says() -> None:
    arguments = component_of(Plain).settings.parameters
    assert arguments["scale"].meaning == "How much."
    assert arguments["share"].meaning == "To how many of its own."


def test_a_component_is_built_from_flat_arguments() -> None:
    built = component_of(Plain).build({"size": 3, "scale": 0.1, "seeded": True}, {})
    assert built.given == (3, Noise(0.1, seeded=True), "")


def test_a_group_that_derives_from_another_has_its_fields_and_their_meanings() -> None:
    def colored(noise: ColoredNoise) -> ColoredNoise:
        return noise

    component = component_of(colored)
    assert list(component.settings.parameters) == ["scale", "share", "color", "seeded"]
    meanings = [argument.meaning for argument in component.settings.parameters.values()]
    assert meanings == ["How much.", "To how many.", "Which.", "Whether the same each time."]
    assert component.build({"scale": 1.0, "color": "red"}, {}) == ColoredNoise(1.0, color="red")


def test_the_default_of_a_component_gives_its_own_defaults_of_the_fields() -> None:
    def loud(noise: Noise = Noise(2.0, share=1.0)) -> Noise:  # noqa: B008 - it is frozen
        return noise

    component = component_of(loud)
    assert {name: argument.default for name, argument in component.settings.parameters.items()} == {
        "scale": 2.0,
        "share": 1.0,
        "seeded": False,
    }


def test_fields_that_the_run_supplies_are_no_arguments() -> None:
    component = component_of(Plain, frozenset({"scale"}))
    assert list(component.settings.parameters) == ["size", "share", "seeded", "name"]
    assert component.build({"size": 1}, {"scale": 0.3, "unknown": 1}).given == (1, Noise(0.3), "")


def test_a_field_that_is_missing_is_told_by_its_name() -> None:
    with pytest.raises(TypeError, match="scale"):
        component_of(Plain).build({"size": 1}, {})


OWN_SEQUENCE = """
from seqtrain.registry import sequences
from seqtrain.sequences.base import Samples, SampleSequence
from seqtrain.sequences.image_format import ImageFormat
from seqtrain.sources.base import Source
from seqtrain.structure import FieldSpec


@sequences.register("own_black_pictures")
class BlackPictures(SampleSequence):
    def __init__(self, samples: Samples[Source], image_format: ImageFormat, level: int = 0):
        super().__init__(*samples)
        self.level = level
        self.spec = (image_format.field(), FieldSpec((), "int32"))

    def write_sample(self, index, generator, rows):
        rows[0][...] = self.level
        rows[1][...] = self.source[index]["label"]
"""


def test_a_sequence_of_ones_own_takes_groups_whose_fields_are_keys_of_the_config(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN_SEQUENCE)
    document = load_config(CONFIGS / "digits.yaml").config.to_yaml()
    document["imports"] = [str(tmp_path / "own.py")]
    document["sequence"] = {"name": "own_black_pictures", "image_size": [4, 6], "color": "gray", "level": 9}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(document))
    data = open_data(load_config(config))
    x, y = data.train[0]
    assert x.shape == (64, 4, 6, 1)
    assert (x == 9).all()
    assert len(y) == 64
    with pytest.raises(ConfigError, match="unknown argument of sequence 'own_black_pictures'") as caught:
        load_config(config, ["sequence.image_format=1"])
    assert caught.value.mistakes[0].expected == "one of: image_size, color, resize, data_format, level"


def test_an_annotation_that_is_no_type_is_no_argument_group():
    class Odd:
        def __init__(self, sizes: [int] = (), options: {1: 2} = None):
            pass

    assert list(signature_of(Odd).parameters) == ["sizes", "options"]
