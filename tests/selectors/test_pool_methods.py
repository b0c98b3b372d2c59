"""Methods that choose batches from scored pools."""

import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import B, N
from pools import chosen, pool_of
from problems import classes

from batchsel.errors import UsageError
from batchsel.selectors import resolve
from batchsel.selectors.methods.importance_sampling import variance_ratio
from batchsel.selectors.pooled import take_in_proportion
from batchsel.testing.fixtures import example_context

X, Y = classes(N)


def assert_unbiased(choices, size):
    values = np.random.default_rng(5).normal(size=(size, 4))
    means = [(values[rows] * weights[:, None]).sum(axis=0) / len(rows) for rows, weights in choices]
    error = np.mean(means, axis=0) - values.mean(axis=0)
    assert (np.abs(error) < 3.5 * np.std(means, axis=0) / np.sqrt(len(means))).all()


@pytest.mark.parametrize("of", ["loss", "gradient_norm", "last_layer", "probability"])
def test_candidates_takes_the_highest_scores(of):
    pool = pool_of(4 * B)
    scores = {
        "loss": pool.loss, "gradient_norm": pool.gradient_norm, "probability": 1 - pool.probability,
        "last_layer": pool.gradient_norm * np.sqrt(np.square(pool.features).sum(axis=1) + 1),
    }[of]  # fmt: skip
    ((rows, weights),) = chosen(f"candidates(pool=4, of={of!r})", pool, 1)
    assert rows.tolist() == np.argsort(-np.asarray(scores), kind="stable")[:B].tolist()
    assert (weights == 1).all()


def test_candidates_computes_the_last_layer_gradient_norm():
    kernel = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    features = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    labels, variables = np.arange(5) % 3, (tf.Variable(kernel), tf.Variable(np.zeros(3, np.float32)))
    exact, residuals = [], []
    for row, label in zip(features, labels, strict=True):
        with tf.GradientTape() as tape:
            logits = row[None] @ variables[0] + variables[1]
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits([label], logits)
        exact.append(tf.linalg.global_norm(tape.gradient(loss, variables)).numpy())
        residuals.append(np.linalg.norm(tf.nn.softmax(logits)[0] - np.eye(3)[label]))
    pool = pool_of(5, features=features, gradient_norm=residuals)
    scores = resolve("candidates(of='last_layer')")._scores(pool)
    np.testing.assert_allclose(scores, exact, rtol=1e-5)


@pytest.mark.parametrize("of", ["loss", "gradient_norm"])
def test_candidates_drawn_in_proportion_are_unbiased_with_weights(of):
    pool = pool_of(4 * B, real=4 * B - 3)
    choices = chosen(f"candidates(pool=4, of={of!r}, take='unbiased')", pool, 3000)
    scores = np.asarray(getattr(pool, of))[: 4 * B - 3]
    rate = np.bincount(np.concatenate([rows for rows, _ in choices]), minlength=4 * B) / len(choices)
    np.testing.assert_allclose(rate[: 4 * B - 3], B * scores / scores.sum(), atol=0.06)
    assert rate[4 * B - 3 :].sum() == 0
    assert_unbiased(choices, 4 * B - 3)
    assert all((w == 1).all() for _, w in chosen(f"candidates(pool=4, of={of!r}, take='proportional')", pool, 5))


def test_a_pool_of_zero_scores_is_drawn_uniformly():
    choice = take_in_proportion(tf.zeros([12]), tf.range(12) < 8, 4, example_context().rng, unbiased=True)
    assert len(set(choice.positions.numpy())) == 4
    assert (choice.positions.numpy() < 8).all()
    np.testing.assert_allclose(choice.weights, 1)


def test_tau_is_1_for_equal_norms_and_grows_with_their_spread():
    valid = tf.ones([100], tf.bool)
    assert variance_ratio(tf.ones([100]), valid).numpy() == pytest.approx(1)
    norms = np.random.default_rng(0).exponential(size=100).astype(np.float32)
    p, u = norms / norms.sum(), 1 / 100
    expected = (1 - np.square(p - u).sum() / np.square(p).sum()) ** -0.5
    assert variance_ratio(tf.constant(norms), valid).numpy() == pytest.approx(expected, rel=1e-4)
    one = np.zeros(100, np.float32)
    one[3] = 1
    assert variance_ratio(tf.constant(one), valid).numpy() == pytest.approx(10, rel=1e-3)


def test_importance_sampling_is_on_only_while_tau_is_above_the_threshold():
    selector = resolve("importance_sampling")
    context = example_context(N, B)
    for tau, on in ((1.0, False), (1.99, False), (2.01, True)):  # (3 b + 3 b) / (3 b) = 2
        weights = selector.plan((tf.constant(tau), tf.constant(False)), context).weights.numpy().reshape(-1, 3 * B)
        assert ((weights != 0).sum(axis=1) > B).any() == on
        assert ((weights != 0).sum(axis=1) >= 1).all()


