"""Runs that are stopped where Keras or a callback has more to say about how they go on."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest

from seqtrain.errors import CheckpointError
from seqtrain.loading.keras_dataset import TrainingDataset
from seqtrain.loading.stream import BatchStream
from seqtrain.training.progress import Moment, Progress
from seqtrain.training.recorder import cut_back_csv
from seqtrain.training.run_callbacks import RunCallbacks
from tests.conftest import ROOT
from tests.training.resuming import MARKS, assert_alike, broken_off_at, history, load_config_once, moments, run

pytestmark = MARKS

STEPS = 10  # in an epoch
LOGGED = '{name: csv_logger, filename: "{run_dir}/own.csv"}'
AVERAGED = "compile.optimizer={name: adam, learning_rate: 3e-2, use_ema: true, ema_momentum: 0.9}"
DECAYED = "compile.optimizer={name: adamw, learning_rate: 3e-2, weight_decay: 0.3}"


def callbacks_of(*first):
    return f"callbacks=[{', '.join([*first, LOGGED, 'survivors_breaks_off'])}]"


def ends_alike(tmp_path, *at, settings):
    """A run that is broken off at moments ends as one that is not."""
    reference = tmp_path / "reference"
    whole = reference, run(reference, *settings).result
    assert_alike(tmp_path, broken_off_at(tmp_path, *at, settings=settings), whole)


def first_weights(model):
    return np.array(model.trainable_variables[0])


def wait_until(is_true, seconds=10):
    """Waits for what another thread is about to do, such as a step that decays the weights before it has its batch."""
    deadline = time.monotonic() + seconds
    while not is_true() and time.monotonic() < deadline:
        threading.Event().wait(0.005)


@pytest.fixture
def stopped_waiting(monkeypatch):
    """Has SIGTERM sent to the next run while it waits for a batch, or for the first that it looks at; runs it."""

    def stop(folder, epoch=None, batch=0, settings=(), validates=False):
        reads, begun, sent, interrupted = (threading.Event() for _ in range(4))
        take, interrupt, begin = BatchStream.take, BatchStream.interrupt, RunCallbacks.on_train_batch_begin
        for_fit, runs, weights = TrainingDataset.for_fit, [], []

        def is_wanted(stream, position):
            if validates:  # any batch of the validation
                progress = runs[0].progress if runs else Progress()
                return stream.end is None and (progress.epoch, progress.moment) == (epoch, Moment.VALIDATING)
            if stream.end is None or epoch is None:
                return stream.end is not None
            return reads.is_set() and position == epoch * STEPS + batch and begun.wait(30)

        def taken(stream, position=None, interruptible=True):
            if is_wanted(stream, position) and not sent.is_set():
                if DECAYED in settings:
                    wait_until(lambda: not np.array_equal(weights[0], first_weights(runs[0].model)))
                sent.set()
                os.kill(os.getpid(), signal.SIGTERM)
                interrupted.wait(1)  # where a step is not to be interrupted, the batch is given then
            return take(stream, position, interruptible)

        def reading(dataset):
            given = for_fit(dataset)
            reads.set()  # what follows is read to train on, not to know the shapes
            return given

        def interrupting(stream, reason):
            interrupt(stream, reason)
            interrupted.set()

        def began(callbacks, number, logs=None):
            runs.append(callbacks.run)
            begin(callbacks, number, logs)
            if (callbacks.run.progress.epoch, number) == (epoch, batch):
                weights.append(first_weights(callbacks.run.model))
                begun.set()

        with monkeypatch.context() as patch:
            patch.setattr(BatchStream, "take", taken)
            patch.setattr(BatchStream, "interrupt", interrupting)
            patch.setattr(TrainingDataset, "for_fit", reading)
            patch.setattr(RunCallbacks, "on_train_batch_begin", began)
            outcome = run(folder, *settings)
        assert outcome.exit_code == 128 + signal.SIGTERM
        return outcome

    return stop


def newest(folder):
    """The weights of the newest checkpoint, and where it stands."""
    path = (folder / "run" / "checkpoints" / "last").resolve()
    return path.name, (path / "model.weights.h5").read_bytes()


@pytest.mark.long
def test_a_run_with_weight_decay_that_was_stopped_waiting_for_data_ends_as_one_that_was_not(tmp_path, stopped_waiting):
    settings = [DECAYED]
    whole = tmp_path / "reference", run(tmp_path / "reference", *settings).result
    load_config_once(tmp_path)
    stopped_waiting(tmp_path, 1, 4, settings)
    assert_alike(tmp_path, run(tmp_path, *settings), whole)


@pytest.mark.long
def test_a_run_that_was_stopped_twice_at_one_batch_ends_as_one_that_was_not(tmp_path, whole, stopped_waiting):
    reference = whole()
    stopped_waiting(tmp_path, 1, 4)
    at = newest(tmp_path)[0]
    stopped_waiting(tmp_path, 1, 4)
    if keras.backend.backend() == "tensorflow":
        assert newest(tmp_path)[0].startswith(at[: len("step-00000014")])
    assert_alike(tmp_path, run(tmp_path), reference)


@pytest.mark.long
def test_an_epoch_begins_once_when_stopped_while_it_waits_for_its_first_batch(tmp_path, whole, stopped_waiting):
    reference = whole()
    stopped_waiting(tmp_path, 2, 0)
    stopped_waiting(tmp_path, 2, 0)
    assert_alike(tmp_path, run(tmp_path), reference)


@pytest.mark.long
def test_fewer_epochs_are_refused_once_the_next_has_begun(tmp_path, stopped_waiting):
    load_config_once(tmp_path)
    stopped_waiting(tmp_path, 2, 0)
    with pytest.raises(CheckpointError, match="the run is in its epoch 3 already") as raised:
        run(tmp_path, "fit.epochs=2")
    assert raised.value.exit_code == 4


def test_a_stop_before_the_checkpoint_is_applied_saves_nothing(tmp_path, whole, stopped_waiting):
    reference = whole()
    moments().append(("batch end", 1, 6, signal.SIGTERM))
    run(tmp_path)
    before = newest(tmp_path)
    stopped_waiting(tmp_path)
    assert newest(tmp_path) == before
    assert_alike(tmp_path, run(tmp_path), reference)


@pytest.mark.long
@pytest.mark.parametrize(
    "swap",
    [
        "swap_ema_weights",
        pytest.param("", marks=pytest.mark.long),
        pytest.param("{name: swap_ema_weights, swap_on_epoch: true}", marks=pytest.mark.long),
    ],
)
def test_averaged_weights_are_the_same_after_stops(tmp_path, swap):
    load_config_once(tmp_path)
    at = [
        ("batch end", 0, 4, signal.SIGTERM),
        ("test batch end", 1, 1, signal.SIGTERM),
        ("epoch end", 2, 0, signal.SIGTERM),
        ("test batch end", 3, 0, signal.SIGTERM),
    ]
    ends_alike(tmp_path, *at, settings=[AVERAGED, callbacks_of(*filter(None, [swap]))])


@pytest.mark.long
def test_averaged_weights_are_the_same_after_a_stop_while_a_validation_waits_for_data(tmp_path, stopped_waiting):
    settings = [AVERAGED, callbacks_of("swap_ema_weights"), "checkpoint={}"]
    whole = tmp_path / "reference", run(tmp_path / "reference", *settings).result
    load_config_once(tmp_path)
    stopped_waiting(tmp_path, 0, settings=settings, validates=True)
    assert_alike(tmp_path, run(tmp_path, *settings), whole)


@pytest.mark.long
@pytest.mark.parametrize(
    "broken",
    [("test batch end", 2, 1, signal.SIGTERM), pytest.param(("test batch end", 2, 1), marks=pytest.mark.long)],
)
def test_a_run_that_a_callback_stopped_in_an_epoch_trains_no_more_of_it(tmp_path, broken):
    load_config_once(tmp_path)
    settings = [callbacks_of("survivors_stops"), "checkpoint={every: 1}"]
    ends_alike(tmp_path, broken, settings=settings)
    assert len(history(tmp_path)) == 3


@pytest.mark.long
def test_what_keras_backs_up_itself_changes_nothing(tmp_path):
    load_config_once(tmp_path)
    backup = '{name: backup_and_restore, backup_dir: "{run_dir}/backup"}'
    at = [("batch end", 1, 6, signal.SIGTERM), ("epoch end", 2, 0)]  # Keras's is an epoch further than ours
    ends_alike(tmp_path, *at, settings=[callbacks_of(backup)])


@pytest.mark.long
def test_a_run_that_was_stopped_after_one_batch_of_an_epoch_ends_as_one_that_was_not(tmp_path, whole):
    assert_alike(tmp_path, broken_off_at(tmp_path, ("batch end", 1, 0, signal.SIGTERM)), whole())


HERE = "tests/training/test_resume"
RESUMED_ON_JAX = [
    f"{HERE}.py::test_a_run_that_was_killed_ends_as_one_that_was_not[everywhere]",
    f"{HERE}_callbacks.py::test_averaged_weights_are_the_same_after_stops[]",
    f"{HERE}_callbacks.py::test_a_run_that_was_stopped_after_one_batch_of_an_epoch_ends_as_one_that_was_not",
]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize("tests", [RESUMED_ON_JAX[:1], pytest.param(RESUMED_ON_JAX[1:], marks=pytest.mark.long)])
def test_runs_on_jax_that_were_broken_off_end_as_ones_that_were_not(tests):
    if keras.backend.backend() == "jax":
        return
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "long or not long", *tests],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_kill_while_keras_log_is_cut_back_loses_no_row_of_it(tmp_path, monkeypatch):
    def broken_off(*arguments, **options):
        raise KeyboardInterrupt

    logger = keras.callbacks.CSVLogger(tmp_path / "own.csv")
    rows = "epoch,loss\r\n0,3.0\r\n1,2.0\r\n2,1.0\r\n"  # as Keras writes them
    (tmp_path / "own.csv").write_bytes(rows.encode())
    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("seqtrain.training.recorder.csv.writer", broken_off)
        cut_back_csv(logger, 2)
    assert (tmp_path / "own.csv").read_bytes() == rows.encode()
    cut_back_csv(logger, 2)
    assert (tmp_path / "own.csv").read_bytes() == b"epoch,loss\r\n0,3.0\r\n1,2.0\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["own.csv"]
