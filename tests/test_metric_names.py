import pytest

from seqtrain.metric_names import known_monitor, larger_is_better


@pytest.mark.parametrize(
    ("metric", "larger"),
    [
        ("val_accuracy", True),
        ("val_loss", False),
        ("mae", False),
        ("val_cosine_similarity", True),
        ("mean_io_u", True),
        ("val_auc", True),
        ("root_mean_squared_error", False),
        ("kl_divergence", False),
        ("val_kl", False),
        ("r2_score", True),
    ],
)
def test_the_name_says_whether_less_is_better(metric, larger):
    assert larger_is_better(metric) is larger


def test_acc_means_accuracy_where_that_is_logged():
    assert known_monitor("acc", ("loss", "accuracy")) == "accuracy"
    assert known_monitor("val_acc", ("val_acc", "val_accuracy")) == "val_acc"
    assert known_monitor("val_auc", ("loss",)) is None
