"""Writes `power/*.csv`: the load of three generated towns, hour by hour, with the temperature, for ten weeks each.

No town of them exists. A load has a period of a day and of a week, rises with the cold, has a slow trend, and noise
that fades over some hours, so that the last value says something of the next, and yesterday says more of tomorrow.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

HOURS = 24 * 7 * 10
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
FOLDER = Path(__file__).parent / "power"
TOWNS = {"brook": 40.0, "ferry": 43.0, "mill": 38.0}  # mean load in MW


def main() -> None:
    """Writes the files."""
    rng = np.random.default_rng(24)
    FOLDER.mkdir(exist_ok=True)
    hour = np.arange(HOURS)
    times = [(BEGIN + timedelta(hours=int(step))).strftime("%Y-%m-%d %H:%M") for step in hour]
    for town, mean in TOWNS.items():
        phase = rng.uniform(0, 1)
        day, is_weekend = 2 * np.pi * (hour - phase) / 24, (hour // 24) % 7 >= 5
        temperature = 6 + 8 * hour / HOURS - 3 * np.cos(day - 0.7) + _fading(rng, 0.98, 0.6)
        shape = -0.25 * np.cos(day) - 0.12 * np.cos(2 * day - 0.6)
        load = mean * (1 + np.where(is_weekend, 0.6 * shape - 0.12, shape) - 0.008 * (temperature - 8))
        load += mean * (0.05 * hour / HOURS + _fading(rng, 0.8, 0.02))
        rows = zip(times, load, temperature, strict=True)
        lines = [f"{time},{megawatts:.2f},{degrees:.1f}" for time, megawatts, degrees in rows]
        (FOLDER / f"{town}.csv").write_text("\n".join(["time,load_mw,temperature_c", *lines, ""]))


def _fading(rng: np.random.Generator, keeps: float, deviation: float) -> np.ndarray:
    """Noise of which each hour keeps a share."""
    noise = rng.normal(0, deviation, HOURS)
    for step in range(1, HOURS):
        noise[step] += keeps * noise[step - 1]
    return noise


if __name__ == "__main__":
    main()
