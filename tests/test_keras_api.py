import importlib
import inspect
import subprocess
import sys

import keras
import pytest
from pydantic import TypeAdapter

from seqtrain import keras_api
from seqtrain.keras_api import find, names, offered
from seqtrain.signature import REQUIRED

KINDS = {
    "callback": (keras.callbacks, keras.callbacks.Callback),
    "optimizer": (keras.optimizers, keras.optimizers.Optimizer),
    "loss": (keras.losses, keras.losses.Loss),
    "metric": (keras.metrics, keras.metrics.Metric),
    "schedule": (keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule),
}
LEFT_OUT = {
    "callback": {"Callback", "CallbackList", "History", "LambdaCallback", "LearningRateScheduler", "ProgbarLogger"},
    "optimizer": {"LossScaleOptimizer", "MultiOptimizer", "Optimizer"},
    "loss": {"Loss"},
    "metric": {"Mean", "MeanMetricWrapper", "Metric", "Sum"},
    "schedule": {"LearningRateSchedule"},
}


def real_classes(kind):
    module, base = KINDS[kind]
    members = {name: value for name, value in vars(module).items() if inspect.isclass(value)}
    return {name: value for name, value in members.items() if issubclass(value, base)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_public_class_of_keras_is_offered_but_those_that_no_config_can_make(kind):
    classes = {name for name, offer in offered(kind).items() if offer.is_class}
    assert classes == set(real_classes(kind)) - LEFT_OUT[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_and_defaults_agree_with_the_imported_classes(kind):
    for name, real in real_classes(kind).items():
        if name in LEFT_OUT[kind]:
            continue
        expected = (
            {
                parameter.name: parameter.default
                for parameter in list(inspect.signature(real.__init__).parameters.values())[1:]
                if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            }
            if "__init__" in dir(real) and real.__init__ is not object.__init__
            else {}
        )
        found = {parameter.name: parameter.default for parameter in offered(kind)[name].signature.parameters.values()}
        assert found == expected, name


@pytest.mark.parametrize("kind", KINDS)
def test_targets_can_be_imported(kind):
    for offer in offered(kind).values():
        if offer.target:
            module, attribute = offer.target.split(":")
            assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("kind", KINDS)
def test_every_default_is_a_valid_value(kind):
    for offer in offered(kind).values():
        for parameter in offer.signature.parameters.values():
            if parameter.default is not REQUIRED:
                TypeAdapter(parameter.annotation).validate_python(parameter.default)


@pytest.mark.parametrize("kind", KINDS)
def test_every_listed_name_is_found(kind):
    assert names(kind)
    for name in names(kind):
        assert find(kind, name) is not None, name


@pytest.mark.parametrize(("kind", "get"), [("loss", keras.losses.get), ("metric", keras.metrics.get)])
def test_keras_understands_every_string_that_stands_for_an_offer(kind, get):
    for spelling in {spelling for name in names(kind) for spelling in keras_api.spellings(kind, name)}:
        string = find(kind, spelling).string
        if string is not None and string not in ("accuracy", "acc", "crossentropy", "ce", "Accuracy"):
            assert get(string) is not None


def test_keras_understands_every_optimizer_string():
    strings = [find("optimizer", name).string for name in ["Adam", "ADAMW", *names("optimizer")]]
    assert {"Adam", "ADAMW", "sgd", "rmsprop"} <= set(strings)
    for string in filter(None, strings):
        assert isinstance(keras.optimizers.get(string), keras.optimizers.Optimizer)


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("callback", "early_stopping", "EarlyStopping"),
        ("callback", "earlystopping", "EarlyStopping"),
        ("callback", "EarlyStopping", "EarlyStopping"),
        ("callback", "tensorboard", "TensorBoard"),
        ("optimizer", "adamw", "AdamW"),
        ("optimizer", "schedule_free_adamw", "ScheduleFreeAdamW"),
        ("loss", "binary_crossentropy", "BinaryCrossentropy"),
        ("loss", "mse", "MeanSquaredError"),
        ("loss", "kullback_leibler_divergence", "KLDivergence"),
        ("metric", "MAE", "MeanAbsoluteError"),
        ("metric", "iou", "IoU"),
        ("metric", "huber", "huber"),
        ("schedule", "cosine_decay", "CosineDecay"),
    ],
)
def test_names_are_understood_as_people_write_them(kind, written, meant):
    assert find(kind, written).name == meant


def test_a_string_keeps_its_spelling_because_it_names_the_metric():
    assert find("metric", "mse").string == "mse"
    assert find("metric", "mean_squared_error").string == "mean_squared_error"
    assert find("metric", "kld").string == "kl_divergence"  # keras.metrics.get does not know kld
    assert find("metric", "huber").string is None
    assert find("metric", "mean_iou").string is None  # it needs num_classes
    assert find("optimizer", "lamb").string is None  # keras.optimizers.get does not know it


@pytest.mark.parametrize("written", ["accuracy", "acc", "Accuracy"])
def test_accuracy_is_the_string_that_keras_resolves_by_the_output(written):
    offer = find("metric", written)
    assert (offer.string, offer.is_class, dict(offer.signature.parameters)) == (written, False, {})


def test_what_keras_does_not_have_is_not_found():
    assert find("callback", "early_stoping") is None
    assert find("loss", "get") is None


def test_a_parameter_carries_its_meaning_and_that_of_the_base_class():
    parameters = find("optimizer", "adam").signature.parameters
    assert parameters["amsgrad"].meaning.startswith("Boolean. Whether to apply AMSGrad")
    assert parameters["weight_decay"].meaning == "Float. If set, weight decay is applied."


def test_a_learning_rate_may_be_a_number_or_a_schedule():
    learning_rate = TypeAdapter(find("optimizer", "sgd").signature.parameters["learning_rate"].annotation)
    assert learning_rate.validate_json("0.1", strict=True) == 0.1
    assert learning_rate.validate_json('{"name": "cosine_decay"}', strict=True) == {"name": "cosine_decay"}


def test_reading_keras_does_not_import_it():
    program = (
        "import sys; from seqtrain.keras_api import names; from seqtrain.registry import callbacks;"
        "[names(kind) for kind in ('callback', 'optimizer', 'loss', 'metric', 'schedule')]; callbacks.names();"
        "print(sorted({'keras', 'tensorflow', 'tqdm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
