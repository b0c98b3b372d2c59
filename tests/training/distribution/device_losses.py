"""Runs on two devices with losses, optimizers and layers that look at a whole batch, as JSON; in a process of its own."""

import json
import sys

import keras
import numpy as np
from device_runs import LABELS, RNG, Stop, compared, dense, train, variables_of_optimizer

import batchsel

N, B = 192, 32
"""Batches that two devices share equally: rows that fill up a batch would be seen by metrics of masked outputs."""
TOKENS = RNG.integers(1, 9, [N, 6]) * (np.arange(6) < RNG.integers(1, 7, [N, 1]))
STEPS = (TOKENS * 2 + 1) % 4
WEIGHTS = RNG.integers(1, 4, N).astype(np.float32)


def run_with_optimizers():
    """Compare runs on two devices with those on one, for optimizers that decide in a branch."""
    make = keras.optimizers
    optimizers = {
        "averages that overwrite": (
            lambda: make.AdamW(
                0.01, weight_decay=0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3, clipnorm=0.5
            ),
            {"schedule": "cosine"},
        ),
        "averages of accumulated updates": (lambda: make.Adam(0.01, use_ema=True, ema_momentum=0.9), {"accumulate": 2}),
        "accumulation by Keras": (lambda: make.AdamW(0.01, gradient_accumulation_steps=3, global_clipnorm=0.3), {}),
    }
    found = {}
    for name, (optimizer, settings) in optimizers.items():
        models = {count: dense(count, optimizer=keras.optimizers.serialize(optimizer())) for count in (1, 2)}
        runs = [train(model, LABELS, "soft_keep", count, **settings) for count, model in models.items()]
        slots = [variables_of_optimizer(run) for run in runs]
        found[name] = compared(*runs) | {"slots": max(map(relative, *slots))}
    return found


def relative(a, b):
    return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6))


def tagger(devices):
    """Return a model with an output of masked steps, and one that is a number for each sample."""
    keras.utils.set_random_seed(1)
    with batchsel.device_scope(devices):
        inputs = keras.Input([6], dtype="int32")
        steps = keras.layers.LSTM(4, return_sequences=True)(keras.layers.Embedding(9, 4, mask_zero=True)(inputs))
        tags = keras.layers.Dense(4, name="tags")(steps)
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        mean = keras.layers.Dense(1, name="mean")(keras.layers.GlobalAveragePooling1D()(steps))
        model = keras.Model(inputs, {"tags": tags, "mean": mean})
        model.compile("adam", {"tags": entropy, "mean": "mse"}, loss_weights={"tags": 1.0, "mean": 0.5})
    return model


def classifier(devices, loss, *layers):
    keras.utils.set_random_seed(1)
    with batchsel.device_scope(devices):
        model = keras.Sequential([keras.Input([6]), *(layer() for layer in layers), keras.layers.Dense(4)])
        model.compile(keras.optimizers.Adam(0.01), loss())
    return model


def run_with_losses():
    """Compare runs on two devices with those on one, for losses whose mean over a batch is not one over its shares."""
    entropy = keras.losses.SparseCategoricalCrossentropy
    x, labels = TOKENS.astype(np.float32) / 9, STEPS[:, 0]
    cases = {
        "masked steps of one output of two": (
            tagger, TOKENS, {"tags": STEPS, "mean": x.mean(axis=1)}, {"selector": "random"},
        ),
        "ignored class, filled up": (
            lambda devices: classifier(devices, lambda: entropy(True, ignore_class=1)), x, labels, {"batch_size": 21},
        ),
        "weighted mean": (
            lambda devices: classifier(devices, lambda: entropy(True, reduction="mean_with_sample_weight")),
            x, labels, {"sample_weight": WEIGHTS, "selector": "random", "batch_size": 31},
        ),
        # Of 10 samples 2 are left for a short batch: filled up with both in turn, it has their mean and variance.
        "synchronized normalization, filled up": (
            lambda devices: classifier(
                devices, lambda: entropy(True), lambda: keras.layers.BatchNormalization(synchronized=True)
            ), x[:10], labels[:10], {"selector": "random", "batch_size": 8, "epochs": 15},
        ),
    }  # fmt: skip
    return {name: compared(*(fit(make(count), *data) for count in (1, 2))) for name, (make, *data) in cases.items()}


def fit(model, x, y, options, path=None):
    options = dict(options)
    selector, size = options.pop("selector", "soft_keep"), options.pop("batch_size", B)
    trainer = batchsel.Trainer(model, selector, batch_size=size, seed=3, compile="graph")
    if path is not None:
        trainer.resume(path)
    trainer.fit(x, y, verbose=0, **{"epochs": 6, **options})
    return trainer


PICTURES = RNG.integers(0, 9, [N, 8, 8, 1]).astype(np.float32) / 8
SCORERS = {
    "proxy of every other step": "candidates(3) | score(proxy=0.5, proxy_every=2)",
    "cut on smaller pictures": "candidates(2) | score(cut=0.9, shrink=2)",
}


def convolutional(devices):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    with batchsel.device_scope(devices):
        model = keras.Sequential([keras.Input((None, None, 1)), layers.Conv2D(4, 3, activation="relu")])
        for layer in (layers.Conv2D(6, 3, padding="same"), layers.GlobalAveragePooling2D(), layers.Dense(4)):
            model.add(layer)
        model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def run_with_cheap_scores():
    """Compare runs on two devices with those on one, where pools are scored by less than the model."""
    found = {}
    for name, selector in SCORERS.items():
        runs = [fit(convolutional(count), PICTURES, STEPS[:, 0], {"selector": selector}) for count in (1, 2)]
        found[name] = compared(*runs) | {"cheap weights": cheap_difference(*runs)}
    return found


def cheap_difference(*runs):
    """Return how the weights of what scores pools differ between two runs, relative to the largest."""
    return max(map(relative, *(run.engine.step.cheap_model.step.model.get_weights() for run in runs)))


def resume_with_proxy(path):
    """Compare a run on two devices that scores by a proxy with one that was stopped and resumed on the way."""
    options = {"selector": SCORERS["proxy of every other step"]}
    whole = fit(convolutional(2), PICTURES, STEPS[:, 0], options)
    try:
        fit(convolutional(2), PICTURES, STEPS[:, 0], options | {"checkpoint": path, "callbacks": [Stop()]})
    except InterruptedError:
        resumed = fit(convolutional(2), PICTURES, STEPS[:, 0], options, path)
        return compared(whole, resumed) | {"cheap weights": cheap_difference(whole, resumed)}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
