"""Registers callbacks by name: the project's own, and those of Keras that can be created from a config.

Their signatures are read from the source code, since importing a callback imports Keras, and `check` and `list` must
not wait for that.
"""

from seqtrain.keras_api import offered, snake_case
from seqtrain.registry import callbacks
from seqtrain.static_signatures import signature_of_class


def _register_own(name: str, module: str, class_name: str) -> None:
    callbacks.register_lazy(name, f"{module}:{class_name}", signature_of_class(module, class_name))


_register_own("reconstructions", "seqtrain.callbacks.reconstructions", "Reconstructions")
_register_own("tqdm", "seqtrain.callbacks.tqdm_progress_bar", "TQDMProgressBar")
_register_own("one_shot", "seqtrain.callbacks.one_shot", "OneShotAccuracy")

_OVER_KERAS = {"ModelCheckpoint": "seqtrain.callbacks.model_checkpoint:ModelCheckpoint"}

for _offer in offered("callback").values():
    callbacks.register_lazy(snake_case(_offer.name), _OVER_KERAS.get(_offer.name, _offer.target), _offer.signature)
