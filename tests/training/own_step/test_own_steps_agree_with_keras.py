"""Models with a step or a loss of their own train as by `model.fit(shuffle=False)`: history, weights, validation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_models import (
    WEIGHT,
    B,
    Counting,
    N,
    OwnStep,
    StepOfKeras,
    X,
    Y,
    autoencoder,
    contrastive,
    dense,
    gan,
    vae,
    with_contrastive,
    with_endpoint,
    with_layer_losses,
    with_own_call,
    with_sum,
)
from parity import assert_equal

import batchsel
from batchsel import Trainer
from batchsel.core.sources.source import ArraySource

VALIDATION = (X[:21] + 0.1, Y[:21])


def scaled():
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), initial_scale=4.0)
    return dense(StepOfKeras, optimizer=optimizer)


def of_the_guide():
    return dense(OwnStep, metrics=None, weighted_metrics=["accuracy"])


CASES = {
    "a step": (of_the_guide, (X, Y), {"validation_data": VALIDATION, "sample_weight": WEIGHT}),
    "a step of Keras": (lambda: dense(StepOfKeras), (X, Y), {"validation_data": VALIDATION}),
    "a scaled loss": (scaled, (X, Y), {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}}),
    "compute_loss": (autoencoder, (X, Y), {"validation_split": 0.3}),
    "inputs alone": (vae, (X,), {"validation_data": X[:21]}),
    "two optimizers": (gan, (X,), {}),
    "two optimizers and targets": (gan, (X, Y), {}),
    "a sum": (with_sum, (X, Y), {"validation_data": VALIDATION, "sample_weight": WEIGHT}),
    "one number": (with_contrastive, (X, Y), {"validation_data": VALIDATION}),
    "a loss with __call__": (with_own_call, (X, Y), {"validation_data": VALIDATION}),
    "losses of layers": (with_layer_losses, (X,), {"validation_data": (X[:21],)}),
    "losses of layers, targets": (with_layer_losses, (X, Y), {"validation_data": VALIDATION}),
    "targets as inputs": (with_endpoint, ({"x": X, "y": Y},), {}),
}
COMPILED = ("inputs alone", "one number")
"""Without random numbers, which XLA draws otherwise."""


@pytest.mark.parametrize(
    ("case", "compile"), [*((case, "graph") for case in CASES), *((case, "auto") for case in COMPILED)]
)
def test_training_is_that_of_keras(case, compile):
    build, data, options = CASES[case]
    options = {"batch_size": B, "epochs": 3, "verbose": 0} | options
    expected, found = build(), build()
    histories = [
        expected.fit(*data, shuffle=False, **options).history,
        batchsel.fit(found, *data, selector="fixed", compile=compile, **options).history,
    ]
    assert_equal((histories[1], found.get_weights()), (histories[0], expected.get_weights()))
    for name in ("d_optimizer", "g_optimizer") if build is gan else ():
        for one, other in zip(getattr(expected, name).variables, getattr(found, name).variables, strict=True):
            np.testing.assert_allclose(other.numpy(), one.numpy(), rtol=1e-4, atol=1e-6)


def test_hooks_for_batches_receive_the_logs_of_keras():
    rows = []
    for fit in (keras.Model.fit, batchsel.fit):
        seen = []
        record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs, seen=seen: seen.append(logs))
        extra = {"shuffle": False} if fit is keras.Model.fit else {"selector": "fixed", "compile": "graph"}
        fit(vae(), X, batch_size=B, verbose=0, callbacks=[record], **extra)
        rows.append(seen)
    assert len(rows[1]) == len(rows[0]) == -(-N // B)
    for one, other in zip(*rows, strict=True):
        assert one.keys() == other.keys()
        np.testing.assert_allclose(list(other.values()), list(one.values()), rtol=1e-5)


@pytest.mark.parametrize("build", [lambda: dense(OwnStep), with_contrastive])
def test_shuffling_visits_each_sample_once_an_epoch(build):
    trainer = Trainer(build(), "random", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=3, verbose=0)
    np.testing.assert_array_equal(trainer.visits, 3)
    assert trainer.counts["samples"] == 3 * N


def losses_by_batch(loss_of):
    """Return the loss of each sample's batch, in the order of the data."""
    parts = [np.arange(start, min(start + B, N)) for start in range(0, N, B)]
    return np.concatenate([np.full(len(part), loss_of(part)) for part in parts])


