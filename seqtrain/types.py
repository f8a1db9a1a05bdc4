"""Types that the signatures of components share; the config checks arguments against them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]
ProperFraction = Annotated[float, Field(ge=0, lt=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Positive = Annotated[int, Field(ge=1)]
ImageSize = Annotated[tuple[Positive, Positive], Field(description="[height, width] in pixels")]
Color = Literal["gray", "rgb"]
DataFormat = Literal["channels_last", "channels_first"]
Resize = Literal["stretch", "crop", "pad"]
