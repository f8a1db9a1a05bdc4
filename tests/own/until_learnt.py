"""A callback that ends a training once it has shown what it is to show."""

import keras

from seqtrain.registry import callbacks


@callbacks.register("until_learnt")
class UntilLearnt(keras.callbacks.Callback):
    def __init__(self, monitor: str, bound: float, falls: bool = False):
        super().__init__()
        self.monitor, self.bound, self.falls = monitor, bound, falls

    def on_epoch_end(self, epoch, logs=None):
        value = logs.get(self.monitor)
        if value is not None and (value < self.bound if self.falls else value >= self.bound):
            self.model.stop_training = True
