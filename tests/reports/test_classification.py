import csv
import io

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics

from seqtrain.reports.classification import ClassificationResults


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def scored(num_classes, count=400, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, num_classes, count)
    logits = generator.normal(size=(count, num_classes)) + 2 * np.eye(num_classes)[truth]
    return truth, logits


def results(truth, scores, num_classes, names=None):
    made = ClassificationResults(num_classes, names)
    for start in range(0, len(truth), 64):
        made.add(truth[start : start + 64], scores[start : start + 64])
    return made


def test_the_table_is_that_of_scikit_learn():
    truth, logits = scored(5)
    made = results(truth, softmax(logits), 5, "abcde")
    predicted = logits.argmax(axis=1)
    np.testing.assert_array_equal(made.counts, metrics.confusion_matrix(truth, predicted))
    expected = np.array(metrics.precision_recall_fscore_support(truth, predicted)).T
    rows = list(csv.reader(io.StringIO(made.table.csv())))
    assert rows[0] == ["class", "precision", "recall", "f1", "support"]
    assert [row[0] for row in rows[1:]] == list("abcde")
    np.testing.assert_allclose(np.array([row[1:] for row in rows[1:]], float), expected, rtol=1e-5)


@pytest.mark.parametrize("as_logits", [False, True])
def test_key_figures_are_those_of_scikit_learn(as_logits):
    truth, logits = scored(4)
    scores = softmax(logits)
    numbers = results(truth, logits if as_logits else scores, 4).numbers()
    assert numbers["samples"] == 400
    assert numbers["accuracy"] == pytest.approx(metrics.accuracy_score(truth, scores.argmax(axis=1)))
    assert numbers["macro_f1"] == pytest.approx(metrics.f1_score(truth, scores.argmax(axis=1), average="macro"))
    assert numbers["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, scores, multi_class="ovr"), abs=1e-6)


@pytest.mark.parametrize("as_logits", [False, True])
def test_a_single_score_is_cut_at_a_half_and_a_logit_at_zero(as_logits):
    truth, logits = scored(2)
    logit = logits[:, 1] - logits[:, 0]
    made = results(truth, (logit if as_logits else 1 / (1 + np.exp(-logit)))[:, None], 2)
    np.testing.assert_array_equal(made.counts, metrics.confusion_matrix(truth, logit > 0))
    assert made.numbers()["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, logit))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("predicted", [[0, 0, 0, 0, 0, 0], [0, 1, 2, 0, 1, 2], [3, 0, 1, 1, 0, 3], [0, 1, 1, 0, 1, 0]])
def test_means_are_those_of_scikit_learn_also_of_classes_that_are_never_predicted_or_never_there(predicted):
    truth = np.array([0, 0, 1, 0, 2, 1])
    numbers = results(truth, np.eye(5)[predicted], 5).numbers()
    wanted = metrics.precision_recall_fscore_support(truth, predicted, average="macro")[:3]
    assert [numbers[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(wanted)


def test_a_class_that_is_never_there_has_no_recall_and_is_left_out_of_means():
    made = results(np.array([0, 1, 0, 1]), np.eye(3)[[0, 1, 0, 1]], 3)
    assert made.table.rows()[1][2] == ["2", None, None, None, 0]
    assert made.numbers()["macro_recall"] == 1
    assert made.table.csv().splitlines()[3] == "2,,,,0"


def test_many_samples_are_counted_exactly_and_their_scores_kept_in_part():
    made = ClassificationResults(2000)
    truth, scores = np.arange(2000), np.eye(2000, dtype=np.float32)
    for _ in range(4):
        made.add(truth, scores)
    assert made.counts.trace() == 8000
    assert len(made.kept.columns()[0]) == 2000


@pytest.mark.parametrize("num_classes", [2, 3, 25])
def test_matrix_and_curves_are_drawn(tmp_path, num_classes):
    paths = results(*scored(num_classes), num_classes).draw(tmp_path, ".side")
    assert [path.name for path in paths] == ["confusion_matrix.side.png", "roc.side.png", "precision_recall.side.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


def test_samples_of_one_class_have_a_matrix_and_no_curves(tmp_path):
    made = results(np.zeros(4, int), np.full((4, 2), 0.5), 2)
    assert [path.name for path in made.draw(tmp_path)] == ["confusion_matrix.png"]
    assert "roc_auc" not in made.numbers()
