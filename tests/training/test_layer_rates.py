"""Rates by layer: any optimizer's update is scaled by exactly its factor, and nothing else changes."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.schedules import schedule
from batchsel.training.optim.layer_groups import LayerGroups
from batchsel.training.optim.layer_rates import check_layer_rates, initial_layer_rates, layer_rates

C = 0.25
START = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
GRADIENTS = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
OPTIMIZERS = {
    "SGD": {},
    "SGD with momentum": {"momentum": 0.9},
    "SGD with Nesterov's momentum": {"momentum": 0.9, "nesterov": True},
    "Adam": {},
    "AdamW": {"weight_decay": 0.1},
    "Nadam": {},
    "Adamax": {},
    "RMSprop": {"momentum": 0.5},
    "Adagrad": {},
    "Adadelta": {},
    "Lion": {},
    "Lamb": {},
    "SGD with decay": {"weight_decay": 0.1},
    "Adam with averages": {"use_ema": True},
    "Adam, clipped": {"global_clipnorm": 0.1},
}


def make_optimizer(name, rate=0.5):
    return getattr(keras.optimizers, name.split()[0].strip(","))(rate, **OPTIMIZERS[name])


def apply_steps(optimizer, factors, *, steps=1, gradients=GRADIENTS, jit=None, indices=(0, 1)):
    """Changes of two variables after some steps, in float64, and the optimizer's variables."""
    variables = [keras.Variable(start.astype(np.float64), dtype="float64") for start in START]
    optimizer.build(variables)

    def step(factors):
        with layer_rates(optimizer, variables, indices, factors):
            optimizer.apply_gradients(zip(map(tf.constant, gradients.astype(np.float64)), variables, strict=True))

    run = step if jit is None else tf.function(step, jit_compile=jit, autograph=False)
    for _ in range(steps):
        run(None if factors is None else tf.constant(factors))
    assert not {"update_step", "_apply_weight_decay", "_get_current_learning_rate"} & vars(optimizer).keys()
    found = [variable.numpy() - start.astype(np.float64) for variable, start in zip(variables, START, strict=True)]
    return np.array(found), [variable.numpy() for variable in optimizer.variables]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_the_update_of_the_variable_with_a_factor_is_scaled(name):
    plain, _ = apply_steps(make_optimizer(name), None)
    scaled, _ = apply_steps(make_optimizer(name), [1.0, C])
    assert np.all(plain != 0)
    np.testing.assert_array_equal(scaled[0], plain[0])
    np.testing.assert_allclose(scaled[1], C * plain[1], rtol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Lion", "Lamb"])
def test_scaling_the_gradient_hardly_changes_adam(name):
    smaller = GRADIENTS * np.array([1.0, C], np.float32)[:, None, None]
    plain, _ = apply_steps(make_optimizer(name), None)
    by_gradient, _ = apply_steps(make_optimizer(name), None, gradients=smaller)
    by_rate, _ = apply_steps(make_optimizer(name), [1.0, C])
    np.testing.assert_allclose(by_rate[1], C * plain[1], rtol=1e-5)
    kept = 1.0 if name != "SGD" else C
    np.testing.assert_allclose(by_gradient[1], kept * plain[1], rtol=2e-3)


@pytest.mark.parametrize("name", ["SGD with Nesterov's momentum", "AdamW", "Nadam"])
@pytest.mark.parametrize("jit", [False, True])
def test_factors_of_1_change_nothing_in_every_mode(name, jit):
    plain, slots = apply_steps(make_optimizer(name), None, steps=3, jit=jit)
    ones, slots_of_ones = apply_steps(make_optimizer(name), [1.0, 1.0], steps=3, jit=jit)
    np.testing.assert_array_equal(ones, plain)
    for one, other in zip(slots_of_ones, slots, strict=True):
        np.testing.assert_array_equal(one, other)
    eager, _ = apply_steps(make_optimizer(name), [1.0, C], steps=3)
    traced, _ = apply_steps(make_optimizer(name), [1.0, C], steps=3, jit=jit)
    np.testing.assert_allclose(traced, eager, rtol=1e-6)


def test_several_steps_match_an_optimizer_with_the_smaller_rate():
    """Moments, momentum and decay match too, as if the variable had a separate optimizer."""
    for name in ("SGD with momentum", "AdamW", "Adadelta"):
        own, _ = apply_steps(make_optimizer(name, 0.5 * C), None, steps=4)
        grouped, _ = apply_steps(make_optimizer(name, 0.5), [1.0, C], steps=4)
        np.testing.assert_allclose(grouped[1], own[1], rtol=1e-6)


def test_factors_may_change_between_steps_of_one_trace():
    variables = [keras.Variable(1.0), keras.Variable(1.0)]
    optimizer, traces = keras.optimizers.SGD(1.0), itertools.count()
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(factors):
        next(traces)
        with layer_rates(optimizer, variables, [0, 1], factors):
            optimizer.apply_gradients([(tf.constant(1.0), variable) for variable in variables])

    for factor in (0.5, 0.25, 1.0):
        step(tf.constant([0.0, factor]))
    assert float(variables[0].numpy()) == 1.0
    assert float(variables[1].numpy()) == 1 - 1.75
    assert next(traces) == 1


def test_decoupled_decay_is_scaled_by_the_factor_of_the_group():
    zeros = np.zeros_like(GRADIENTS)
    decayed, _ = apply_steps(keras.optimizers.AdamW(0.5, weight_decay=0.1), [1.0, C], gradients=zeros)
    np.testing.assert_allclose(decayed[0], -0.5 * 0.1 * START[0], rtol=1e-6)
    np.testing.assert_allclose(decayed[1], -C * 0.5 * 0.1 * START[1], rtol=1e-6)


def test_variables_excluded_from_decay_stay_excluded():
    variables = [keras.Variable(1.0, name="kernel"), keras.Variable(1.0, name="bias")]
    optimizer = keras.optimizers.AdamW(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    with layer_rates(optimizer, variables, [0, 0], tf.constant([C])):
        optimizer.apply_gradients([(tf.constant(0.0), variable) for variable in variables])
    assert [float(variable.numpy()) for variable in variables] == pytest.approx([1 - C * 0.05, 1.0])


def test_the_optimizer_within_a_loss_scale_optimizer_is_scaled():
    inner = keras.optimizers.AdamW(0.5, weight_decay=0.1)
    outer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    plain, _ = apply_steps(keras.optimizers.AdamW(0.5, weight_decay=0.1), [1.0, C], jit=False)
    scaled, _ = apply_steps(outer, [1.0, C], gradients=8 * GRADIENTS, jit=False)
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)
    assert not {"update_step", "_apply_weight_decay"} & vars(inner).keys()


@pytest.mark.parametrize("jit", [False, True])
def test_accumulated_gradients_are_applied_at_the_rate_of_the_group(jit):
    accumulating = keras.optimizers.AdamW(0.5, weight_decay=0.1, gradient_accumulation_steps=2)
    found, _ = apply_steps(accumulating, [1.0, C], steps=2, jit=jit)
    expected, _ = apply_steps(keras.optimizers.AdamW(0.5, weight_decay=0.1), [1.0, C])
    # Keras counts both steps, and corrects Adam's bias for two.
    decay = -0.05 * START * np.array([1.0, C])[:, None, None]
    ratio = (found - decay) / (expected - decay)
    np.testing.assert_allclose(ratio, ratio[0, 0, 0], rtol=1e-5)


def test_sparse_gradients_of_an_embedding_are_scaled():
    table = keras.Variable(np.ones((4, 2), np.float32))
    optimizer = keras.optimizers.SGD(1.0)
    rows = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([2]), tf.constant([4, 2]))
    with layer_rates(optimizer, [table], [0], tf.constant([C])):
        optimizer.apply_gradients([(rows, table)])
    np.testing.assert_allclose(table.numpy()[:, 0], [1, 1, 1 - C, 1])


