import numpy as np
import pytest
from sklearn import metrics

from seqtrain.reports.ranking import average_precision, precision_recall, roc, roc_area


@pytest.fixture(params=["distinct scores", "many equal scores", "all equal scores"])
def decisions(request):
    generator = np.random.default_rng(3)
    positive = generator.random(300) < 0.3
    scores = generator.normal(size=300) + positive
    if request.param == "many equal scores":
        scores = scores.round()
    return positive, np.zeros(300) if request.param == "all equal scores" else scores


def test_roc_is_that_of_scikit_learn(decisions):
    false_rate, true_rate, _ = metrics.roc_curve(*decisions, drop_intermediate=False)
    ours = roc(*decisions)
    np.testing.assert_allclose(ours[0], false_rate)
    np.testing.assert_allclose(ours[1], true_rate)
    assert roc_area(*ours) == pytest.approx(metrics.roc_auc_score(*decisions))


def test_precision_and_recall_are_those_of_scikit_learn(decisions):
    precision, recall, _ = metrics.precision_recall_curve(*decisions)
    ours = precision_recall(*decisions)
    np.testing.assert_allclose(ours[0][1:], recall[-2::-1])  # which ends with a precision of 1 by definition
    np.testing.assert_allclose(ours[1][1:], precision[-2::-1])
    assert average_precision(*decisions) == pytest.approx(metrics.average_precision_score(*decisions))


def test_two_samples_ranked_right_have_an_area_of_one_and_wrong_of_zero():
    positive = np.array([True, False])
    assert roc_area(*roc(positive, np.array([0.9, 0.1]))) == 1
    assert roc_area(*roc(positive, np.array([0.1, 0.9]))) == 0
