"""Schedules in plain `model.fit`: the rate of every step, saving, and what a schedule of Keras cannot do."""

import math
import re

import keras
import numpy as np
import pytest
from problems import line, linear

from batchsel.errors import UserError
from batchsel.schedules import Cosine, KerasSchedule, Warmup, schedule

X, Y = line(48)


class Rates(keras.callbacks.Callback):
    """Notes the learning rate that each step is made with."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def test_rates_of_model_fit_match_the_formula():
    optimizer = keras.optimizers.SGD(KerasSchedule("cosine | warmup(0.25)", 0.04, steps=12))
    model = linear(optimizer=optimizer)
    rates = Rates()
    model.fit(X, Y, batch_size=8, epochs=2, callbacks=[rates], verbose=0)
    expected = [0.04 * (1 + math.cos(math.pi * t / 12)) / 2 * min(t / 3, 1) for t in range(12)]
    np.testing.assert_allclose(rates.rates, expected, rtol=1e-6, atol=1e-9)


def test_updates_match_a_loop_over_keras_steps():
    model, by_hand = (linear(rate=0.04) for _ in range(2))
    model.optimizer = None
    model.compile(keras.optimizers.SGD(KerasSchedule("linear", 0.04, steps=6)), "mse")
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    for step in range(6):
        by_hand.optimizer.learning_rate = 0.04 * (1 - step / 6)
        by_hand.train_on_batch(X[8 * step : 8 * step + 8], Y[8 * step : 8 * step + 8])
    np.testing.assert_allclose(model.get_weights()[0], by_hand.get_weights()[0], rtol=1e-6)


def test_rate_batch_size_and_passes_are_filled_in():
    assert float(KerasSchedule("one_cycle(peak=0.5)", None, 100)(30)) == 0.5
    scaled = KerasSchedule("scale(batch=8) | warmup('5 passes', 'base')", 0.25, 100, batch_size=32, passes=20)
    assert [float(scaled(step)) for step in (0, 25, 100, 1000)] == [0.25, 1, 1, 1]
    assert float(KerasSchedule(Cosine(0.5), 1, 10)(20)) == 0.5
    assert float(KerasSchedule(lambda progress: 1 - progress, 0.5, 10)(5)) == 0.25


def test_milestones_are_reached_at_the_exact_step():
    for passes in (3, 7, 11, 29):
        stepped = KerasSchedule(f"step(['{passes} passes'], 0.5) | step([{passes / 30}], 0.5)", 1, 300, passes=30)
        assert [float(stepped(10 * passes + late)) for late in (-1, 0)] == [1, 0.25]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_the_schedule_is_saved_with_the_model(tmp_path):
    rate = KerasSchedule("cosine | warmup('2 passes', 'base') | scale(batch=4)", 0.01, 12, batch_size=8, passes=4)
    model = linear(optimizer=keras.optimizers.SGD(rate))
    model.fit(X, Y, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.optimizer._learning_rate
    assert isinstance(again, KerasSchedule)
    assert again.schedule == rate.schedule
    assert loaded.optimizer.learning_rate.numpy() == model.optimizer.learning_rate.numpy()
    assert again.get_config() == rate.get_config()
    assert keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(rate))(5) == rate(5)


@pytest.mark.parametrize("own", [lambda progress: 1 - progress, schedule("cosine") | schedule(lambda p: p)])
def test_functions_are_not_saved(own):
    with pytest.raises(UserError, match="cannot be saved: its text does not contain a function or a class from a file"):
        KerasSchedule(own, 0.1, 10).get_config()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, 0.1, 10), "KerasSchedule needs a schedule, such as 'cosine | warmup(0.05)'; got None"),
        (("cosin", 0.1, 10), "Did you mean 'cosine'"),
        (("cosine", None, 10), "needs steps, and a learning_rate unless the schedule sets one"),
        (("one_cycle(peak=0.5)", 0.1, 10), "sets the learning rate: pass None instead of 0.1"),
        (("cosine", 0.1, 0), "steps must be a number above 0, got 0"),
        (("cosine", "fast", 10), "learning_rate must be a number above 0, got 'fast'"),
        (
            ("one_cycle(momenta=[0.8, 0.9])", 0.1, 10),
            "sets the momentum too, which a Keras learning-rate schedule cannot",
        ),
        (("scale", 0.1, 10), "depends on the batch size: give the samples of an update, as in batch_size=32"),
        (
            ("cosine | warmup('5 passes')", 0.1, 10),
            "counts passes: give the passes of the whole budget, as in passes=20",
        ),
        (("step(['5 passes'])", 0.1, 10), "counts passes"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(UserError, match=re.escape(words)):
        KerasSchedule(*arguments)


def test_schedules_with_rates_by_layer_are_refused():
    class ByLayer(Warmup):
        by_layer = True

    with pytest.raises(UserError, match="gives layers different rates, which a schedule of Keras cannot"):
        KerasSchedule(ByLayer(), 0.1, 10)
