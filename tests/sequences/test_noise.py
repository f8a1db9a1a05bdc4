import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from seqtrain.config import load_config
from seqtrain.errors import ConfigError
from seqtrain.sequences.noise import Noise, with_noise

GRAY = np.full((100, 100), 128, dtype=np.uint8)


def noisy(picture: np.ndarray, seed: int = 3, **noise) -> np.ndarray:
    return with_noise(noise, picture, np.random.default_rng(seed))


def test_gaussian_noise_has_the_asked_deviation_about_the_picture() -> None:
    moved = noisy(GRAY, name="gaussian", scale=0.1).astype(float) - 128
    assert abs(moved.mean()) < 1  # of 10,000 values: four standard errors of 25.5
    assert moved.std() == pytest.approx(25.5, rel=0.03)
    assert abs(moved).max() > 3 * 25.5


def test_gaussian_noise_has_the_shares_of_a_normal_distribution() -> None:
    moved = (noisy(np.full((400, 400), 128, np.uint8), name="gaussian", scale=0.1).astype(float) - 128) / 25.5
    for beyond, share in ((1, 0.3173), (2, 0.0455), (3, 0.0027)):  # in standard deviations
        assert (abs(moved) > beyond).mean() == pytest.approx(share, rel=0.12)


def test_gaussian_noise_is_clipped_and_does_not_wrap_around() -> None:
    dark, bright = np.zeros((50, 50), dtype=np.uint8), np.full((50, 50), 255, dtype=np.uint8)
    assert 0.4 < (noisy(dark, name="gaussian", scale=0.1) == 0).mean() < 0.6
    assert noisy(dark, name="gaussian", scale=0.1).max() < 128
    assert noisy(bright, name="gaussian", scale=0.1).min() > 128


def test_salt_and_pepper_are_equally_many_and_the_rest_is_untouched() -> None:
    values, counts = np.unique(noisy(GRAY, name="salt_and_pepper", fraction=0.4), return_counts=True)
    assert values.tolist() == [0, 128, 255]
    assert counts.tolist() == pytest.approx([2000, 6000, 2000], abs=200)


def test_masking_makes_the_fraction_of_pixels_black() -> None:
    values, counts = np.unique(noisy(GRAY, name="masking", fraction=0.25), return_counts=True)
    assert values.tolist() == [0, 128]
    assert counts[0] == pytest.approx(2500, abs=180)


@pytest.mark.parametrize("name", ["salt_and_pepper", "masking"])
def test_a_pixel_of_a_colour_picture_is_lost_whole(name: str) -> None:
    picture = np.random.default_rng(0).integers(1, 255, (40, 40, 3), dtype=np.uint8)
    changed = noisy(picture, name=name, fraction=0.5) != picture
    assert np.array_equal(changed.any(axis=2), changed.all(axis=2))
    assert 600 < changed.all(axis=2).sum() < 1000


@pytest.mark.parametrize(
    "noise",
    [
        {"name": "gaussian", "scale": 0.2},
        {"name": "salt_and_pepper", "fraction": 0.2},
        {"name": "masking", "fraction": 0.2},
    ],
    ids=lambda noise: noise["name"],
)
def test_noise_depends_on_the_generator_alone_and_leaves_the_picture(noise: dict) -> None:
    picture = GRAY.copy()
    first = noisy(picture, **noise)
    assert np.array_equal(picture, GRAY)
    assert np.array_equal(noisy(picture, **noise), first)
    assert not np.array_equal(noisy(picture, seed=4, **noise), first)
    assert first.dtype == np.uint8


@pytest.mark.parametrize(
    "noise",
    [
        {"name": "gaussian"},
        {"name": "gaussian", "scale": 0},
        {"name": "gaussian", "scale": 0.2, "fraction": 0.1},
        {"name": "masking", "fraction": 1.5},
        {"name": "speckle", "scale": 0.2},
    ],
)
def test_wrong_options_are_refused(noise: dict) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Noise).validate_python(noise)


@pytest.mark.parametrize("noise", ["{name: gausian, scale: 0.2}", "{scale: 0.2}", "gaussian"])
def test_a_config_is_told_which_kinds_there_are(noise: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        f"source: {{name: images, path: .}}\n"
        f"sequence: {{name: autoencoder, image_size: [8, 8], noise: {noise}}}\n"
        f"model: autoencoder\n"
    )
    with pytest.raises(ConfigError, match="sequence.noise: wrong value") as told:
        load_config(tmp_path / "config.yaml")
    assert f"{tmp_path}/config.yaml:2:" in str(told.value)
    assert "expected a mapping with the name gaussian, salt_and_pepper or masking" in str(told.value)


def test_the_schema_for_editors_is_whole() -> None:
    schema = json.dumps(TypeAdapter(Noise).json_schema())
    assert all(name in schema for name in ("gaussian", "salt_and_pepper", "masking"))
    assert "$ref" not in schema
