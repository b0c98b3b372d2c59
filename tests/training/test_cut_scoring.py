"""Pools scored at a cut: against a loop by hand, and as a part of a run that is stopped, reset and compiled."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conformance import _eagerly as eagerly
from problems import assert_same, classes, compile_model, fill_weights, mlp, sparse, two_outputs
from save_at import SaveAt

from batchsel import Trainer, UserError
from batchsel.training.diagnostics.scoring_quality import SCORED_POOLS, scoring_quality

N, B, STEPS = 200, 8, 12
X, Y = classes(N, 6)


def deep(rate=0.02, dropout=0.0, **options):
    """Two hidden layers, with moving statistics between them; a first layer of 96 of the 744 multiplications."""
    layers = [keras.layers.Dense(16, "tanh", name="first"), keras.layers.BatchNormalization(name="moments")]
    layers += [keras.layers.Dense(32, "tanh", name="second"), keras.layers.Dropout(dropout, seed=3)]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3, name="last")])
    return compile_model(model, **{"optimizer": keras.optimizers.Adam(rate)} | options)


def values_of(trainer):
    return [np.array(variable.numpy()) for _, variable in sorted(trainer.variables().items())]


def head_of(trainer):
    return trainer.engine.step.cheap_model.step.model


def losses_of(model, x, y):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(model(x, training=False), tf.float32)).numpy()


def update(model, optimizer, x, y):
    with tf.GradientTape() as tape:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x, training=True))
        mean = tf.reduce_mean(loss)
    optimizer.apply_gradients(
        zip(tape.gradient(mean, model.trainable_variables), model.trainable_variables, strict=True)
    )
    return loss.numpy()


@pytest.mark.parametrize(("cut", "schedule"), [("moments", None), (0.3, "linear")])
def test_it_is_the_loop_by_hand_over_a_model_and_a_head(cut, schedule):
    trainer = Trainer(deep(), f"candidates(2) | score(cut={cut!r})", batch_size=B, schedule=schedule)
    trainer.fit(X, Y, passes=B / N, verbose=0)
    trainer.reset(5)
    first, start = trainer.model.get_weights(), head_of(trainer).get_weights()
    trainer.fit(X, Y, passes=STEPS * B / N, verbose=0)

    model, head = deep(), keras.Sequential([keras.Input((16,)), keras.layers.Dense(3)])
    model.set_weights(first)
    head.set_weights(start)
    optimizers = keras.optimizers.Adam(0.02), keras.optimizers.Adam(0.02)
    pools = trainer.loop.state.plan.indices.numpy().reshape(-1, 2 * B)
    visits, last = np.zeros(N, int), np.full(N, np.inf)
    for step in range(STEPS):
        for optimizer in optimizers:
            # The head is trained first, at the rate that a schedule has for this step.
            optimizer.learning_rate = 0.02 * (1 - step / STEPS if schedule else 1)
        pool = pools[step]
        features = model.layers[1](model.layers[0](X[pool]), training=False)
        rows = pool[np.argsort(-losses_of(head, features, Y[pool]), kind="stable")[:B]]
        update(head, optimizers[1], features, Y[pool])
        last[rows] = update(model, optimizers[0], X[rows], Y[rows])
        visits[rows] += 1
    np.testing.assert_array_equal(trainer.visits, visits)
    np.testing.assert_allclose(trainer.losses, last, rtol=1e-5, atol=1e-5)
    for found, by_hand in ((trainer.model, model), (head_of(trainer), head)):
        for weight, expected in zip(found.get_weights(), by_hand.get_weights(), strict=True):
            np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_cost_is_counted_up_to_the_cut_and_includes_training_the_head():
    trainer = Trainer(deep(), "candidates(3) | score(cut='first', prefilter=0.5, every=3)", batch_size=B)
    trainer.fit(X, Y, passes=STEPS * B / N, verbose=0)
    rows = (
        2 * 12 + 8 + 12
    )  # steps 0, 3, 6 and 9; three batches of a pool of 24 rows, but the last pool of a plan is short
    cheap = trainer.engine.step.cheap_model
    assert int(cheap.scored.numpy()) == int(cheap.trained.numpy())
    whole, head = 6 * 16 + 16 * 32 + 32 * 3, 16 * 3
    assert trainer.counts["scored"] == int(int(cheap.scored.numpy()) * (6 * 16 + 4 * head) / whole)
    assert abs(int(cheap.scored.numpy()) - rows) <= 12


@pytest.mark.parametrize(("make", "cut", "n"), [(deep, 0.3, N), (mlp, 0.7, 50)])
def test_all_modes_train_the_same_head(make, cut, n):
    runs = []
    for mode, compiled in (("graph", "graph"), ("xla", "xla"), ("eager", "graph")):
        model = make(optimizer=keras.optimizers.Adam(0.01)) if make is deep else mlp(6)
        with eagerly(mode == "eager"):
            trainer = Trainer(model, f"candidates(2) | score(cut={cut})", batch_size=B, compile=compiled)
            trainer.reset(2)
            trainer.fit(X[:n], Y[:n], epochs=1, verbose=0)
        runs.append(trainer)
    assert runs[1].xla
    assert runs[1].loop.trace_count() == 1
    for trainer in runs[1:]:
        np.testing.assert_array_equal(trainer.visits, runs[0].visits)
        assert trainer.counts == runs[0].counts
        for left, right in zip(head_of(trainer).get_weights(), head_of(runs[0]).get_weights(), strict=True):
            np.testing.assert_allclose(left, right, atol=1e-4)


def test_a_resumed_run_is_bit_equal_and_a_new_seed_a_new_head(tmp_path):
    def make():
        return Trainer(deep(dropout=0.3), "great(3) | score(cut=0.3)", batch_size=B, schedule="cosine")

    whole, stopped, resumed = make(), make(), make()
    path = tmp_path / "run.npz"
    for trainer in (whole, stopped):
        trainer.reset(4)
    whole.fit(X, Y, epochs=2, callbacks=[SaveAt(whole, 10**9, path)], verbose=0)
    stopped.fit(X, Y, epochs=2, callbacks=[SaveAt(stopped, 14, path, stop=True)], verbose=0)
    resumed.resume(path)
    resumed.fit(X, Y, epochs=2, callbacks=[SaveAt(resumed, 10**9, path)], verbose=0)
    assert_same(values_of(whole), values_of(resumed))
    heads = []
    for seed in (4, 5, 4):
        resumed.reset(seed)
        heads.append(head_of(resumed).get_weights())
    assert_same(heads[0], heads[2])
    assert (heads[0][0] != heads[1][0]).any()
    resumed.fit(X, Y, epochs=2, callbacks=[SaveAt(resumed, 10**9, path)], verbose=0)
    assert_same(values_of(whole), values_of(resumed))


def test_pictures_are_pooled_to_sixteen_places_and_sequences_to_one():
    pictures = [keras.Input((11, 10, 1)), keras.layers.Conv2D(4, 3, padding="same"), keras.layers.ReLU(name="cut")]
    pictures += [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(3), keras.layers.Softmax()]
    words = [keras.Input((7,), dtype="int32"), keras.layers.Embedding(5, 4, name="cut"), keras.layers.LSTM(4)]
    words += [keras.layers.Dense(3), keras.layers.Softmax()]
    draw = np.random.default_rng(0)
    x = draw.normal(size=(N, 11, 10, 1)).astype("float32"), draw.integers(5, size=(N, 7)).astype("int32")
    for layers, data in zip((pictures, words), x, strict=True):
        model = compile_model(
            keras.Sequential(layers), loss=sparse(from_logits=False), optimizer=keras.optimizers.Adam()
        )
        trainer = Trainer(model, "candidates(2) | score(cut='cut', dtype='bfloat16')", batch_size=B)
        trainer.fit(data, Y, passes=2 * B / N, verbose=0)
        features = np.array(model.layers[0](data))
        if layers is pictures:
            features = np.maximum(features, 0)
            edges = np.pad(features, ((0, 0), (0, 1), (1, 1), (0, 0)), constant_values=np.nan)
            means = np.nanmean(edges.reshape(N, 4, 3, 4, 3, 4), axis=(2, 4)).reshape(N, -1)
        else:
            means = features.mean(axis=1)
        kernel, bias = head_of(trainer).get_weights()
        np.testing.assert_allclose(head_of(trainer)(features), tf.nn.softmax(means @ kernel + bias), atol=1e-5)


def test_the_quality_of_the_scores_is_that_of_the_head():
    trainer = Trainer(deep(), "candidates(2) | score(cut=0.3)", batch_size=B)
    trainer.fit(X, Y, epochs=2, verbose=0)
    before = values_of(trainer)
    rows = np.random.default_rng(0).permutation(N)[: SCORED_POOLS * 2 * B]
    quality = scoring_quality(trainer, rows, X[rows], Y[rows])
    assert_same(values_of(trainer), before)
    assert quality["passes"] > 0
    found = []
    for pool in rows.reshape(SCORED_POOLS, 2 * B):
        features = trainer.model.layers[1](trainer.model.layers[0](X[pool]), training=False)
        losses = losses_of(head_of(trainer), features, Y[pool]), losses_of(trainer.model, X[pool], Y[pool])
        found.append(np.corrcoef(*(np.argsort(np.argsort(each)) for each in losses))[0, 1])
    assert quality["spearman"] == pytest.approx(np.mean(found), abs=1e-6)


def ends_in_a_convolution():
    layers = [keras.layers.Reshape((3, 2, 1)), keras.layers.Conv2D(4, 2), keras.layers.Conv2D(3, (2, 1))]
    model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Flatten()])
    return compile_model(model)


@pytest.mark.parametrize(
    ("make", "text", "words"),
    [
        (deep, "candidates | score(cut='third')", "the model has no such layer. It has first, moments, second"),
        (deep, "candidates | score(cut=0.1)", "the first layers with weights are 0.14 of a forward pass"),
        (deep, "candidates | score(cut='last')", "up to that layer there are no weights|Choose a"),
        (deep, "k_centre(on='inputs') | score(cut=0.5)", "compares the inputs of samples"),
        (two_outputs, "candidates | score(cut=0.5)", "no Sequential or functional model with one output"),
        (
            ends_in_a_convolution,
            "candidates | score(cut=0.9)",
            "cannot make a head|the last layer with weights must be",
        ),
    ],
)
def test_what_has_no_cut_is_refused_before_training(make, text, words):
    model = make() if make is not two_outputs else two_outputs(6)
    before = model.get_weights()
    y = {"kind": Y, "size": X[:, :1]} if make is two_outputs else Y
    with pytest.raises(UserError, match=words):
        Trainer(model, text, batch_size=B).fit(X, y, verbose=0)
    assert_same(model.get_weights(), before)


def test_weights_of_the_model_are_not_changed_by_training_the_head():
    model = fill_weights(deep())
    model.optimizer.learning_rate = 0.0
    trainer = Trainer(model, "candidates(2) | score(cut='first')", batch_size=B)
    before = [weight.numpy() for weight in model.trainable_weights]
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert_same([weight.numpy() for weight in model.trainable_weights], before)
