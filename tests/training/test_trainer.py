"""The public interface of the trainer: callbacks, history, calls of fit, seconds, resuming."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import assert_same, classes, mlp, noisy_mlp, variable_values

import batchsel
from batchsel import Trainer
from batchsel.training.fit_call import callback_utils

N, B = 50, 8
X, Y = classes(N)
LambdaCallback = keras.callbacks.LambdaCallback
numpy_warning = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def make_trainer(selector="random", build=mlp, **options):
    return Trainer(build(), selector, **{"batch_size": B, "compile": "graph"} | options)


def count_epochs(history):
    return len(history["loss"])


class RecordHooks(keras.callbacks.Callback):
    """Records the name and the first argument of every hook that is called."""

    def __init__(self):
        super().__init__()
        self.calls = []
        for name in ("train_begin", "train_end", "test_begin", "test_end"):
            setattr(self, f"on_{name}", lambda logs=None, name=name: self.calls.append(name))
        for name in ("epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end"):
            setattr(self, f"on_{name}", lambda number, logs=None, name=name: self.calls.append((name, number)))


def test_every_hook_is_called_in_the_order_of_keras():
    ours, theirs = RecordHooks(), RecordHooks()
    make_trainer().fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=[ours], verbose=0)
    mlp().fit(X, Y, batch_size=B, epochs=2, validation_data=(X, Y), callbacks=[theirs], verbose=0)
    assert ours.calls == theirs.calls


def test_the_history_has_a_value_for_each_epoch():
    result = make_trainer().fit(X, Y, epochs=3, validation_data=(X[:10], Y[:10]), verbose=0)
    assert isinstance(result, keras.callbacks.History)
    assert result.epoch == [0, 1, 2]
    assert set(result.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(
        len(values) == 3 and all(isinstance(value, float) for value in values) for values in result.history.values()
    )
    assert result.params["epochs"] == 3


def test_lambda_callbacks_see_every_batch_and_its_running_means():
    rows, ends = [], []
    each = LambdaCallback(
        on_train_batch_end=lambda batch, logs: rows.append((batch, logs["loss"], logs["accuracy"])),
        on_epoch_end=lambda epoch, logs: ends.append(logs["loss"]),
    )
    history = make_trainer("fixed").fit(X, Y, epochs=2, callbacks=[each], verbose=0).history
    theirs = []
    each = LambdaCallback(on_train_batch_end=lambda batch, logs: theirs.append((batch, logs["loss"], logs["accuracy"])))
    mlp().fit(X, Y, batch_size=B, epochs=2, shuffle=False, callbacks=[each], verbose=0)
    np.testing.assert_allclose(rows, theirs, rtol=1e-5)
    assert ends == history["loss"]
    assert rows[6][1] == ends[0]


def test_a_patient_callback_gets_the_last_batch_of_each_call():
    class PatientCallback(keras.callbacks.Callback):
        patient = True
        batches = ()

        def on_train_batch_end(self, batch, logs=None):
            self.batches += (batch,)

    patient = PatientCallback()
    make_trainer().fit(X, Y, epochs=2, callbacks=[patient], verbose=0)
    assert patient.batches == (6, 6)


@numpy_warning
def test_early_stopping_restores_the_best_weights():
    weights = []
    save = LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(variable_values(trainer.model)))
    stop = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    trainer = make_trainer(build=lambda: mlp(optimizer=keras.optimizers.SGD(3.0)))
    options = {"validation_data": (X, Y[::-1]), "callbacks": [save, stop], "verbose": 0}
    history = trainer.fit(X, Y, epochs=30, **options).history
    best = int(np.argmin(history["val_loss"]))
    assert count_epochs(history) == best + 3 < 30
    assert_same(variable_values(trainer.model), weights[best])


@numpy_warning
def test_model_checkpoint_saves_a_model_that_keras_loads(tmp_path):
    path = tmp_path / "best.keras"
    trainer = make_trainer()
    checkpoints = keras.callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    trainer.fit(X, Y, epochs=4, callbacks=[checkpoints], verbose=0)
    loaded = keras.models.load_model(path)
    assert_same(loaded.get_weights(), trainer.model.get_weights())
    assert int(loaded.optimizer.iterations.numpy()) == trainer.counts["steps"]


@numpy_warning
def test_model_checkpoint_saves_every_few_batches(tmp_path):
    checkpoints = keras.callbacks.ModelCheckpoint(
        tmp_path / "{batch:02d}.weights.h5", save_freq=3, save_weights_only=True
    )
    make_trainer().fit(X, Y, epochs=1, callbacks=[checkpoints], verbose=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["03.weights.h5", "06.weights.h5"]


@numpy_warning
def test_reduce_on_plateau_lowers_the_rate_that_is_trained_with():
    # The loss never improves by 10, so the rate falls after every epoch but the first.
    reduce_rate = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10)
    trainer = make_trainer("fixed")
    history = trainer.fit(X, Y, epochs=3, callbacks=[reduce_rate], verbose=0).history
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.05])
    assert trainer.model.optimizer.learning_rate.numpy() == np.float32(0.025)
    again = make_trainer("fixed")
    again.fit(X, Y, epochs=2, verbose=0)
    again.model.optimizer.learning_rate = 0.05
    again.fit(X, Y, epochs=1, verbose=0)
    assert_same(variable_values(trainer.model), variable_values(again.model))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard", "ignore::DeprecationWarning:keras")
def test_tensorboard_writes_events(tmp_path):
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    make_trainer().fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=[board], verbose=0)
    events = list(tmp_path.glob("*/events.out.tfevents*"))
    assert {path.parent.name for path in events} == {"train", "validation"}
    assert b"epoch_loss" in events[0].read_bytes()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard", "ignore::DeprecationWarning:keras")
def test_tensorboard_of_batchsel_adds_histograms_of_losses_and_selections(tmp_path):
    board = batchsel.TensorBoard(tmp_path, write_graph=False)
    assert not callback_utils.needs_every_batch([board])
    assert callback_utils.needs_every_batch([batchsel.TensorBoard(tmp_path, update_freq=1)])
    trainer = make_trainer()
    trainer.fit(X, Y, epochs=3, validation_data=(X, Y), callbacks=[board], verbose=0)
    (path,) = tmp_path.glob("selection/events.out.tfevents*")
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    assert set(found) == {"loss of each sample", "times chosen"}
    assert [step for step, _ in found["times chosen"]] == [0, 1, 2]
    for _, buckets in found["times chosen"]:  # rows of left edge, right edge, count
        assert buckets[:, 2].sum() == N
    losses = found["loss of each sample"][-1][1]
    assert losses[:, 2].sum() == N
    np.testing.assert_allclose([losses[0, 0], losses[-1, 1]], [trainer.losses.min(), trainer.losses.max()], rtol=1e-6)


def test_a_callback_can_stop_at_a_batch_and_at_an_epoch():
    def stop_at(last):
        return lambda number, logs: setattr(trainer.model, "stop_training", number == last)

    trainer = make_trainer()
    trainer.fit(X, Y, epochs=9, callbacks=[LambdaCallback(on_train_batch_end=stop_at(4))], verbose=0)
    assert trainer.counts["steps"] == 5
    trainer.reset(0)
    history = trainer.fit(X, Y, epochs=9, callbacks=[LambdaCallback(on_epoch_end=stop_at(1))], verbose=0).history
    assert count_epochs(history) == 2
    assert trainer.counts["samples"] == 2 * N


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_the_progress_bar_of_keras_is_shown(verbose, capsys):
    make_trainer().fit(X, Y, epochs=2, verbose=verbose)
    shown = capsys.readouterr().out
    assert "Epoch 1/2" in shown
    assert "7/7" in shown
    assert "accuracy" in shown


def test_a_second_call_of_fit_continues_where_the_first_ended():
    split, whole = make_trainer("loss_ema"), make_trainer("loss_ema")
    first = split.fit(X, Y, epochs=2, verbose=0).history
    second = split.fit(X, Y, epochs=2, verbose=0).history
    expected = whole.fit(X, Y, epochs=4, verbose=0).history
    assert count_epochs(first) == count_epochs(second) == 2
    assert split.counts["samples"] >= whole.counts["samples"]
    assert first["loss"] == expected["loss"][:2]
    assert second["loss"][0] < first["loss"][0]


def test_zero_epochs_train_nothing():
    trainer = make_trainer()
    before = variable_values(trainer.model)
    history = trainer.fit(X, Y, epochs=0, verbose=0).history
    assert history == {}
    assert trainer.counts["steps"] == 0
    assert_same(variable_values(trainer.model), before)


def test_the_warm_up_changes_no_variable():
    states = []
    record = LambdaCallback(on_train_begin=lambda logs: states.append(variable_values(trainer.model)))
    trainer = make_trainer(build=noisy_mlp)
    before = variable_values(trainer.model)
    trainer.fit(X, Y, callbacks=[record], validation_data=(X, Y), verbose=0)
    assert_same(states[0], before)
    assert int(trainer.model.optimizer.iterations.numpy()) == 7


def test_seconds_are_recorded_by_section(tmp_path):
    trainer = make_trainer()
    pause = LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.05))
    trainer.fit(X, Y, epochs=2, validation_data=(X, Y), callbacks=[pause], checkpoint=tmp_path / "a.npz", verbose=0)
    seconds = trainer.clock.seconds
    assert seconds["callbacks"] >= 0.1
    assert seconds["training"] < 0.1 < seconds["tracing"]
    assert seconds["evaluation"] > 0
    assert seconds["checkpoint"] > 0


def test_a_callback_that_stops_within_an_epoch_ends_it_as_in_keras():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                self.model.stop_training = True

    x, y = classes(50)
    trainer, plain = Trainer(mlp(), "fixed", batch_size=8, compile="graph"), mlp()
    found = trainer.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[Stop()], verbose=0).history
    expected = plain.fit(
        x, y, batch_size=8, epochs=3, validation_data=(x, y), callbacks=[Stop()], verbose=0, shuffle=False
    ).history
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


def test_reset_cancels_a_resume(tmp_path):
    x, y = classes(50)
    trainer = Trainer(mlp(), batch_size=8, compile="graph")
    trainer.fit(x, y, epochs=2, checkpoint=tmp_path / "a.npz", verbose=0)
    trainer.resume(tmp_path / "a.npz")
    trainer.reset(7)
    trainer.fit(x, y, epochs=1, verbose=0)
    assert trainer.seed == 7
    assert trainer.counts["samples"] == 50


def test_a_model_without_an_input_is_resumed(tmp_path):
    def build():
        model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return Trainer(model, batch_size=8)

    x, y = classes(50)
    first, second = build(), build()
    first.fit(x, y, checkpoint=tmp_path / "a.npz", verbose=0)
    second.resume(tmp_path / "a.npz")
    second.fit(x, y, epochs=2, verbose=0)
    first.fit(x, y, epochs=1, verbose=0)
    assert second.counts == first.counts
