"""The workloads: what is loaded, who takes part, and how far ahead ours has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks import fits, limit, ours, peers_grain, peers_keras, peers_tensorflow, peers_torch
from tests.benchmarks.contest import Row, race
from tests.benchmarks.data import Images, large_photographs, photographs
from tests.benchmarks.epochs import EpochSession
from tests.benchmarks.loader_session import touch_every_page
from tests.benchmarks.ours import StreamOptions
from tests.benchmarks.peers_keras import KerasOptions
from tests.benchmarks.pixels import wrong_pixels
from tests.benchmarks.sequences import LargeArrays, PythonBound, loops_for, spin
from tests.benchmarks.stage import Contestant, Stage

_DIGITS = Path(__file__).parents[2] / "data_samples" / "digits"
_WITHIN_10_PERCENT = 1 / 1.10
_WITHIN_3_PERCENT = 1 / 1.03


@dataclass(frozen=True)
class Options:
    """How a run of benchmarks is made.

    Args:
        stage: Where contestants run.
        data: Where the files are, between runs.
        rounds: How often each contestant is measured.
        workers: Threads or processes of every loader.
        seconds: How long a loader's turn lasts.
        quick: Little data: to see that everything runs, not how fast.
    """

    stage: Stage
    data: Path
    rounds: int
    workers: int
    seconds: float = 2.0
    quick: bool = False


def jpeg(options: Options) -> list[Row]:
    """JPEG 500x375 to 224x224, uint8, batches of 64."""
    count, batch_size = (64, 16) if options.quick else (2000, 64)
    folder = photographs(options.data, count)
    images = Images(folder, (224, 224), batch_size, options.workers, options.seconds)
    peers = [
        *_limits(partial(limit.ImageWork, images), images.seconds, at_least=0.90),
        *_tensorflow(images, tuned_at_least=1.3),
        *_keras_images(images),
        _torch("DataLoader, Pillow", images, "pillow", 1.5),
        _torch("DataLoader, fast decoder", images, "fast", 1.0),
        _grain("Grain threads, fast decoder", images, False),
        _grain("Grain processes, fast decoder", images, True),
    ]
    return _race_images(options, "jpeg", images, peers)


def large_jpeg(options: Options) -> list[Row]:
    """JPEG of 12 megapixels to 512x512."""
    count, batch_size = (2, 2) if options.quick else (16, 8)
    folder = large_photographs(options.data, count)
    images = Images(folder, (512, 512), batch_size, options.workers, 2 * options.seconds)
    work = partial(limit.ImageWork, images)
    peers = [*_limits(work, images.seconds, at_least=0.90), *_tensorflow(images, tuned_at_least=1.2)[:2]]
    return _race_images(options, "large_jpeg", images, peers)


def png(options: Options) -> list[Row]:
    """PNG 500x375 to 224x224: no target, since every loader waits for zlib."""
    count, batch_size = (32, 16) if options.quick else (400, 64)
    folder = photographs(options.data, count, "png")
    images = Images(folder, (224, 224), batch_size, options.workers, options.seconds)
    peers = [*_limits(partial(limit.ImageWork, images), images.seconds)[:1], *_tensorflow(images)[:1]]
    return _race_images(options, "png", images, [*peers, _torch("DataLoader, Pillow", images, "pillow")])


def python_bound(options: Options) -> list[Row]:
    """5 ms of pure Python a sample, processes."""
    loops = loops_for(0.005)
    sequence = partial(PythonBound, loops)
    own = Contestant("seqtrain processes", "ours", _ours_in_processes(sequence, options))
    peers = [
        *_limits(partial(Spinning, loops), options.seconds, at_least=0.90),
        Contestant("Keras processes", "keras", _keras_in_processes(sequence, options), ("keras",), 1.0),
    ]
    return race(options.stage, "python_bound", own, peers, options.rounds)


def large_arrays(options: Options) -> list[Row]:
    """Batches of 38 MB that are there already, from processes."""
    sequence = partial(LargeArrays, (8, 64, 64, 3)) if options.quick else LargeArrays
    own = Contestant("seqtrain processes", "ours", _ours_in_processes(sequence, options, touch_every_page))
    theirs = _keras_in_processes(sequence, options, touch_every_page)
    peers = [Contestant("Keras processes", "keras", theirs, ("keras",), 5.0)]
    return race(options.stage, "large_arrays", own, peers, options.rounds)


def empty_steps(options: Options) -> list[Row]:
    """An empty Sequence, batches of 1 KB, a tiny model: steps of `fit`."""
    steps = fits.EmptySteps(steps=20 if options.quick else 2000)
    own = Contestant("seqtrain, 1 thread", "fit", partial(fits.step_session, steps, "stream"))
    pydataset = partial(fits.step_session, steps, "pydataset")
    peers = [
        Contestant("Keras PyDataset, workers=1", "fit", pydataset, ("keras",), _WITHIN_10_PERCENT),
        Contestant("fit on arrays in memory", "fit", partial(fits.step_session, steps, "arrays"), ("keras",)),
    ]
    return race(options.stage, "empty_steps", own, peers, options.rounds)


def digits(options: Options) -> list[Row]:
    """A small CNN in `fit` on decoded digits."""
    folder = fits.decoded_digits(options.data, _DIGITS)
    decoded = fits.Digits(folder, options.workers, epochs=1 if options.quick else 6)
    own = Contestant("seqtrain, threads", "fit", partial(fits.digits_session, decoded, "stream"))
    arrays = partial(fits.digits_session, decoded, "arrays")
    peers = [Contestant("fit on arrays in memory", "fit", arrays, ("keras",), _WITHIN_3_PERCENT)]
    return race(options.stage, "digits", own, peers, options.rounds)


def second_epoch(options: Options) -> list[Row]:
    """JPEG 500x375 to 224x224: the second epoch from the prepared cache, against the first."""
    count, batch_size = (64, 16) if options.quick else (2000, 64)
    images = Images(photographs(options.data, count), (224, 224), batch_size, options.workers, options.seconds)
    own = Contestant("seqtrain, second epoch", "ours", partial(EpochSession, images, 1))
    peers = [Contestant("seqtrain, first epoch", "ours", partial(EpochSession, images, 0), at_least=8.0)]
    return race(options.stage, "second_epoch", own, peers, options.rounds)


WORKLOADS: dict[str, Callable[[Options], list[Row]]] = {
    function.__name__: function
    for function in (jpeg, large_jpeg, png, python_bound, large_arrays, empty_steps, digits, second_epoch)
}


class Spinning:
    """The bare work of the Python-bound samples.

    Args:
        loops: Turns of the loop for a sample.
    """

    def __init__(self, loops: int) -> None:
        self._loops = loops

    def __call__(self) -> int:
        """Makes a sample."""
        spin(self._loops)
        return 1


def _race_images(options: Options, name: str, images: Images, peers: list[Contestant]) -> list[Row]:
    own = Contestant("seqtrain threads", "ours", partial(ours.image_session, images))
    processes = Contestant("seqtrain processes", "ours", partial(ours.image_session, images, processes=True))
    return race(options.stage, name, own, [*peers, processes], options.rounds, partial(wrong_pixels, images))


def _limits(work: Callable[[], limit.Work], seconds: float, at_least: float | None = None) -> list[Contestant]:
    bare = partial(limit.LimitSession, work, seconds)
    everywhere = partial(limit.LimitSession, work, seconds, on_all_cores=True)
    return [
        Contestant("limit: one core times cores", "limit", bare, at_least=at_least),
        Contestant("limit: all cores at once", "limit", everywhere),
    ]


def _tensorflow(images: Images, tuned_at_least: float | None = None) -> list[Contestant]:
    tuned, needs = peers_tensorflow.tuned_session, ("tensorflow",)
    from_directory = partial(peers_tensorflow.directory_session, images)
    return [
        Contestant("tf.data by hand", "tensorflow", partial(tuned, images), needs, tuned_at_least),
        Contestant("tf.data by hand, rough pixels", "tensorflow", partial(tuned, images, rough=True), needs),
        Contestant("image_dataset_from_directory", "tensorflow", from_directory, ("keras", *needs)),
    ]


def _keras_images(images: Images) -> list[Contestant]:
    def entrant(name: str, options: KerasOptions, dtype: str, at_least: float | None = None) -> Contestant:
        opened = partial(peers_keras.image_session, images, options, dtype)
        return Contestant(f"Keras {name}, Pillow, {dtype}", "keras", opened, ("keras",), at_least)

    return [
        entrant("workers=1", KerasOptions(1), "uint8"),
        entrant(f"{images.workers} threads", KerasOptions(images.workers), "uint8", 3.0),
        entrant("1 process", KerasOptions(1, use_multiprocessing=True), "float32"),
        entrant(f"{images.workers} processes", KerasOptions(images.workers, use_multiprocessing=True), "float32", 6.0),
    ]


def _torch(name: str, images: Images, decoder: str, at_least: float | None = None) -> Contestant:
    return Contestant(name, "torch", partial(peers_torch.image_session, images, decoder), ("torch",), at_least)


def _grain(name: str, images: Images, processes: bool) -> Contestant:
    return Contestant(name, "grain", partial(peers_grain.image_session, images, processes), ("grain",), 1.0)


def _ours_in_processes(sequence: Callable[[], object], options: Options, *touch: Callable[[object], object]) -> partial:
    return partial(ours.session, sequence, StreamOptions(options.workers, processes=True), options.seconds, *touch)


def _keras_in_processes(
    sequence: Callable[[], object], options: Options, *touch: Callable[[object], object]
) -> partial:
    how = KerasOptions(options.workers, use_multiprocessing=True)
    return partial(peers_keras.session, sequence, how, options.seconds, *touch)
