import numpy as np

from seqtrain.reports.subsample import Subsample


def test_few_rows_are_all_kept_in_their_order():
    sample = Subsample(10)
    sample.add(np.arange(3), np.arange(3) * 2)
    sample.add(np.arange(3, 5), np.arange(3, 5) * 2)
    first, second = sample.columns()
    assert first.tolist() == [0, 1, 2, 3, 4] and second.tolist() == [0, 2, 4, 6, 8]


def test_of_many_rows_each_is_as_likely_to_be_kept():
    sample = Subsample(1000)
    for start in range(0, 20_000, 100):
        sample.add(np.arange(start, start + 100))
    (kept,) = sample.columns()
    assert len(kept) == len(set(kept.tolist())) == 1000
    # The mean of 1000 of 0 to 19999 has a standard deviation of 183; of the first or the last, a mean 9500 off.
    assert abs(kept.mean() - 9999.5) < 4 * 183
