from seqtrain.loading.keras_dataset import BatchTiming, TrainingDataset
from seqtrain.loading.order import training_schedule
from seqtrain.loading.stream import BatchStream
from seqtrain.loading.workers import WorkerOptions
from seqtrain.training import throughput as throughput_module
from seqtrain.training.throughput import Throughput
from tests.loading.test_stream import NumbersSequence


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Dataset:
    def __init__(self, timings):
        self.timings = timings

    def take_timings(self, count):
        taken, self.timings = self.timings[:count], self.timings[count:]
        return taken


def test_waiting_is_what_lies_between_a_free_model_and_its_batch(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(throughput_module.time, "perf_counter", clock)
    # Steps end at 1, 2, 4 and 5 seconds; the third batch comes 1 second after the model was free.
    timings = [BatchTiming(n, 8, at) for n, at in enumerate((0.5, 0.6, 3.0, 3.5))]
    throughput = Throughput(Dataset(timings), 1)
    throughput.on_epoch_begin(0)
    for step, end in enumerate((1.0, 2.0, 4.0, 5.0)):
        throughput.on_train_batch_begin(step)
        clock.now = end
        throughput.on_train_batch_end(step)
    logs = {}
    throughput.on_epoch_end(0, logs)
    assert logs == {"samples_per_s": 32 / 5, "data_wait": 1 / 5}


def test_each_batch_is_timed_once_though_keras_reads_the_first_two_twice():
    with BatchStream(NumbersSequence(), training_schedule(7), WorkerOptions(2), end=7) as stream:
        dataset = TrainingDataset(stream)
        for index in (0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8):
            dataset[index]
        timings = dataset.take_timings(100)
    assert [each.step for each in timings] == [0, 1, 2, 3, 4, 5, 6]
    assert [each.samples for each in timings] == [8] * 6 + [2]
