from __future__ import annotations

import numpy as np
from sklearn.preprocessing import StandardScaler

from seqtrain.sequences.fitted import Scaling, Vocabulary
from seqtrain.sources.table_file import Categories


def test_scaling_is_that_of_scikit_learn_also_with_gaps_and_a_large_mean() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal([0, 1e6, -3], [1, 2, 0.5], (200_000, 3))
    values[rng.random(values.shape) < 0.1] = np.nan
    rows = rng.permutation(len(values))[:150_000]
    scaling = Scaling.fit(values, rows)
    expected = StandardScaler().fit(values[rows])
    np.testing.assert_allclose(scaling.mean, expected.mean_, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(scaling.std, expected.scale_, rtol=1e-9)
    np.testing.assert_allclose(scaling.apply(values[:9]), expected.transform(values[:9]), rtol=1e-6, atol=1e-6)
    assert scaling.has_missing.all()


def test_a_constant_is_only_moved_and_a_column_without_values_has_no_mean() -> None:
    values = np.array([[5, np.nan, 0.1], [5, np.nan, 0.1], [9, 1, 0.1]], np.float32)
    scaling = Scaling.fit(values, np.array([0, 1]))
    assert scaling.apply(values)[:, 0].tolist() == [0, 0, 4]
    assert np.isnan(scaling.mean).tolist() == [False, True, False]
    assert scaling.has_missing.tolist() == [False, True, False]
    np.testing.assert_allclose(scaling.apply(values)[:, 2], 0, atol=1e-7)


def test_columns_may_be_scaled_apart() -> None:
    values = np.array([[0, 10, 100], [2, 30, 500]], np.float32)
    scaling = Scaling.fit(values, np.array([0, 1]))
    assert scaling.apply(values[:, [2, 0]], np.array([2, 0])).tolist() == [[-1, -1], [1, 1]]


def test_ids_are_unknown_missing_and_then_the_names_of_the_training_part() -> None:
    column = Categories(np.array([2, 0, -1, 2, 1], np.int32), ("a", "b", "c"))
    vocabulary = Vocabulary.fit(column, np.array([0, 1, 3]))
    assert vocabulary.names == ("a", "c")
    assert vocabulary.apply(column.codes).tolist() == [3, 2, 1, 3, 0]
    assert vocabulary.apply(column.codes).dtype == np.int32
    assert len(vocabulary) == 4


def test_rare_categories_are_unknown() -> None:
    column = Categories(np.array([0, 0, 1, -1], np.int32), ("a", "b"))
    vocabulary = Vocabulary.fit(column, np.arange(4), min_count=2)
    assert vocabulary.apply(column.codes).tolist() == [2, 2, 0, 1]
