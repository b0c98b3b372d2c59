"""A small model trained first, and the draw of the hardest of every few batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, compile_model, mlp, sparse, two_outputs

from batchsel import Trainer
from batchsel.errors import UserError
from batchsel.selectors import resolve
from batchsel.selectors.ops.plan_interval import interval_in_steps
from batchsel.testing.fixtures import example_context

N, B = 50, 8
X, Y = classes(N)


def hardest(pool, scores, step=0):
    n = len(scores)
    selector = resolve(f"loss_ema | hardest(pool={pool})")
    plan = selector.draw.draw(tf.constant(scores, tf.float64), example_context(n, B, step=step))
    return plan.indices.numpy().reshape(-1, B), plan.weights.numpy().reshape(-1, B), int(plan.steps)


@pytest.mark.parametrize("pool", [1, 2, 3, 20])
def test_every_batch_holds_the_highest_scores_of_its_pool(pool):
    scores = np.random.default_rng(0).exponential(size=N)
    rows, weights, steps = hardest(pool, scores)
    assert steps == -(-N // (pool * B))
    # The pools are the shuffled pass in order; rows not chosen score less than all chosen ones.
    order = example_context(N, B).rng.permutation(N, "hardest").numpy()
    for place in range(steps):
        members = order[place * pool * B : (place + 1) * pool * B]
        real = rows[place][weights[place] > 0]
        assert len(real) == min(B, -(-len(members) // pool))
        expected = members[np.argsort(-scores[members], kind="stable")][: len(real)]
        np.testing.assert_array_equal(real, expected)
    taken = rows[weights > 0]
    assert len(taken) == len(set(taken))
    assert pool > 1 or len(taken) == N


def test_hardest_breaks_ties_at_random():
    counts = np.zeros(N)
    for step in range(400):
        rows, weights, _ = hardest(2, np.ones(N), step)
        np.add.at(counts, rows[weights > 0], 1)
    # 25 of 50 rows a plan: mean 200, standard deviation 10.
    assert counts.sum() == 400 * 25
    assert np.abs(counts - 200).max() < 45


def test_proxy_losses_are_those_of_the_same_progress():
    selector = resolve("proxy_loss(passes=4, width=0.5)")
    asked = []

    def train_auxiliary(rows, seed, passes, *, width, every_pass):
        asked.append((len(rows), seed, passes, width, every_pass))
        return np.arange(4.0)[:, None] + np.zeros([4, N])

    state = selector.prepare(selector.init(N), train_auxiliary, 7)
    assert asked == [(N, 8, 4, 0.5, True)]
    found = [
        selector.score.score(state[0], example_context(N, B, progress=at))[0].numpy() for at in (0, 0.24, 0.26, 0.9, 1)
    ]
    assert found == [0, 0, 1, 3, 3]
    assert selector.prepare(state, None, 7)[0] is state[0]


def test_it_is_trained_on_the_clock_and_counted_by_its_size():
    trainer = Trainer(mlp(), "small_proxy(pool=2, passes=3)", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    # 4-8-3 against 4-4-3; 50 samples trained on three times, counted as three, and scored three times.
    share = (4 * 4 + 4 + 4 * 3 + 3) / (4 * 8 + 8 + 8 * 3 + 3)
    assert trainer.counts["scored"] == np.ceil(share * (3 * 3 * N + 3 * N))
    losses = trainer.loop.state.state[0].losses.numpy()
    assert (losses[1:].mean(axis=1) < losses[:-1].mean(axis=1)).all()
    trainer.fit(X, Y, epochs=1, verbose=0)
    np.testing.assert_array_equal(trainer.loop.state.state[0].losses.numpy(), losses)


def test_samples_hard_for_the_small_model_are_trained_on_more():
    trainer = Trainer(mlp(), "small_proxy(pool=4)", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=8, verbose=0)
    losses = trainer.loop.state.state[0].losses.numpy()[0]
    hard = np.argsort(losses)[-N // 4 :]
    assert trainer.visits[hard].mean() > 2 * trainer.visits.mean()


def conv_net():
    inputs = keras.Input((6, 6, 1))
    hidden = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    hidden = keras.layers.Add()([hidden, keras.layers.Conv2D(8, 3, padding="same")(hidden)])
    hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dense(6)(keras.layers.GlobalAveragePooling2D()(hidden))
    outputs = keras.layers.Activation("softmax")(keras.layers.Dense(3)(hidden))
    return compile_model(keras.Model(inputs, outputs), loss=sparse(from_logits=False))


def test_narrower_networks_keep_their_architecture():
    x = np.random.default_rng(0).normal(size=(N, 6, 6, 1)).astype(np.float32)
    trainer = Trainer(conv_net(), "small_proxy(width=0.25)", batch_size=B, compile="graph")
    trainer.fit(x, Y, epochs=1, verbose=0)
    narrow, _ = trainer.auxiliary._trainers[0.25, B]
    widths = [layer.filters for layer in narrow.model.layers if hasattr(layer, "filters")]
    units = [layer.units for layer in narrow.model.layers if hasattr(layer, "units")]
    assert (widths, units) == ([2, 2], [2, 3])


def test_models_that_cannot_be_narrowed_are_refused():
    inputs = keras.Input((4,))
    both = keras.layers.Concatenate()([keras.layers.Dense(2)(inputs), keras.layers.Dense(2)(inputs)])
    trainer = Trainer(compile_model(keras.Model(inputs, both)), "small_proxy", batch_size=B, compile="graph")
    with pytest.raises(UserError, match=r"a narrower Functional has outputs of the shape \(None, 3\) in place of"):
        trainer.fit(X, Y, verbose=0)


def test_interval_in_steps_has_bounds():
    assert interval_in_steps(None, 60_000, 64) == 47  # a twentieth of a pass
    assert interval_in_steps(None, 4_000_000, 64) == 15625  # a quarter
    assert interval_in_steps(0.5, 60_000, 64) == 468  # half a pass, at most
    assert interval_in_steps(0.001, 60_000, 64) == 32  # at least
    assert interval_in_steps(None, 640, 64) == 5  # but half a pass
    assert interval_in_steps(700, 640, 64) == 700  # as the user wants it
    assert interval_in_steps(None, 1, 8) == 1


def test_every_output_of_a_narrower_model_keeps_its_size():
    trainer = Trainer(two_outputs(), "small_proxy", batch_size=B, compile="graph")
    trainer.fit(X, {"kind": Y, "size": X[:, :1]}, epochs=1, verbose=0)
    narrow, _ = trainer.auxiliary._trainers[0.5, B]
    assert [layer.units for layer in narrow.model.layers if hasattr(layer, "units")] == [4, 3, 1]


def test_the_small_model_uses_the_settings_of_the_run():
    trainer = Trainer(mlp(), "small_proxy", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    narrow, _ = trainer.auxiliary._trainers[0.5, B]
    assert not narrow.xla
    assert Trainer(mlp(), batch_size=B).xla
