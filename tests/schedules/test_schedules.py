"""Schedules in a run: the rate of every step, and the rate that was there before."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, line, linear, mlp
from selectors_for_tests import Pruning

import batchsel
from batchsel import Trainer, UserError
from batchsel.experiments.spec.run_spec import RunSpec

N, B = 48, 8
X, Y = line(N)
FORMULAS = {
    "constant": lambda p: 1.0,
    "linear": lambda p: 1 - p,
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "step": lambda p: [1.0, 0.1, 0.01][int(p >= 0.5) + int(p >= 0.75)],
    "one_cycle": lambda p: one_cycle(p, 1.0, 0.04, 4e-6),
    "warmup": lambda p: min(p / 0.05, 1),
    "cosine | warmup(0.2, start=0.5)": lambda p: (1 + math.cos(math.pi * p)) / 2 * min(0.5 + 0.5 * p / 0.2, 1),
}


def one_cycle(p, peak, first, last, rise=0.3):
    """PyTorch's two phases of cosine annealing, over progress instead of steps; see `test_schedule_values.py`."""
    start, end, done = (first, peak, p / rise) if p < rise else (peak, last, (p - rise) / (1 - rise))
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))


class Rates(keras.callbacks.Callback):
    """Notes the learning rate of every step, and the samples trained on before it."""

    def __init__(self, trainer):
        super().__init__()
        self.trainer, self.rates, self.before = trainer, [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.before.append(self.trainer.counts["samples"] - self.trainer.record.fit_start)

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))


def rates_of(trainer, epochs=None, x=X, y=Y, **options):
    rates = Rates(trainer)
    history = trainer.fit(x, y, epochs=epochs, callbacks=[rates], verbose=0, **options)
    return rates, history.history


@pytest.mark.parametrize("name", FORMULAS)
def test_every_step_has_the_rate_of_its_progress(name):
    trainer = Trainer(linear(rate=0.04), batch_size=B, schedule=name, compile="graph")
    rates, history = rates_of(trainer, epochs=2)
    assert rates.before == list(range(0, 2 * N, B))
    expected = [0.04 * FORMULAS[name](samples / (2 * N)) for samples in rates.before]
    np.testing.assert_allclose(rates.rates, expected, atol=1e-8)
    np.testing.assert_allclose(history["learning_rate"], [expected[5], expected[11]], atol=1e-8)
    assert trainer.model.optimizer.learning_rate.numpy() == np.float32(0.04)


def test_a_selector_that_prunes_ends_the_schedule_too():
    x, y = classes(N)
    trainer = Trainer(mlp(), Pruning(), batch_size=B, schedule="linear", compile="graph")
    rates, _ = rates_of(trainer, None, x, y, passes=5)
    np.testing.assert_allclose(rates.rates, [0.1 * (1 - samples / (5 * N)) for samples in rates.before], atol=1e-7)
    assert rates.rates[-1] <= 0.1 * B / (5 * N) + 1e-7


def test_another_call_of_fit_starts_the_schedule_again():
    trainer = Trainer(linear(rate=0.04), batch_size=B, schedule="linear", compile="graph")
    first, second = (rates_of(trainer, epochs=1)[0] for _ in range(2))
    np.testing.assert_allclose(first.rates, second.rates, atol=1e-8)
    assert first.rates[0] == pytest.approx(0.04)


def test_a_user_function_is_a_schedule():
    trainer = Trainer(linear(rate=0.04), batch_size=B, schedule=lambda p: 0.5 + p, compile="graph")
    rates, _ = rates_of(trainer, epochs=1)
    np.testing.assert_allclose(rates.rates, 0.04 * (0.5 + np.arange(6) / 6), atol=1e-8)


def test_weights_follow_the_scheduled_rates():
    trainer = Trainer(linear(rate=0.2), "fixed", batch_size=N, schedule=lambda p: tf.where(p > 0, 0.0, 1.0))
    once = Trainer(linear(rate=0.2), "fixed", batch_size=N)
    trainer.fit(X, Y, epochs=3, verbose=0)
    once.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_allclose(trainer.model.get_weights()[0], once.model.get_weights()[0], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_no_schedule_leaves_the_rate_to_the_optimizer_and_to_callbacks():
    halves = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.02 / 2**epoch)
    trainer = Trainer(linear(rate=0.04), batch_size=B, compile="graph")
    history = trainer.fit(X, Y, epochs=3, callbacks=[halves], verbose=0).history
    np.testing.assert_allclose(history["learning_rate"], [0.02, 0.01, 0.005])
    assert trainer.model.optimizer.learning_rate.numpy() == np.float32(0.005)


def test_the_optimizers_own_schedule_is_followed():
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    trainer = Trainer(linear(optimizer=keras.optimizers.SGD(decay)), batch_size=B, compile="graph")
    rates, _ = rates_of(trainer, epochs=1)
    np.testing.assert_allclose(rates.rates, 0.1 * 0.5 ** np.arange(1, 7), rtol=1e-6)


def test_two_schedules_at_once_are_refused():
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    with pytest.raises(UserError, match="has a learning-rate schedule of its own. Use either that or schedule="):
        Trainer(linear(optimizer=keras.optimizers.SGD(decay)), schedule="linear")


@pytest.mark.parametrize("entry", ["trainer", "fit"])
def test_a_rate_set_between_two_calls_is_the_new_base(entry):
    model = linear(rate=0.04)
    trainer = Trainer(model, batch_size=B, schedule="constant", compile="graph")

    def run():
        if entry == "fit":
            return batchsel.fit(model, X, Y, batch_size=B, schedule="constant", compile="graph", verbose=0).history
        return trainer.fit(X, Y, verbose=0).history

    run()
    model.optimizer.learning_rate = 0.01
    np.testing.assert_allclose(run()["learning_rate"], [0.01])


def test_an_unusable_schedule_is_refused_before_training():
    settings = ("digits", "mlp", "random", 32, "adam", 1e-3)
    with pytest.raises(UserError, match="Did you mean 'cosine'"):
        RunSpec(*settings, "cosin | warmup", "20 passes", "accuracy>=0.9")
    assert RunSpec(*settings, "cosine | warmup(0.1)", "20 passes", "accuracy>=0.9").schedule == "cosine | warmup(0.1)"
