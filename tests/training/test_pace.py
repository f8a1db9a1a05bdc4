from seqtrain.loading.feeder import Handed, TrainingFeeder
from seqtrain.loading.stream import BatchStream, Workers, training_schedule
from seqtrain.training import pace as pace_module
from seqtrain.training.pace import Pace
from tests.loading.test_stream import NumbersSequence


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Feeder:
    def __init__(self, handed):
        self._handed = handed

    def handed(self, count):
        taken, self._handed = self._handed[:count], self._handed[count:]
        return taken


def test_waiting_is_what_lies_between_a_free_model_and_its_batch(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(pace_module.time, "perf_counter", clock)
    # Steps end at 1, 2, 4 and 5 seconds; the third batch comes 1 second after the model was free.
    pace = Pace(Feeder([Handed(0, 8, 0.5), Handed(1, 8, 0.6), Handed(2, 8, 3.0), Handed(3, 8, 3.5)]), 1)
    pace.on_epoch_begin(0)
    for step, end in enumerate((1.0, 2.0, 4.0, 5.0)):
        pace.on_train_batch_begin(step)
        clock.now = end
        pace.on_train_batch_end(step)
    logs = {}
    pace.on_epoch_end(0, logs)
    assert logs == {"samples_per_s": 32 / 5, "data_wait": 1 / 5}


def test_the_feeder_tells_each_batch_once_though_keras_looks_at_the_first_two_twice():
    with BatchStream(NumbersSequence(), training_schedule(7), Workers(2), end=7) as stream:
        feeder = TrainingFeeder(stream)
        for index in (0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8):
            feeder[index]
        handed = feeder.handed(100)
    assert [each.step for each in handed] == [0, 1, 2, 3, 4, 5, 6]
    assert [each.samples for each in handed] == [8] * 6 + [2]
