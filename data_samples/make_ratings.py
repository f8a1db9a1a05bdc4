"""Writes `ratings/ratings.csv`: 8,000 generated ratings of 120 films by 150 users, in the form of MovieLens.

No person gave them: a rating is a mean, a bias of the user, a bias of the film, the product of two latent factors of
each, and noise, in half steps from 0.5 to 5. Ids have gaps, as real ones do.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

NUM_USERS, NUM_MOVIES, NUM_RATINGS = 150, 120, 8_000
FILE = Path(__file__).parent / "ratings" / "ratings.csv"


def main() -> None:
    """Writes the file."""
    rng = np.random.default_rng(2015)
    pairs = np.sort(rng.choice(NUM_USERS * NUM_MOVIES, NUM_RATINGS, replace=False))
    user, movie = np.divmod(pairs, NUM_MOVIES)
    taste, kind = rng.normal(0, 0.6, (NUM_USERS, 2)), rng.normal(0, 0.6, (NUM_MOVIES, 2))
    user_bias, movie_bias = rng.normal(0, 0.4, NUM_USERS), rng.normal(0, 0.6, NUM_MOVIES)
    rating = 3.3 + user_bias[user] + movie_bias[movie] + (taste[user] * kind[movie]).sum(axis=1)
    rating = np.clip(np.round(2 * (rating + rng.normal(0, 0.4, NUM_RATINGS))) / 2, 0.5, 5)
    user_ids = np.sort(rng.choice(np.arange(1, 1_000), NUM_USERS, replace=False))
    movie_ids = np.sort(rng.choice(np.arange(1, 5_000), NUM_MOVIES, replace=False))
    times = rng.integers(1_000_000_000, 1_500_000_000, NUM_RATINGS)
    lines = [f"{user_ids[u]},{movie_ids[m]},{r:.1f},{t}" for u, m, r, t in zip(user, movie, rating, times, strict=True)]
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("\n".join(["userId,movieId,rating,timestamp", *lines, ""]))


if __name__ == "__main__":
    main()
