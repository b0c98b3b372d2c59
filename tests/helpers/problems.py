"""Tiny models and data; every function returns the same weights and the same numbers each time."""

import keras
import numpy as np


def classes(n=50, features=4, number=3, seed=0):
    """Inputs ``float32[n, features]`` around one center for each class, and class ids ``int64[n]``."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % number
    centers = generator.normal(size=(number, features))
    x = centers[y] + 0.7 * generator.normal(size=(n, features))
    return x.astype(np.float32), y


def line(n=50, features=3, seed=0):
    """Inputs and targets of a linear regression with noise, ``float32[n, features]`` and ``float32[n]``."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, features)).astype(np.float32)
    y = x @ np.arange(1, features + 1) + 0.1 * generator.normal(size=n)
    return x, y.astype(np.float32)


def fill_weights(model, seed=0):
    """Set weights from a separate generator, so that they do not depend on models built before."""
    generator = np.random.default_rng(seed)

    def draw(weight):
        values = generator.normal(size=weight.shape).astype(np.float32)
        return 0.5 * values if weight.ndim > 1 else weight + 0.1 * np.abs(values)

    model.set_weights([draw(weight) for weight in model.get_weights()])
    return model


def sparse(from_logits=True):
    return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)


def compile_model(model, optimizer=None, loss=None, metrics=("accuracy",), **options):
    """Fill and compile a model, by default with SGD with momentum and sparse cross-entropy."""
    fill_weights(model)
    optimizer = optimizer or keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, loss or sparse(), metrics=list(metrics) if metrics else None, **options)
    return model


def mlp(features=4, outputs=3, activation=None, regularizer=None, **options):
    """Input, one hidden layer of 8, logits."""
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(8, "tanh", kernel_regularizer=regularizer),
            keras.layers.Dense(outputs, activation),
        ]
    )
    return compile_model(model, **options)


def linear(features=3, rate=0.1, **options):
    """Linear regression by plain SGD on the squared error."""
    model = keras.Sequential([keras.Input((features,)), keras.layers.Dense(1)])
    options = {"metrics": (), "loss": "mse", "optimizer": keras.optimizers.SGD(rate)} | options
    return compile_model(model, **options)


def noisy_mlp(features=4, outputs=3, batch_norm=True, **options):
    """A model with Dropout and BatchNormalization, hence with random generators and moving statistics."""
    layers = [keras.Input((features,)), keras.layers.Dense(8, "relu")]
    layers += [keras.layers.BatchNormalization()] if batch_norm else []
    model = keras.Sequential([*layers, keras.layers.Dropout(0.5, seed=7), keras.layers.Dense(outputs)])
    return compile_model(model, **options)


def two_outputs(features=4, **options):
    """A class (named "kind") and a number (named "size") from one trunk."""
    inputs = keras.Input((features,))
    trunk = keras.layers.Dense(8, "tanh")(inputs)
    outputs = {"kind": keras.layers.Dense(3, name="kind")(trunk), "size": keras.layers.Dense(1, name="size")(trunk)}
    options = {
        "loss": {"kind": sparse(), "size": "mse"},
        "loss_weights": {"kind": 1.0, "size": 0.5},
        "metrics": None,
    } | options
    model = keras.Model(inputs, outputs)
    fill_weights(model)
    model.compile(keras.optimizers.SGD(0.05), **options)
    return model


def variable_values(model):
    """Values of all variables of a model, random generators included."""
    return [np.array(variable.numpy()) for variable in model.variables]


def assert_same(first, second):
    """Assert that two lists of arrays are equal to the last bit."""
    assert len(first) == len(second)
    for left, right in zip(first, second, strict=True):
        np.testing.assert_array_equal(left, right)
