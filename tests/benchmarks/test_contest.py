"""Who takes part: those that are installed and deliver the right thing."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.contest import race
from tests.benchmarks.data import Images
from tests.benchmarks.pixels import wrong_pixels
from tests.benchmarks.stage import Contestant, ContestantError, Stage


@dataclass
class Constant:
    """Delivers one number at a fixed speed."""

    number: float
    its_speed: float

    def sample(self):
        return np.array([self.number])

    def speed(self):
        return self.its_speed


def failing():
    raise RuntimeError("no such device")


def contestant(name, number, speed, **options):
    return Contestant(name, "numbers", partial(Constant, number, speed), **options)


def is_one(sample):
    return None if sample[0] == 1 else f"{sample[0]:g}, not 1"


def test_ours_is_divided_by_each_peer_that_delivers_the_same():
    peers = [
        contestant("slower", 1, 4.0, at_least=2.0),
        contestant("wrong", 3, 1.0),
        contestant("absent", 1, 1.0, needs=("no_such_package",)),
        Contestant("broken", "numbers", failing),
    ]
    with Stage() as stage:
        own, slower, wrong, absent, broken = race(stage, "sums", contestant("ours", 1, 10.0), peers, 2, is_one)
    assert (own.peer, own.speeds, own.ratios) == ("ours", [10.0, 10.0], [])
    assert (slower.ratios, slower.is_reached) == ([2.5, 2.5], True)
    assert (wrong.ratios, wrong.note) == ([], "delivers something else: 3, not 1")
    assert (absent.ratios, absent.note) == ([], "not installed: no_such_package")
    assert broken.ratios == []
    assert "no such device" in broken.note


def test_ours_must_deliver_the_right_thing():
    with Stage() as stage, pytest.raises(ContestantError, match="2, not 1"):
        race(stage, "sums", contestant("ours", 2, 10.0), [], 1, is_one)


def test_pixels_are_held_against_pillow(tmp_path):
    generator = np.random.default_rng(0)
    pictures = [np.kron(generator.integers(0, 256, (4, 5, 3)), np.ones((20, 20, 1))).astype(np.uint8) for _ in range(2)]
    for number, picture in enumerate(pictures):
        (tmp_path / f"class_{number}").mkdir()
        Image.fromarray(picture).save(tmp_path / f"class_{number}" / "0.png")
    images = Images(tmp_path, image_size=(40, 50), batch_size=2, workers=1, seconds=0.1)
    batch = np.stack([picture[::2, ::2] for picture in pictures])
    assert wrong_pixels(images, batch) is None
    assert wrong_pixels(images, batch.astype(np.float32)) is None
    assert "pixels differ" in wrong_pixels(images, batch[::-1])
    assert "pixels differ" in wrong_pixels(images, batch[..., ::-1])
    assert "pixels differ" in wrong_pixels(images, (batch / 255).astype(np.float32))
    assert "shape" in wrong_pixels(images, batch[:1])
    assert "float64" in wrong_pixels(images, batch.astype(np.float64))
