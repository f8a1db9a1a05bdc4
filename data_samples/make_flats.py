"""Writes `flats/flats.csv`: 1,200 generated flats, with two targets: the price (a number) and the heating (a class).

No flat of it exists. The price is area times what the district and the condition ask for a square metre, less what
age takes; the heating goes by the year it was built in, by district and by area, with some chance. As in real tables,
some cells are empty, and one district is so rare that validation may hold it alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NUM_FLATS = 1_200
FILE = Path(__file__).parent / "flats" / "flats.csv"
DISTRICTS = {"harbour": 5200, "old town": 4800, "mills": 3900, "gardens": 3300, "heights": 2700, "island": 6500}
SHARES = (0.2, 0.2, 0.22, 0.2, 0.176, 0.004)
CONDITIONS = {"new": 1.15, "good": 1.0, "worn": 0.85, "": 0.95}
HEATINGS = ("district", "gas", "heat pump")


def main() -> None:
    """Writes the file."""
    rng = np.random.default_rng(2024)
    area = np.round(np.clip(rng.lognormal(4.2, 0.35, NUM_FLATS), 18, 220), 1)
    rooms = np.clip(np.round(area / 27 + rng.normal(0, 0.5, NUM_FLATS)), 1, 8).astype(int)
    year = rng.integers(1900, 2024, NUM_FLATS)
    floor = rng.integers(0, 9, NUM_FLATS)
    district = rng.choice(list(DISTRICTS), NUM_FLATS, p=SHARES)
    condition = rng.choice(list(CONDITIONS), NUM_FLATS, p=(0.2, 0.45, 0.3, 0.05))
    per_metre = np.vectorize(DISTRICTS.get)(district) * np.vectorize(CONDITIONS.get)(condition)
    price = area * per_metre * (1 - 0.002 * (2024 - year)) * np.exp(rng.normal(0, 0.05, NUM_FLATS)) + 4000 * floor
    central = np.isin(district, ["harbour", "old town", "island"])
    scores = np.stack([2.0 * central, (year < 1995) + 0.01 * area - 0.7, 0.09 * (year - 1995.0)])
    heating = np.array(HEATINGS)[(2 * scores + rng.gumbel(0, 0.5, scores.shape)).argmax(axis=0)]
    known_floor = np.where(rng.random(NUM_FLATS) < 0.06, "", floor.astype(str))
    columns = (area, rooms, year, known_floor, district, condition, np.round(price / 100).astype(int) * 100, heating)
    lines = [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("\n".join(["area_m2,rooms,year,floor,district,condition,price,heating", *lines, ""]))


if __name__ == "__main__":
    main()