def vae_loss(part):
    model = vae()
    code = model.encoder.predict(X[part], verbose=0)
    mean, spread = code[:, :2], code[:, 2:]
    reconstruction = np.mean((X[part] - model.decoder.predict(mean, verbose=0)) ** 2)
    return reconstruction - 0.05 * np.mean(1 + spread - mean**2 - np.exp(spread))


def contrastive_loss(part):
    model = with_contrastive()
    penalty = float(tf.add_n(model.losses))
    return float(contrastive(tf.constant(Y[part]), model(X[part]))) + penalty


@pytest.mark.parametrize(
    ("build", "data", "loss_of"), [(lambda: vae(0.0), (X,), vae_loss), (with_contrastive, (X, Y), contrastive_loss)]
)
def test_the_loss_of_a_sample_is_that_of_its_batch_and_no_running_mean(build, data, loss_of):
    model = build()
    model.optimizer.learning_rate.assign(0.0)
    trainer = Trainer(model, "fixed", batch_size=B, compile="graph")
    trainer.fit(*data, verbose=0)
    np.testing.assert_allclose(trainer.losses, losses_by_batch(loss_of), rtol=2e-5)


@pytest.mark.parametrize("schedule", ["one_cycle(momenta=[0.85, 0.95])", "lerac"])
def test_schedules_and_augmentation_act_on_a_step_of_ones_own_as_on_others(schedule):
    results = []
    for kind in (keras.Sequential, StepOfKeras):
        model = dense(kind)
        settings = {"batch_size": B, "compile": "graph", "schedule": schedule, "augment": half}
        trainer = Trainer(model, "random", **settings)
        results.append((trainer.fit(X, Y, epochs=3, verbose=0).history, model.get_weights()))
    assert_equal(results[1], results[0])
    assert "learning_rate" in results[1][0]


def half(x):
    return 0.5 * x


def test_a_source_is_trained_on_as_arrays_are():
    results = []
    for data in ((X, Y), (ArraySource(X, Y),)):
        model = dense(OwnStep)
        history = batchsel.fit(model, *data, selector="random", batch_size=B, epochs=2, compile="graph", verbose=0)
        results.append((history.history, model.get_weights()))
    assert_equal(results[1], results[0])


def test_evaluation_before_training_is_that_of_keras():
    expected = vae().evaluate(X[:21], batch_size=B, return_dict=True, verbose=0)
    found = Trainer(vae(), batch_size=B, compile="graph").evaluate(X[:21])
    assert found.keys() == expected.keys()
    np.testing.assert_allclose(found["reconstruction"], expected["reconstruction"], rtol=1e-5)


def test_code_that_xla_cannot_compile_runs_as_a_graph():
    expected, found = dense(Counting), dense(Counting)
    trainer = Trainer(found, "fixed", batch_size=B)
    history = trainer.fit(X, Y, epochs=2, verbose=0).history
    assert not trainer.xla
    assert (
        history["rows"]
        == expected.fit(X, Y, epochs=2, batch_size=B, shuffle=False, verbose=0).history["rows"]
        == [2, 2]
    )


def test_pruning_by_the_losses_of_batches_trains_on_fewer_samples():
    trainer = Trainer(dense(OwnStep), "batch_loss_score | prune | keep(until=0.8)", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=10, verbose=0)
    assert 6 * N < trainer.counts["samples"] < 10 * N
    assert trainer.visits.min() >= 3


def test_batches_of_inputs_alone_are_cached():
    expected, found = vae(), vae()
    batches = tf.data.Dataset.from_tensor_slices(X).batch(B)
    history = expected.fit(batches, epochs=2, validation_data=batches, shuffle=False, verbose=0).history
    options = {"selector": "fixed", "compile": "graph", "validation_data": batches}
    others = batchsel.fit(found, batches, epochs=2, verbose=0, **options).history
    assert_equal((others, found.get_weights()), (history, expected.get_weights()))
