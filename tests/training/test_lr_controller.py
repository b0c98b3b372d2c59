"""Learning rate, momentum and rates by layer of actual updates, and gradient accumulation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import (
    assert_same,
    classes,
    compile_model,
    fill_weights,
    line,
    linear,
    mlp,
    noisy_mlp,
    sparse,
    variable_values,
)

import batchsel
from batchsel import Trainer, UserError

N, B = 48, 8
X, Y = line(N)
CX, CY = classes(N)


def make_trainer(model, **settings):
    return Trainer(model, "fixed", batch_size=B, **settings)


def sgd_in_numpy(epochs, rate, momentum):
    """Weights of a linear regression after SGD with momentum as Keras defines it, in float64."""
    model = linear(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
    w, bias = (value.astype(np.float64) for value in model.get_weights())
    moved, moved_bias = np.zeros_like(w), np.zeros_like(bias)
    steps = epochs * N // B
    for step in range(steps):
        progress, rows = step / steps, slice(step * B % N, step * B % N + B)
        error = (X[rows] @ w + bias)[:, 0] - Y[rows]
        moved = momentum(progress) * moved - rate(progress) * (2 / B * X[rows].T @ error)[:, None]
        moved_bias = momentum(progress) * moved_bias - rate(progress) * 2 / B * error.sum()
        w, bias = w + moved, bias + moved_bias
    return w, bias


def one_cycle(progress, low, high, start, end=None, rise=0.3):
    """Cosine from `start` to `high` over `rise`, then to `end`."""
    end = low if end is None else end
    if progress < rise:
        return start + (high - start) * (1 - np.cos(np.pi * progress / rise)) / 2
    return end + (high - end) * (1 + np.cos(np.pi * (progress - rise) / (1 - rise))) / 2


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_one_cycle_matches_a_loop_in_numpy(mode):
    text = "one_cycle(peak=0.05, div=25, final_div=100, momenta=[0.85, 0.95])"
    model = linear(optimizer=keras.optimizers.SGD(0.3, momentum=0.9))
    make_trainer(model, schedule=text, compile=mode).fit(X, Y, epochs=2, verbose=0)
    expected = sgd_in_numpy(
        2,
        lambda p: one_cycle(p, None, 0.05, 0.002, 0.00002),
        lambda p: one_cycle(p, None, 0.85, 0.95, 0.95),
    )
    for found, expected_value in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(found, expected_value, rtol=1e-4, atol=1e-5)
    assert model.optimizer.momentum == 0.9
    assert model.optimizer.learning_rate.numpy() == np.float32(0.3)


def test_a_momentum_that_the_optimizer_does_not_have_is_rejected():
    with pytest.raises(UserError, match=r"SGD has none. Build it with one"):
        make_trainer(linear(), schedule="one_cycle(momenta=[0.85, 0.95])")


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (keras.optimizers.Adam(0.01), "beta_1"),
        (keras.optimizers.RMSprop(0.01, momentum=0.9), "momentum"),
    ],
)
def test_momenta_of_other_optimizers_match_a_loop_with_plain_numbers(optimizer, name):
    model, reference = linear(optimizer=optimizer), linear()
    trainer = make_trainer(model, schedule="one_cycle(momenta=[0.85, 0.95])", compile="graph")
    trainer.fit(X, Y, verbose=0)
    plain = type(optimizer).from_config(optimizer.get_config())
    for step in range(N // B):
        progress, rows = step / (N // B), slice(step * B, step * B + B)
        plain.learning_rate = 0.01 * one_cycle(progress, None, 1, 1 / 25, 1 / 25e4)
        setattr(plain, name, float(one_cycle(progress, None, 0.85, 0.95, 0.95)))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((reference(X[rows])[:, 0] - Y[rows]) ** 2)
        plain.apply_gradients(
            zip(tape.gradient(loss, reference.trainable_variables), reference.trainable_variables, strict=True)
        )
    for found, expected_value in zip(variable_values(model), variable_values(reference), strict=True):
        np.testing.assert_allclose(found, expected_value, rtol=1e-4, atol=1e-6)
    assert getattr(optimizer, name) == 0.9
    schedule_log = trainer.schedule_log
    momentum = dict(zip(schedule_log["names"], np.transpose(schedule_log["values"]), strict=True))["momentum"]
    assert momentum[0] == pytest.approx(0.95)


def deep(optimizer):
    layers = [keras.layers.Dense(6, "tanh") for _ in range(2)]
    return compile_model(keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)]), optimizer)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_each_layer_is_updated_at_its_rate(mode):
    """With plain SGD the first update of a layer is its rate times its gradient."""
    moved = {}
    for schedule in (None, "lerac(k=1.0, eta_min=0.001)"):
        model = deep(keras.optimizers.SGD(0.1))
        before = variable_values(model)
        make_trainer(model, schedule=schedule, compile=mode).fit(CX[:B], CY[:B], verbose=0)
        moved[schedule] = [after - old for old, after in zip(before, variable_values(model), strict=True)]
    plain, by_layer = moved.values()
    for position, (whole, part) in enumerate(zip(plain, by_layer, strict=True)):
        factor = (0.001 / 0.1) ** (position // 2 / 2)
        np.testing.assert_allclose(part, factor * whole, rtol=2e-3, atol=2e-7)


def test_after_the_curriculum_layers_follow_the_schedule():
    trainer = make_trainer(
        deep(keras.optimizers.Adam(0.02)), schedule="linear | lerac(k='1 pass', eta_min=1e-6)", compile="graph"
    )
    trainer.fit(CX, CY, epochs=2, verbose=0)
    schedule_log = trainer.schedule_log
    values = dict(zip(schedule_log["names"], np.transpose(schedule_log["values"]), strict=True))
    samples = np.array(schedule_log["samples"])
    rates = [column for name, column in values.items() if name.startswith("rate of")]
    assert len(rates) == 3
    assert samples.tolist() == list(range(0, 2 * N, B))
    expected = 0.02 * (1 - samples / (2 * N))
    np.testing.assert_allclose(values["learning rate"], expected, rtol=1e-5)
    done = np.minimum(samples / N, 1)
    for position, column in zip((0, 0.5, 1), rates, strict=True):
        np.testing.assert_allclose(column, expected * (1e-6 / 0.02) ** (position * (1 - done)), rtol=1e-3)


def test_scaling_by_1_changes_nothing():
    found = []
    for schedule in ("cosine", "cosine | scale('none', batch=2)"):
        model = noisy_mlp()
        trainer = Trainer(model, "loss_ema", batch_size=B, schedule=schedule, compile="graph")
        history = trainer.fit(CX, CY, epochs=3, verbose=0).history
        found.append([trainer.losses, *variable_values(model), np.array(history["loss"])])
    assert_same(*found)


class EveryBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


ALL = "one_cycle(momenta=[0.85, 0.95]) | warmup('0.5 passes', start=0.1) | lerac(k=0.5, eta_min=1e-4)"


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_splitting_a_run_into_calls_changes_nothing(mode):
    found = []
    for callbacks in ([], [EveryBatch()]):
        model = mlp(optimizer=keras.optimizers.Adam(0.02))
        trainer = Trainer(model, "loss_ema", batch_size=B, schedule=ALL, compile=mode, accumulate="grow(2, at=[0.4])")
        trainer.fit(CX, CY, epochs=3, callbacks=callbacks, verbose=0)
        found.append([*variable_values(model), trainer.losses, np.array(trainer.schedule_log["values"])])
    assert_same(*found)


class SaveAfter(keras.callbacks.Callback):
    """Saves after a number of batches, in the middle of an interval."""

    def __init__(self, trainer, path, batches):
        super().__init__()
        self.trainer, self.path, self.batches = trainer, path, batches

    def on_train_batch_end(self, batch, logs=None):
        if self.trainer.counts["steps"] == self.batches:
            self.trainer.save(self.path)


def test_a_resumed_run_matches_an_uninterrupted_one(tmp_path):
    settings = {"batch_size": B, "schedule": ALL, "compile": "graph", "accumulate": "3"}
    whole = Trainer(noisy_mlp(optimizer=keras.optimizers.Adam(0.02)), "loss_ema", **settings)
    # Seven batches: one is summed up and waits for an update.
    saver = SaveAfter(whole, tmp_path / "half.npz", 7)
    whole.fit(CX, CY, epochs=3, callbacks=[saver], verbose=0)
    resumed = Trainer(noisy_mlp(optimizer=keras.optimizers.Adam(0.02)), "loss_ema", **settings)
    resumed.resume(tmp_path / "half.npz")
    resumed.fit(CX, CY, epochs=3, callbacks=[EveryBatch()], verbose=0)
    assert_same(variable_values(whole.model), variable_values(resumed.model))
    assert whole.schedule_log == resumed.schedule_log
    for changed, words in (({"accumulate": None}, "accumulate='3'"), ({"schedule": "linear"}, 'schedule="one_cycle')):
        with pytest.raises(UserError, match=words):
            Trainer(noisy_mlp(), "loss_ema", **settings | changed).resume(tmp_path / "half.npz")


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_accumulated_batches_match_one_large_batch(mode):
    """Under a schedule too: the timestamp of an update is that of its first batch."""
    found, schedule_logs = [], []
    for size, accumulate in ((24, None), (8, 3)):
        model = mlp()
        settings = {"schedule": "linear | lerac(k=0.7, eta_min=1e-3) | scale(batch=12)", "compile": mode}
        trainer = Trainer(model, "fixed", batch_size=size, accumulate=accumulate, **settings)
        trainer.fit(CX, CY, epochs=2, verbose=0)
        assert int(model.optimizer.iterations.numpy()) == 4
        found.append(variable_values(model))
        schedule_logs.append(np.array([row[:3] for row in trainer.schedule_log["values"]]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(*schedule_logs, rtol=1e-5)
    np.testing.assert_allclose(schedule_logs[0][:, 0], 0.1 * 2 * np.array([1, 0.75, 0.5, 0.25]), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_variables_without_gradients_are_unchanged():
    """AdamW would decay them if their gradients were zeros."""
    inputs = keras.Input((4,))
    unused = keras.layers.Dense(2, name="unused")
    model = keras.Model(inputs, [keras.layers.Dense(3)(inputs), unused(inputs)])
    fill_weights(model)
    model.compile(keras.optimizers.AdamW(0.1, weight_decay=0.1), [sparse(), None])
    before = unused.get_weights()
    make_trainer(model, accumulate=2, compile="graph").fit(CX, (CY, CY), verbose=0)
    assert_same(before, unused.get_weights())


def test_half_precision_accumulates_unscaled_gradients():
    found = []
    for size, accumulate in ((24, None), (8, 3)):
        inner = keras.optimizers.SGD(0.1, momentum=0.9)
        model = mlp(optimizer=keras.optimizers.LossScaleOptimizer(inner, initial_scale=64.0))
        settings = {"schedule": "linear | lerac(k=0.7, eta_min=1e-3)", "compile": "graph"}
        Trainer(model, "fixed", batch_size=size, accumulate=accumulate, **settings).fit(CX, CY, epochs=2, verbose=0)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_second_schedule_within_a_loss_scale_optimizer_is_rejected():
    inner = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(UserError, match="has a learning-rate schedule of its own"):
        make_trainer(mlp(optimizer=keras.optimizers.LossScaleOptimizer(inner)), schedule="linear")


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_milestones_are_reached_in_compiled_loops(mode):
    """Compilers turn a quotient by a constant into a product that may miss 1 by a bit."""
    for text, passes in (("step(at=[0.85], times=0.1)", 20 / 6), ("step(at=['2 passes'], times=0.1)", 4)):
        trainer = make_trainer(linear(rate=0.1), schedule=text, compile=mode)
        trainer.fit(X, Y, epochs=passes, verbose=0)
        schedule_log = trainer.schedule_log
        point = 0.85 * 20 * B if "0.85" in text else 2 * N
        for samples, (rate, *_) in zip(schedule_log["samples"], schedule_log["values"], strict=True):
            assert rate == pytest.approx(0.1 if samples < point else 0.01), samples


def test_a_duration_longer_than_the_budget_is_reported():
    trainer = make_trainer(linear(), schedule="cosine | warmup('5 passes')", compile="graph")
    with pytest.warns(UserWarning, match=r"a duration of 5 passes exceeds the budget of 2 passes"):
        trainer.fit(X, Y, epochs=2, verbose=0)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda p: 1.0 if p < 0.5 else 0.1, "cannot be used as a schedule"),
        (lambda p: None, "cannot be used as a schedule"),
        (lambda p: 0.5 - p, "returns the factor -0.01 at 51% of the budget"),
    ],
)
def test_invalid_schedule_functions_are_rejected_before_training(function, words):
    with pytest.raises(UserError, match=words):
        make_trainer(linear(), schedule=function)


def test_a_rate_other_than_that_of_the_schedule_is_rejected():
    trainer = make_trainer(linear(), schedule="one_cycle(peak=0.05)", compile="graph")
    trainer.reset(1, learning_rate=0.05)
    with pytest.raises(UserError, match=r"sets the learning rate; it cannot also be set to 0.5"):
        trainer.reset(1, learning_rate=0.5)


def test_short_batches_count_by_samples_and_the_last_update_uses_the_rest():
    found = []
    for size, accumulate in ((20, None), (8, 4)):
        model = mlp(optimizer=keras.optimizers.SGD(0.1))
        Trainer(model, "fixed", batch_size=size, accumulate=accumulate).fit(CX[:20], CY[:20], verbose=0)
        assert int(model.optimizer.iterations.numpy()) == 1
        found.append(variable_values(model))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_batches_of_an_update_grow_with_progress():
    model = mlp()
    trainer = Trainer(model, "fixed", batch_size=B, accumulate="grow(factor=2, at=[0.5, '3 passes'])", compile="graph")
    trainer.fit(CX, CY, epochs=4, verbose=0)
    # Passes of six batches: two passes one by one, one in twos, one in fours with two left over.
    assert int(model.optimizer.iterations.numpy()) == 12 + 3 + 2
    column = np.transpose(trainer.schedule_log["values"])[0]
    assert trainer.schedule_log["names"] == ["batches of an update"]
    assert column.tolist() == [1] * 12 + [2] * 3 + [4] * 2


def test_another_call_of_fit_starts_without_accumulated_gradients():
    model = mlp(optimizer=keras.optimizers.SGD(0.1))
    trainer = Trainer(model, "fixed", batch_size=B, accumulate=4)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    trainer.fit(CX, CY, callbacks=[Stop()], verbose=0)
    assert trainer.counts["steps"] == 1
    before = variable_values(model)
    trainer.fit(CX, CY, epochs=0, verbose=0)
    assert_same(before, variable_values(model))
    assert not any(variable.numpy().any() for variable in trainer.engine.step.accumulator.variables)


def test_without_schedules_there_is_no_schedule_log():
    trainer = make_trainer(linear())
    trainer.fit(X, Y, verbose=0)
    assert trainer.schedule_log is None


def test_batchsel_fit_accepts_schedules():
    model = mlp()
    history = batchsel.fit(model, CX, CY, batch_size=B, schedule="cosine | lerac", accumulate=2, epochs=2, verbose=0)
    assert len(history.history["learning_rate"]) == 2
    assert int(model.optimizer.iterations.numpy()) == 6