def test_importance_sampling_is_unbiased():
    pool = pool_of(3 * B)
    assert_unbiased(chosen("importance_sampling", pool, 3000), 3 * B)


def test_plain_batches_go_through_the_data_in_one_order_after_the_other():
    selector = resolve("importance_sampling(pool=4)")
    rows = []
    for plans in range(9):
        made = selector.plan(selector.init(N), example_context(N, B, plans=plans, step=plans))
        rows += made.indices.numpy()[made.weights.numpy() > 0].tolist()
    passes = [rows[start : start + N] for start in range(0, len(rows) - N + 1, N)]
    assert len(passes) >= 2
    assert all(sorted(order) == list(range(N)) for order in passes)
    assert passes[0] != passes[1]


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0, 3.0])
def test_selective_backprop_keeps_one_in_beta_plus_one(beta):
    selector = resolve(f"selective_backprop(beta={beta}, history=600)")
    size, history = selector.pool_size(400), np.random.default_rng(1).exponential(size=600).astype(np.float32)
    state = (tf.constant(history), tf.constant(0))
    context = example_context(5000, 400, samples=5000)
    kept, losses = 0, np.zeros(2)
    for seed in range(20):
        pool = pool_of(size, seed=seed)
        choice = selector.choose(state, pool, context._replace(step=tf.constant(seed, tf.int64)))
        rows = choice.positions.numpy()[choice.weights.numpy() > 0]
        kept += len(rows)
        losses += [pool.loss.numpy()[rows].mean(), pool.loss.numpy().mean()]
    assert kept / (20 * size) == pytest.approx(min(1 / (beta + 1), 400 / size), abs=0.03)
    assert losses[0] > 1.15 * losses[1]


def test_selective_backprop_keeps_the_latest_losses():
    selector = resolve("selective_backprop(history=10)")
    state = selector.init(N)
    for seed in range(4):
        pool = pool_of(4, loss=np.arange(4) + 4.0 * seed)
        state = selector.observe(state, pool, example_context(N, 2))
    assert sorted(state[0].numpy()) == list(range(6, 16))


def test_selective_backprop_shuffles_in_the_first_pass():
    made = resolve("selective_backprop").plan(
        resolve("selective_backprop").init(N), example_context(N, B, samples=N - 1)
    )
    assert ((made.weights.numpy().reshape(-1, 2 * B) != 0).sum(axis=1) == B).all()


def test_selective_backprop_trains_on_the_hardest_row_if_none_is_kept():
    pool = pool_of(2 * B, loss=np.r_[np.zeros(7), 1e-9, np.zeros(4)])
    state = (tf.fill([1024], 5.0), tf.constant(0))
    ((rows, weights),) = chosen("selective_backprop", pool, 1, state=state)
    assert rows[0] == 7
    assert weights.tolist() == [1, 0, 0, 0, 0, 0]


def test_composer_is_on_in_the_middle_of_the_run_except_every_second_pool():
    selector = resolve("composer_backprop")
    for progress, on in ((0.49, False), (0.5, True), (0.89, True), (0.9, False)):
        weights = selector.plan((), example_context(N, B, progress=progress)).weights.numpy().reshape(-1, 2 * B)
        scored = (weights != 0).sum(axis=1) > B
        assert scored.tolist() == [on, False, False, on, False, False, on]
    always = resolve("composer_backprop(interrupt=0)").plan((), example_context(N, B, progress=0.7))
    assert (always.weights.numpy() == 1).all()
    with pytest.raises(UsageError, match="end must be above start"):
        resolve("composer_backprop(start=0.9, end=0.5)")


@pytest.mark.parametrize("text", ["importance_sampling(pool=1)", "composer_backprop(keep=1.0)"])
def test_plain_batches_of_pools_of_one_go_through_all_orders(text):
    selector, n, b = resolve(text), 50, 8
    for plans in range(20):
        plan = selector.plan(selector.init(n), example_context(n, b, plans=plans))
        assert ((plan.indices.numpy() >= 0) & (plan.indices.numpy() < n)).all()


def test_padding_rows_do_not_enter_the_loss_history():
    selector = resolve("selective_backprop(history=64)")
    pool = pool_of(3 * B, real=5)
    history, _ = selector.observe(selector.init(N), pool, example_context(N, B))
    assert np.isfinite(history.numpy()).sum() == 5


@pytest.mark.parametrize("on", ["features", "pca"])
def test_padding_rows_do_not_affect_k_centre(on):
    whole = pool_of(4 * B, real=2 * B)
    points = whole.features.numpy().copy()
    whole = whole._replace(features=tf.constant(points), inputs=tf.constant(points))
    corrupted = points.copy()
    corrupted[2 * B :] = 100.0
    other = whole._replace(features=tf.constant(corrupted), inputs=tf.constant(corrupted))
    text = f"k_centre(pool=4, on={on!r}, dimensions=3)"
    ((first, _),), ((second, _),) = (chosen(text, pool, 1) for pool in (whole, other))
    assert sorted(first) == sorted(second)
    assert max(first) < 2 * B
