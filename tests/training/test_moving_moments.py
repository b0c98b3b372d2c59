"""Warning of moving moments that need more updates than a run has."""

import warnings

import keras
import numpy as np
import pytest

from batchsel import GhostBatchNormalization, Trainer

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(64, 3)).astype("float32"), RNG.integers(0, 2, 64)


def trainer(normalization, batch_size=16):
    inner = keras.Sequential([keras.Input((3,)), normalization, keras.layers.Dense(2)])
    model = keras.Sequential([keras.Input((3,)), inner])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Trainer(model, selector="random", batch_size=batch_size)


def warned(trainer, **options):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        trainer.fit(X, Y, verbose=0, **({"validation_data": (X, Y)} | options))
    return [str(item.message) for item in found if "lags behind" in str(item.message)]


def test_runs_with_fewer_updates_than_the_moments_need_are_warned_of():
    normalization = keras.layers.BatchNormalization(momentum=0.9)
    (message,) = warned(trainer(normalization), epochs=7)
    assert "momentum 0.9 and 28 updates in this run, and need 30" in message
    assert warned(trainer(keras.layers.BatchNormalization(momentum=0.9)), epochs=8) == []


@pytest.mark.parametrize(
    ("normalization", "options"),
    [
        (keras.layers.BatchNormalization(), {"validation_data": None}),
        (keras.layers.BatchNormalization(trainable=False), {}),
        (GhostBatchNormalization(2), {"epochs": 1}),  # 4 batches of 8 ghost batches
        (keras.layers.LayerNormalization(), {}),
    ],
)
def test_runs_without_moments_that_lag_are_not(normalization, options):
    assert warned(trainer(normalization), **options) == []


def test_moments_that_were_trained_before_do_not_lag():
    again = trainer(keras.layers.BatchNormalization())
    assert len(warned(again)) == 1
    assert warned(again) == []
