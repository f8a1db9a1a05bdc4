"""Types of arguments that several models take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from seqtrain.types import Positive

LayerWidths = Annotated[tuple[Positive, ...], Field(min_length=1)]
DropoutRate = Annotated[float, Field(ge=0, lt=1)]
Activation = Literal["relu", "gelu", "silu", "elu", "selu", "leaky_relu", "tanh", "sigmoid", "softplus", "linear"]
ChannelMeans = Annotated[tuple[float, ...], Field(min_length=1)]
ChannelDeviations = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)]
