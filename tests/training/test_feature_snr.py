"""Signal-to-noise ratio of features: decibels match NumPy, layers are selected by depth, the model is unchanged."""

import keras
import numpy as np
import pytest
from problems import assert_same, fill_weights, noisy_mlp, variable_values

from batchsel.errors import UserError
from batchsel.training.diagnostics.feature_snr import FeatureSNR


def mlp():
    layers = [keras.layers.Dense(6, "tanh"), keras.layers.Dense(5, "tanh"), keras.layers.Dense(3)]
    return fill_weights(keras.Sequential([keras.Input((4,)), *layers]))


def compute_features(weights, x):
    found = []
    for position in range(0, len(weights), 2):
        x = x @ weights[position] + weights[position + 1]
        x = np.tanh(x) if position < len(weights) - 2 else x
        found.append(x)
    return found


def test_decibels_match_numpy_for_noisy_weights():
    model, generator = mlp(), np.random.default_rng(0)
    current_weights = model.get_weights()
    noisy = [weight + 0.1 * generator.normal(size=weight.shape).astype(np.float32) for weight in current_weights]
    later = [weight + 0.01 * generator.normal(size=weight.shape).astype(np.float32) for weight in current_weights]
    x = generator.normal(size=[150, 4]).astype(np.float32)
    snr = FeatureSNR(model)
    found = snr.decibels(x, [noisy, later, current_weights])
    used = x[:128]  # whole batches of 64
    current = compute_features(current_weights, used)
    for ratios, weights in zip(found[:2], (noisy, later), strict=True):
        pairs = zip(current, compute_features(weights, used), strict=True)
        expected = [10 * np.log10((b**2).mean() / ((b - f) ** 2).mean()) for b, f in pairs]
        assert ratios == pytest.approx(expected, abs=0.01)
    assert min(found[1]) > max(found[0]) + 10
    assert found[2] == [None, None, None]
    assert snr.layers == ["dense_1", "dense_2", "dense_3"]
    assert_same(model.get_weights(), current_weights)
    assert snr._run.experimental_get_tracing_count() == 1


def test_generators_and_moving_statistics_are_unchanged():
    model = noisy_mlp()
    x = np.ones([10, 4], np.float32)
    model(x, training=True)
    before = variable_values(model)
    other = [weight + 1 for weight in model.get_weights()]
    snr = FeatureSNR(model)
    assert None not in snr.decibels(x, [other])[0]
    assert snr.layers == ["dense_1", "dense_2"]
    assert_same(variable_values(model), before)


def test_twelve_layers_are_selected_with_the_first_and_the_last():
    model = keras.Sequential([keras.Input((2,)), *[keras.layers.Dense(2, name=f"layer{i}") for i in range(30)]])
    layers = FeatureSNR(model).layers
    numbers = [int(name.removeprefix("layer")) for name in layers]
    assert (len(layers), numbers[0], numbers[-1]) == (12, 0, 29)
    assert set(np.diff(numbers)) <= {2, 3}


def test_named_blocks_are_compared_with_the_first_and_the_last_kernel():
    x = inputs = keras.Input((2,))
    x = keras.layers.Dense(2, name="stem")(x)
    for position in range(3):
        hidden = keras.layers.Dense(2, name=f"stage1_block{position + 1}_wide")(x)
        x = keras.layers.Add(name=f"stage1_block{position + 1}")([x, hidden])
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(x))
    assert FeatureSNR(model).layers == ["stem", "stage1_block1", "stage1_block2", "stage1_block3", "head"]


def test_models_without_a_graph_or_a_kernel_are_rejected():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    subclassed = Subclassed()
    subclassed(np.zeros([1, 2]))
    with pytest.raises(UserError, match="a Subclassed, cannot be compared: only Sequential and functional"):
        FeatureSNR(subclassed)
    with pytest.raises(UserError, match="none of its layers has a kernel"):
        FeatureSNR(keras.Sequential([keras.Input((2,)), keras.layers.BatchNormalization()]))