def test_the_rate_of_a_keras_schedule_is_scaled():
    falling = keras.optimizers.schedules.InverseTimeDecay(1.0, 1, 1.0)
    found, _ = apply_steps(keras.optimizers.SGD(falling), [1.0, C], steps=2)
    np.testing.assert_allclose(found[1], -C * 1.5 * GRADIENTS[1], rtol=1e-6)


def test_an_error_leaves_the_optimizer_unchanged():
    variable, stranger = keras.Variable(1.0), keras.Variable(1.0, name="stranger")
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([variable, stranger])
    with (
        pytest.raises(UserError, match="'stranger:0' has no group of layers"),
        layer_rates(optimizer, [variable], [0], tf.constant([C])),
    ):
        optimizer.apply_gradients([(tf.constant(1.0), variable), (tf.constant(1.0), stranger)])
    assert not {"update_step", "_apply_weight_decay"} & vars(optimizer).keys()
    optimizer.apply_gradients([(tf.constant(1.0), stranger)])
    assert float(stranger.numpy()) == 0.0


class IgnoresRate(keras.optimizers.SGD):
    """Ignores the rate that it is called with."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, self.learning_rate)


class NotCopyable(keras.optimizers.SGD):
    """Cannot be copied, because its config lacks an argument."""

    def __init__(self, secret):
        super().__init__(0.1)


def test_every_named_optimizer_supports_layer_rates():
    for name in OPTIMIZERS:
        check_layer_rates(make_optimizer(name))
    for name in ("Muon", "Adafactor", "ScheduleFreeAdamW"):
        check_layer_rates(getattr(keras.optimizers, name)())
    check_layer_rates(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(gradient_accumulation_steps=4)))


def test_optimizers_without_layer_rates_are_rejected():
    for optimizer in (keras.optimizers.Ftrl(), IgnoresRate()):
        with pytest.raises(
            UserError, match=f"{type(optimizer).__name__} does not support a learning rate for each layer"
        ):
            check_layer_rates(optimizer)
    with pytest.raises(UserError, match="NotCopyable cannot be copied through its get_config"):
        check_layer_rates(NotCopyable("secret"))


def test_initial_rates_use_the_rate_that_the_schedule_sets():
    groups = LayerGroups((("hidden",), ("outputs",)), (0, 1), (40, 18))
    rates = initial_layer_rates(schedule("one_cycle(0.05) | lerac(eta_min=1e-4)"), groups, 3.0)
    assert rates == pytest.approx([0.05, 1e-4], rel=1e-5)
    scaled = schedule("warmup | scale(batch=8, rate=0.05) | lerac(eta_min=1e-4)")
    assert initial_layer_rates(scaled, groups, 3.0, batch_size=16) == pytest.approx([0.1, 1e-4], rel=1e-5)
    assert initial_layer_rates(scaled, groups, 3.0) == pytest.approx([0.05, 1e-4], rel=1e-5)
