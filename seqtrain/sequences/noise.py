"""Noise for 8-bit images, which a denoiser learns to remove.

Pixels stay uint8: they are rounded and clipped as in a camera, so that a denoiser learns from realistic images, and
batches take one byte per value. Rounding changes a value by at most half of 1/255.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated, Any, Literal, cast

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter, WithJsonSchema
from typing_extensions import TypedDict

from seqtrain.structure import ImageArray

Scale = Annotated[float, Field(gt=0, le=1)]

_WHITE = 255


class GaussianNoise(TypedDict):
    """Adds a normally distributed number to each value, like a sensor in the dark."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["gaussian"]
    scale: Scale  # standard deviation, as a fraction of white


class SaltAndPepperNoise(TypedDict):
    """Makes pixels black or white, with equal probability, like dead pixels."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["salt_and_pepper"]
    fraction: Scale  # share of the pixels


class MaskingNoise(TypedDict):
    """Makes pixels black, so that the model must fill them in."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["masking"]
    fraction: Scale  # share of the pixels


def _name(noise: Any) -> str | None:
    return noise.get("name") if isinstance(noise, dict) else None


Noise = Annotated[
    Annotated[GaussianNoise, Tag("gaussian")]
    | Annotated[SaltAndPepperNoise, Tag("salt_and_pepper")]
    | Annotated[MaskingNoise, Tag("masking")],
    Discriminator(
        _name,
        custom_error_type="noise_name",
        custom_error_message="a mapping with the name gaussian, salt_and_pepper or masking",
    ),
    WithJsonSchema(  # without $refs, since a component's arguments are inserted into the config's schema without $defs
        {"oneOf": [TypeAdapter(kind).json_schema() for kind in (GaussianNoise, SaltAndPepperNoise, MaskingNoise)]}
    ),
]


def with_noise(noise: Noise, image: ImageArray, generator: np.random.Generator) -> ImageArray:
    """A copy of an image with noise.

    Args:
        noise: The kind of noise and its strength.
        image: (height, width) or (height, width, channels).
        generator: The sample's random numbers; as many are drawn whatever the strength.

    Source:
        Vincent, Larochelle, Lajoie, Bengio and Manzagol, 2010, "Stacked Denoising Autoencoders", section 3.3, for the
        three kinds.
    """
    options: dict[str, Any] = {key: value for key, value in noise.items() if key != "name"}
    return _KINDS[noise["name"]](image, generator, **options)


def _gaussian(image: ImageArray, generator: np.random.Generator, scale: float) -> ImageArray:
    drawn = np.frombuffer(generator.bytes(2 * image.size), "<u2")
    noisy = cv2.add(image, _normal_levels(scale).take(drawn).reshape(image.shape), dtype=cv2.CV_8U)
    return cast(ImageArray, noisy)


@functools.lru_cache(8)
def _normal_levels(scale: float) -> npt.NDArray[np.int16]:
    """65,536 evenly spaced quantiles of a normal distribution, rounded to levels of gray.

    Drawing one of them takes a third of the time of drawing a normal number, which would take longer than decoding.
    """
    count = 1 << 16
    quantile = NormalDist(0, scale * _WHITE).inv_cdf
    return np.rint([quantile((number + 0.5) / count) for number in range(count)]).astype(np.int16)


def _salt_and_pepper(image: ImageArray, generator: np.random.Generator, fraction: float) -> ImageArray:
    draws = generator.random(image.shape[:2], dtype=np.float32)
    noisy = image.copy()
    noisy[draws < fraction] = _WHITE
    noisy[draws < fraction / 2] = 0
    return noisy


def _masking(image: ImageArray, generator: np.random.Generator, fraction: float) -> ImageArray:
    noisy = image.copy()
    noisy[generator.random(image.shape[:2], dtype=np.float32) < fraction] = 0
    return noisy


_KINDS: dict[str, Callable[..., ImageArray]] = {
    "gaussian": _gaussian,
    "salt_and_pepper": _salt_and_pepper,
    "masking": _masking,
}
