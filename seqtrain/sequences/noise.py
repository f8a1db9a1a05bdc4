"""Noise that a denoiser learns to take away, added to 8-bit pictures.

Pixels stay uint8: they are rounded and clipped as a camera's would be, so that a denoiser learns from what it will be
given, and batches stay at a byte a value. Rounding moves a value by at most half of 1/255.
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

from seqtrain.structure import Picture

Scale = Annotated[float, Field(gt=0, le=1)]

_WHITE = 255


class GaussianNoise(TypedDict):
    """Adds a normal number to each value, as a sensor does in the dark."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["gaussian"]
    scale: Scale  # standard deviation, as a fraction of white


class SaltAndPepperNoise(TypedDict):
    """Makes pixels black or white, half of them each, as dead pixels are."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["salt_and_pepper"]
    fraction: Scale  # of the pixels


class MaskingNoise(TypedDict):
    """Makes pixels black, so that what is missing is to be filled in."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    name: Literal["masking"]
    fraction: Scale  # of the pixels


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
    WithJsonSchema(  # whole, since a component's arguments stand in the config's schema without definitions
        {"oneOf": [TypeAdapter(kind).json_schema() for kind in (GaussianNoise, SaltAndPepperNoise, MaskingNoise)]}
    ),
]


def with_noise(noise: Noise, picture: Picture, generator: np.random.Generator) -> Picture:
    """The picture with noise.

    Args:
        noise: Its name and its strength.
        picture: (height, width) or (height, width, channels); it stays as it is.
        generator: Of the sample; as many numbers are drawn whatever the strength.

    Source:
        Vincent, Larochelle, Lajoie, Bengio and Manzagol, 2010, "Stacked Denoising Autoencoders", section 3.3, for the
        three kinds.
    """
    options: dict[str, Any] = {key: value for key, value in noise.items() if key != "name"}
    return _KINDS[noise["name"]](picture, generator, **options)


def _gaussian(picture: Picture, generator: np.random.Generator, scale: float) -> Picture:
    drawn = np.frombuffer(generator.bytes(2 * picture.size), "<u2")
    moved = cv2.add(picture, _normal_levels(scale).take(drawn).reshape(picture.shape), dtype=cv2.CV_8U)
    return cast(Picture, moved)


@functools.lru_cache(8)
def _normal_levels(scale: float) -> npt.NDArray[np.int16]:
    """The quantiles of a normal distribution, as many as 16 bits tell apart, in whole levels of gray.

    To draw one of them takes a third of the time of a normal number, which would be more than decoding takes.
    """
    count = 1 << 16
    quantile = NormalDist(0, scale * _WHITE).inv_cdf
    return np.rint([quantile((number + 0.5) / count) for number in range(count)]).astype(np.int16)


def _salt_and_pepper(picture: Picture, generator: np.random.Generator, fraction: float) -> Picture:
    draws = generator.random(picture.shape[:2], dtype=np.float32)
    noisy = picture.copy()
    noisy[draws < fraction] = _WHITE
    noisy[draws < fraction / 2] = 0
    return noisy


def _masking(picture: Picture, generator: np.random.Generator, fraction: float) -> Picture:
    noisy = picture.copy()
    noisy[generator.random(picture.shape[:2], dtype=np.float32) < fraction] = 0
    return noisy


_KINDS: dict[str, Callable[..., Picture]] = {
    "gaussian": _gaussian,
    "salt_and_pepper": _salt_and_pepper,
    "masking": _masking,
}
