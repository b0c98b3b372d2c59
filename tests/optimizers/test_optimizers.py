"""LARS and LAMB against NumPy, clipping by value and norm, and optimizers by name."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, compile_model

from batchsel import Trainer, optimizers
from batchsel.errors import UsageError, UserError
from batchsel.optimizers.value_clipping import with_value_clipping
from batchsel.training.optim.layer_rates import check_layer_rates

SHAPES = ((3, 2), (2,))
"""A matrix, which is scaled and decayed, and a bias, which is neither."""


def drawn(seed):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(np.float32) for shape in SHAPES]


def after(optimizer, weights, gradients, **options):
    """The weights after a step with each of the gradients."""
    variables = [keras.Variable(weight) for weight in weights]

    @tf.function(**options)
    def step(gradients):
        optimizer.apply(gradients, variables)

    optimizer.build(variables)
    for gradient in gradients:
        step([tf.constant(one) for one in gradient])
    return [variable.numpy() for variable in variables]


def lars(rate, **options):
    return optimizers.LARS(rate, trust_coefficient=1.0, **options)


lamb = optimizers.LAMB


def lars_in_numpy(weights, gradients, rate, momentum, nesterov, decay, trust, epsilon):
    weights = [weight.astype(np.float64) for weight in weights]
    velocities = [np.zeros_like(weight) for weight in weights]
    for gradient in gradients:
        for place, (weight, slope) in enumerate(zip(weights, gradient, strict=True)):
            local = 1.0
            if weight.ndim > 1:
                size = np.linalg.norm(weight)
                local = trust * size / (np.linalg.norm(slope) + decay * size + epsilon)
                slope = slope + decay * weight
            step = rate * local * slope
            velocities[place] = momentum * velocities[place] - step
            weights[place] = weight + (momentum * velocities[place] - step if nesterov else velocities[place])
    return weights


def lamb_in_numpy(weights, gradients, rate, decay):
    weights = [weight.astype(np.float64) for weight in weights]
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    for count, gradient in enumerate(gradients, 1):
        for place, (weight, slope) in enumerate(zip(weights, gradient, strict=True)):
            first[place] = 0.9 * first[place] + 0.1 * slope
            second[place] = 0.999 * second[place] + 0.001 * slope.astype(np.float64) ** 2
            step = first[place] / (1 - 0.9**count) / (np.sqrt(second[place] / (1 - 0.999**count)) + 1e-7)
            if weight.ndim > 1:
                step = step + decay * weight
                step = step * np.linalg.norm(weight) / np.linalg.norm(step)
            weights[place] = weight - rate * step
    return weights


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_lars_matches_the_paper(momentum, nesterov, xla):
    gradients = [drawn(seed) for seed in (1, 2, 3)]
    settings = {"momentum": momentum, "nesterov": nesterov, "weight_decay": 0.1, "trust_coefficient": 0.02}
    found = after(optimizers.LARS(0.7, epsilon=0.5, **settings), drawn(0), gradients, jit_compile=xla)
    expected = lars_in_numpy(drawn(0), gradients, 0.7, momentum, nesterov, 0.1, 0.02, 0.5)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("xla", [False, True])
def test_lamb_matches_the_paper(xla):
    gradients = [drawn(seed) for seed in (1, 2, 3)]
    found = after(optimizers.LAMB(0.1, weight_decay=0.2), drawn(0), gradients, jit_compile=xla)
    for one, other in zip(found, lamb_in_numpy(drawn(0), gradients, 0.1, 0.2), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def test_lamb_without_exclusions_matches_keras():
    gradients = [drawn(seed) for seed in (1, 2, 3)]
    found = after(optimizers.LAMB(0.1, min_rank=0), drawn(0), gradients)
    for one, other in zip(found, after(keras.optimizers.Lamb(0.1), drawn(0), gradients), strict=True):
        np.testing.assert_array_max_ulp(one, other, 4)


@pytest.mark.parametrize(("min_rank", "scaled"), [(0, [True, True]), (2, [True, False]), (3, [False, False])])
@pytest.mark.parametrize("make", [lars, lamb])
def test_scaled_variables_move_by_the_rate_times_their_norm(make, min_rank, scaled):
    weights = drawn(0)
    found = after(make(0.1, min_rank=min_rank), weights, [drawn(1)])
    moves = [np.linalg.norm(one - weight) / np.linalg.norm(weight) for one, weight in zip(found, weights, strict=True)]
    assert np.isclose(moves, 0.1, rtol=1e-4).tolist() == scaled


@pytest.mark.parametrize("make", [lars, lamb])
def test_the_ratio_is_one_if_weights_or_gradients_are_zero(make):
    zeros, ones = [np.zeros((2, 2), np.float32)], [np.ones((2, 2), np.float32)]
    np.testing.assert_allclose(after(make(0.25), zeros, [ones])[0], -0.25, rtol=1e-5)
    np.testing.assert_array_equal(after(make(0.25), ones, [zeros])[0], 1.0)


@pytest.mark.parametrize(
    "text", ["lars(weight_decay=0.1)", "lamb(weight_decay=0.1)", "sgd(clipvalue=0.5, global_clipnorm=0.5)"]
)
def test_layer_rates_are_supported(text):
    check_layer_rates(optimizers.build(text, 0.1))


@pytest.mark.parametrize("make", [lars, lamb])
def test_sparse_gradients_are_summed(make):
    """Gradients of an embedding come as rows, one more than once."""
    rows = tf.IndexedSlices(
        tf.constant([[1.0, 2.0], [3.0, 0.0], [1.0, 1.0]]), tf.constant([2, 0, 2]), tf.constant([3, 2])
    )
    found = []
    for gradient in (rows, tf.convert_to_tensor(rows)):
        weight = keras.Variable(drawn(0)[0])
        make(0.1).apply([gradient], [weight])
        found.append(weight.numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    "text",
    [
        "lars(momentum=0.5, nesterov=True, weight_decay=0.001, trust_coefficient=0.01, min_rank=1, clipnorm=0.5)",
        "lamb(beta_1=0.8, weight_decay=0.01, min_rank=0, global_clipnorm=1.0)",
        "sgd(momentum=0.9, clipvalue=0.5, global_clipnorm=0.5)",
        "lars(clipvalue=0.5, clipnorm=0.5)",
    ],
)
def test_config_recreates_the_optimizer(text):
    optimizer = optimizers.build(text, 0.3)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    gradients = [drawn(1), drawn(2)]
    optimizer = type(optimizer).from_config(optimizer.get_config())
    for one, other in zip(*(after(made, drawn(0), gradients) for made in (optimizer, again)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("clips", "first", "second"),
    [
        ("clipvalue=2.0", [2.0, -2.0], [1.0]),
        ("clipnorm=1.0", [0.6, -0.8], [1.0]),
        ("global_clipnorm=2.0", [6 / 26**0.5, -8 / 26**0.5], [2 / 26**0.5]),
        ("clipvalue=2.0, clipnorm=1.0", [0.5**0.5, -(0.5**0.5)], [1.0]),
        ("clipvalue=2.0, global_clipnorm=1.5", [1.0, -1.0], [0.5]),
    ],
)
def test_gradients_are_clipped_by_value_and_norm(clips, first, second):
    """Two gradients, [3, -4] of the norm 5 and [1]; all together have the norm √26."""
    zeros = [np.zeros(2, np.float32), np.zeros(1, np.float32)]
    gradients = [np.float32([3, -4]), np.float32([1])]
    for text in ("sgd", "lars", "sgd(momentum=0.9)"):
        text = text.replace(")", f", {clips})") if "(" in text else f"{text}({clips})"
        found = after(optimizers.build(text, 1.0), zeros, [gradients])
        np.testing.assert_allclose(np.concatenate(found), [-value for value in first + second], rtol=1e-6)


def test_with_value_clipping_returns_the_same_class_each_time():
    assert with_value_clipping(keras.optimizers.SGD) is with_value_clipping(keras.optimizers.SGD)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lasr", "unknown optimizer 'lasr'. Did you mean 'lars'"),
        ("sgd(clipnorm=1.0, global_clipnorm=1.0)", "give one of the two"),
        ("lars(0.9)", "give its parameters by name"),
        ("lars(learning_rate=0.1)", "the learning rate by --learning-rate"),
    ],
)
def test_check_rejects_a_wrong_text(text, message):
    with pytest.raises(UsageError, match=message):
        optimizers.check(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lars(momentum=2)", "lars: momentum must be a number in"),
        ("lars(trust_coefficient=0)", "lars: trust_coefficient must be a number in"),
        ("lamb(weight_decay=-0.1)", "lamb: weight_decay must be a number in .* or None, got -0.1"),
        ("lars(min_rank='two')", "min_rank must be a whole number of at least 0, got 'two'"),
        ("lars(momentun=0.9)", "momentun"),
        ("sgd(clipvalue=-1.0, clipnorm=1.0)", "clipvalue must be a number in"),
    ],
)
def test_build_rejects_wrong_parameters(text, message):
    with pytest.raises(UsageError, match=message):
        optimizers.build(text, 0.1)


def test_exclude_from_weight_decay_is_refused():
    with pytest.raises(UserError, match="set min_rank instead"):
        optimizers.LARS().exclude_from_weight_decay(var_names=["bias"])


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("lars(weight_decay=0.001, trust_coefficient=0.05, clipvalue=0.5, global_clipnorm=0.5)", 0.2),
        ("lamb(weight_decay=0.01)", 0.05),
    ],
)
def test_mixed_precision_training_learns(text, rate, policy):
    policy("mixed_bfloat16")
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, "relu"),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.Dense(3),
    ]
    model = compile_model(keras.Sequential(layers), optimizer=optimizers.build(text, rate), metrics=())
    trainer = Trainer(model, "random", batch_size=10, compile="graph")
    x, y = classes()
    before = trainer.evaluate(x, y)["loss"]
    trainer.fit(x, y, epochs=10, verbose=0)
    assert trainer.evaluate(x, y)["loss"] < 0.6 * before
    assert all(variable.dtype == "float32" for variable in model.optimizer.variables[2:])


def test_optimizers_with_value_clipping_saved_by_version_0_1_load():
    saved = keras.saving.serialize_keras_object(with_value_clipping(keras.optimizers.SGD)(0.1, clipvalue=1.0))
    saved |= {"class_name": "ClampingSGD", "registered_name": "batchsel>ClampingSGD"}
    loaded = keras.saving.deserialize_keras_object(saved)
    assert isinstance(loaded, keras.optimizers.SGD)
    assert loaded.clipvalue == 1.0
