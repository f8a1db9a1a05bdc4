"""YAML to a frozen `RunConfig`: extends, overrides, line-exact errors, dump and JSON Schema."""

from seqtrain.config.load import LoadedConfig, load_config
from seqtrain.config.schema import RunConfig

__all__ = ["LoadedConfig", "RunConfig", "load_config"]
