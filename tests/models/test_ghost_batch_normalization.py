"""Ghost batch normalization: NumPy's moments of each ghost batch, Keras's layer for one, and accumulated gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from batchsel import GhostBatchNormalization, Trainer
from batchsel.errors import UserError


def expected(x, size, momentum, epsilon, gamma, beta, mean, variance, mask=None):
    """Normalize each ghost batch in float64, channels last, and update the moving moments by one after the other."""
    x, outputs = x.astype(float), np.empty(x.shape)
    count = max(len(x) // size, 1)
    for ghost in range(count):
        rows = slice(ghost * size, None if ghost == count - 1 else (ghost + 1) * size)
        values = x[rows].reshape(-1, x.shape[-1]) if mask is None else x[rows][mask[rows]]
        outputs[rows] = gamma * (x[rows] - values.mean(0)) / np.sqrt(values.var(0) + epsilon) + beta
        mean = momentum * mean + (1 - momentum) * values.mean(0)
        variance = momentum * variance + (1 - momentum) * values.var(0)
    return outputs, mean, variance


@pytest.mark.parametrize("mode", ["eager", "graph", "dynamic", "xla"])
@pytest.mark.parametrize(
    ("shape", "size"), [((12, 3), 4), ((11, 3), 4), ((3, 2), 5), ((10, 4, 5, 2), 3), ((6, 7, 2), 1)]
)
def test_outputs_and_moments_are_those_of_numpy(shape, size, mode):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 5, shape).astype("float32")
    layer = GhostBatchNormalization(size, momentum=0.8)
    layer.build(shape)
    weights = [rng.uniform(0.5, 2, shape[-1]).astype("float32") for _ in range(4)]
    layer.set_weights(weights)
    call = {
        "eager": lambda x: layer(x, training=True),
        "graph": tf.function(lambda x: layer(x, training=True)),
        "dynamic": tf.function(
            lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, *shape[1:]], tf.float32)]
        ),
        "xla": tf.function(lambda x: layer(x, training=True), jit_compile=True),
    }[mode]
    outputs, mean, variance = expected(x, size, 0.8, 1e-3, *weights)
    np.testing.assert_allclose(call(x), outputs, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    np.testing.assert_allclose(
        layer(x), weights[0] * (x - mean) / np.sqrt(variance + 1e-3) + weights[1], rtol=2e-4, atol=2e-4
    )


def test_masked_steps_do_not_count():
    rng = np.random.default_rng(0)
    x, mask = rng.normal(size=(6, 4, 3)).astype("float32"), rng.random((6, 4)) < 0.7
    mask[:, 0] = True
    layer = GhostBatchNormalization(2)
    outputs, mean, variance = expected(x, 2, 0.9, 1e-3, 1, 0, np.zeros(3), np.ones(3), mask)
    np.testing.assert_allclose(layer(x, training=True, mask=mask), outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


@pytest.mark.parametrize("axis", [-1, 1])
def test_one_ghost_batch_is_batch_normalization(axis):
    x = tf.constant(np.random.default_rng(0).normal(2, 3, (8, 4, 4, 4)), tf.float32)
    ours, theirs = GhostBatchNormalization(8, axis=axis), keras.layers.BatchNormalization(axis=axis, momentum=0.9)
    found = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
            loss = tf.reduce_sum(outputs**3)
        found.append([outputs, *layer.get_weights(), *tape.gradient(loss, [x, *layer.trainable_weights])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-3)


def classifier(normalization):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(8), normalization, keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_accumulated_batches_are_ghost_batches():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(128, 5)).astype("float32"), rng.integers(0, 3, 128)
    large, small = classifier(GhostBatchNormalization(8)), classifier(keras.layers.BatchNormalization(momentum=0.9))
    Trainer(large, selector="fixed", batch_size=32).fit(x, y, epochs=2, verbose=0)
    Trainer(small, selector="fixed", batch_size=8, accumulate=4).fit(x, y, epochs=2, verbose=0)
    for one, other in zip(large.get_weights(), small.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_a_model_with_it_is_saved_and_loaded(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    model = classifier(GhostBatchNormalization(4, momentum=0.7, epsilon=1e-4, center=False, name="ghosts"))
    model.fit(x, np.zeros(8), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    assert (loaded.layers[1].size, loaded.layers[1].momentum, loaded.layers[1].center) == (4, 0.7, False)


def test_half_precision_is_normalized_in_full_precision():
    layer = GhostBatchNormalization(2, dtype="mixed_float16")
    outputs = layer(np.array([[1000.0], [3000.0], [1.0], [2.0]], "float16"), training=True)
    assert outputs.dtype == "float16"
    np.testing.assert_allclose(outputs, [[-1], [1], [-1], [1]], rtol=5e-3)


@pytest.mark.parametrize(
    "arguments", [{"size": 0}, {"size": 1.5}, {"size": 8, "renorm": True}, {"size": 8, "synchronized": True}]
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(UserError):
        GhostBatchNormalization(**arguments)
