"""Methods that score rows by forward passes: pools, hidden samples, and what is counted of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp, two_outputs, weights_of

from batchsel import Trainer
from batchsel.errors import UsageError, UserError
from batchsel.selectors import resolve
from batchsel.selectors.methods.importance_sampling import variance_ratio
from batchsel.selectors.pooled import take_in_proportion
from batchsel.testing.fixtures import example_context, example_stats
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.train_step import Rows

N, B = 60, 6
X, Y = classes(N)
LOSSES = np.random.default_rng(3).exponential(size=N).astype(np.float32)


def pool_of(size, seed=0, real=None, **given):
    """A scored pool of the first samples."""
    generator = np.random.default_rng(seed)
    found = example_stats(
        np.arange(size), 0.2 + generator.exponential(size=size), ("gradient_norm", "probability", "features"), seed=seed
    )
    found = found._replace(**{name: tf.constant(value, tf.float32) for name, value in given.items()})
    return found._replace(valid=tf.range(size) < (size if real is None else real))


def chosen(text, pool, times, state=None, **where):
    """Positions and weights of the choices of successive steps."""
    selector = resolve(text)
    state = selector.init(N) if state is None else state

    @tf.function(autograph=False)
    def choose(step):
        return selector.choose(state, pool, example_context(N, B, **where)._replace(step=step))

    made = [choose(tf.constant(step, tf.int64)) for step in range(times)]
    return [(choice.positions.numpy(), choice.weights.numpy()) for choice in made]


def assert_unbiased(choices, size):
    values = np.random.default_rng(5).normal(size=(size, 4))
    means = [(values[rows] * weights[:, None]).sum(axis=0) / len(rows) for rows, weights in choices]
    error = np.mean(means, axis=0) - values.mean(axis=0)
    assert (np.abs(error) < 3.5 * np.std(means, axis=0) / np.sqrt(len(means))).all()


@pytest.mark.parametrize("of", ["loss", "gradient_norm", "last_layer", "probability"])
def test_the_top_of_a_pool_is_that_of_the_score(of):
    pool = pool_of(4 * B)
    scores = {
        "loss": pool.loss, "gradient_norm": pool.gradient_norm, "probability": 1 - pool.probability,
        "last_layer": pool.gradient_norm * np.sqrt(np.square(pool.features).sum(axis=1) + 1),
    }[of]  # fmt: skip
    ((rows, weights),) = chosen(f"candidates(pool=4, of={of!r})", pool, 1)
    assert rows.tolist() == np.argsort(-np.asarray(scores), kind="stable")[:B].tolist()
    assert (weights == 1).all()


def test_the_norm_of_the_last_layer_is_exact():
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
def test_a_pool_drawn_from_in_proportion_can_be_unbiased(of):
    pool = pool_of(4 * B, real=4 * B - 3)
    choices = chosen(f"candidates(pool=4, of={of!r}, take='unbiased')", pool, 3000)
    scores = np.asarray(getattr(pool, of))[: 4 * B - 3]
    rate = np.bincount(np.concatenate([rows for rows, _ in choices]), minlength=4 * B) / len(choices)
    np.testing.assert_allclose(rate[: 4 * B - 3], B * scores / scores.sum(), atol=0.06)
    assert rate[4 * B - 3 :].sum() == 0
    assert_unbiased(choices, 4 * B - 3)
    assert all((w == 1).all() for _, w in chosen(f"candidates(pool=4, of={of!r}, take='proportional')", pool, 5))


def test_a_pool_without_scores_is_drawn_from_evenly():
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


def test_selective_backprop_remembers_the_latest_losses():
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


def test_composer_draws_without_replacement_by_the_place_in_the_pool():
    pool = pool_of(2 * B)
    choices = chosen("composer_backprop", pool, 3000)
    place = (np.argsort(np.argsort(pool.loss)) + 1) / (2 * B)
    rate = np.bincount(np.concatenate([rows for rows, _ in choices]), minlength=2 * B) / len(choices)
    np.testing.assert_allclose(rate, B * place / place.sum(), atol=0.04)
    assert all(len(set(rows)) == B for rows, _ in choices)


def test_composer_is_on_in_the_middle_of_the_run_but_for_every_second_step():
    selector = resolve("composer_backprop")
    for progress, on in ((0.49, False), (0.5, True), (0.89, True), (0.9, False)):
        weights = selector.plan((), example_context(N, B, progress=progress)).weights.numpy().reshape(-1, 2 * B)
        scored = (weights != 0).sum(axis=1) > B
        assert scored.tolist() == [on, False, on, False, on]
    always = resolve("composer_backprop(interrupt=0)").plan((), example_context(N, B, progress=0.7))
    assert (always.weights.numpy() == 1).all()
    with pytest.raises(UsageError, match="end must be above start"):
        resolve("composer_backprop(start=0.9, end=0.5)")


@pytest.mark.parametrize(
    ("accuracy", "part"), [(0.79, 1), (0.8, 2), (0.9, 4), (0.95, 8), (0.995, 16), (1.0, 16)]
)  # fmt: skip
def test_ordered_sgd_follows_the_rule_for_q(accuracy, part):
    losses = np.random.default_rng(0).exponential(size=32).astype(np.float32)
    selector = resolve("ordered_sgd")
    factors = selector.loss_weights(
        tf.constant([0.0, 0.0, accuracy]), tf.constant(losses), tf.ones([32], tf.bool), example_context(N, 32)
    )
    top = np.argsort(-losses)[: 32 // part]
    np.testing.assert_allclose(factors.numpy()[top], part)
    assert (factors.numpy() > 0).sum() == 32 // part


def test_ordered_sgd_is_the_mean_over_the_largest_losses():
    """A step equals one of plain training on the largest losses alone."""
    ordered = Trainer(mlp(), "ordered_sgd(0.25)", batch_size=N, compile="graph")
    start = weights_of(ordered.model)
    ordered.fit(X, Y, epochs=1, verbose=0)
    hardest = np.argsort(-ordered.losses)[: N // 4]
    plain = Trainer(mlp(), "fixed", batch_size=N // 4, compile="graph")
    plain.model.set_weights(start)
    plain.fit(X[hardest], Y[hardest], epochs=1, verbose=0)
    for first, second in zip(weights_of(ordered.model), weights_of(plain.model), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-5)


def test_ordered_sgd_measures_accuracy_over_a_pass():
    selector = resolve("ordered_sgd")
    state = selector.init(N)
    for step in range(N // B):
        batch = example_stats(np.arange(B), np.ones(B), ("correct",))._replace(
            correct=tf.cast(tf.range(B) < 3, tf.float32)
        )
        state = selector.update(state, batch, example_context(N, B, step=step))
    assert state.numpy().tolist() == [0, 0, 0.5]


def hidden_of(plan):
    """The samples of a plan that are trained on, and those that are only scored."""
    rows, weights = plan.indices.numpy()[: int(plan.steps) * B], plan.weights.numpy()[: int(plan.steps) * B]
    return set(rows[weights > 0]), set(rows[weights < 0])


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.3), (0.3, 0.24), (0.6, 0.18), (0.8, 0.12)])
def test_kakurenbo_hides_easy_samples_that_are_predicted_with_confidence(progress, share):
    selector = resolve("kakurenbo(hide=0.3)")
    confidence = np.where(np.arange(N) % 2, 0.95, 0.5).astype(np.float32)
    plan = selector.plan(tf.constant(confidence), example_context(N, B, losses=LOSSES, progress=progress))
    trained, hidden = hidden_of(plan)
    easy = set(np.argsort(LOSSES)[: int(np.ceil(share * N - 1e-6)) - 1])
    assert hidden == {i for i in easy if i % 2}
    assert trained == set(range(N)) - hidden
    weights = plan.weights.numpy()
    np.testing.assert_allclose(weights[weights > 0], N / len(trained), rtol=1e-6)


def test_ies_leaves_out_what_no_longer_bends():
    selector = resolve("ies(threshold=0.01)")
    state = selector.init(N)
    for step in range(6):
        straight = 2.0 - 0.1 * step * np.ones(N)  # a straight line does not bend, however steep
        losses = np.where(np.arange(N) < 20, straight, 1 / (1 + step))
        for first in range(0, N, B):
            rows = np.arange(first, first + B)
            state = selector.update(state, example_stats(rows, losses[rows]), example_context(N, B, step=step))
    trained, hidden = hidden_of(selector.plan(state, example_context(N, B)))
    assert hidden == set(range(20))
    assert trained == set(range(20, N))
    alone = resolve("ies(threshold=0.01, refresh=False)").plan(state, example_context(N, B))
    assert hidden_of(alone) == (set(range(20, N)), set())


def test_repb_compares_losses_of_the_same_window():
    selector = resolve("repb(r=0.5, window=1)")
    state = selector.init(N)
    for step, level in enumerate(np.geomspace(100, 1, N // B)):  # all losses fall as training goes on
        rows = np.arange(step * B, (step + 1) * B)
        state = selector.update(
            state, example_stats(rows, level * np.arange(1, B + 1)), example_context(N, B, step=step + 1)
        )
    low = np.arange(N) % B < 3  # the lower half of every batch, whenever it was
    assert (state.low.numpy() == low).all()
    counts, weights = np.zeros(N), []
    for step in range(400):
        plan = selector.plan(state, example_context(N, B, step=step, plans=1))
        trained, _ = hidden_of(plan)
        counts[list(trained)] += 1
        weights.append(plan.weights.numpy().max())
    np.testing.assert_allclose(counts / 400, np.where(low, 0.5, 1), atol=0.1)
    assert set(weights) == {1.0}


def test_repb_weighs_by_how_often_a_sample_was_there():
    selector = resolve("repb(delta=0.9)")
    state = selector.init(N)._replace(visits=tf.range(N) % 4)
    plan = selector.plan(state, example_context(N, B, plans=3))
    expected = 4 / (np.arange(N) % 4 + 1)
    np.testing.assert_allclose(plan.weights.numpy()[:N], expected[plan.indices.numpy()[:N]])
    at_end = selector.plan(state, example_context(N, B, plans=3, progress=0.9))
    assert (at_end.weights.numpy() == 1).all()


@pytest.mark.parametrize("name", ["kakurenbo(tau=0.0)", "ies(threshold=0.02)"])
def test_scored_samples_are_counted_and_their_losses_known(name):
    trainer = Trainer(mlp(), name, batch_size=8, compile="graph")
    trainer.fit(X, Y, epochs=6, verbose=0)
    counts = trainer.counts
    assert counts["scored"] > 0
    assert counts["samples"] >= 6 * N
    assert counts["steps"] == pytest.approx(counts["samples"] / 8, rel=0.25)
    assert trainer.visits.sum() == counts["samples"]
    # What was scored after the last step of a plan has the losses of the model as it is.
    assert np.isfinite(trainer.losses).all()


def test_scoring_alone_changes_no_weight():
    trainer = Trainer(mlp(), "ies(threshold=9.0)", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=4, verbose=0)
    loop = trainer.loop
    before = weights_of(trainer.model)
    loop_state = loop.load()
    negative = loop_state._replace(
        plan=loop_state.plan._replace(weights=-tf.ones_like(loop_state.plan.weights)), cursor=tf.constant(0)
    )
    indices = loop.slice_at_cursor(negative.plan.indices, negative)
    batch = Rows(tf.gather(X.astype("float32"), indices), tf.gather(Y, indices))
    window = BudgetWindow.of(0, 10**6, loop.n)
    after = loop.advance(negative, batch, loop.context(negative, window, None), window)
    for first, second in zip(before, weights_of(trainer.model), strict=True):
        np.testing.assert_array_equal(first, second)
    assert int(after.scored - loop_state.scored) == B
    assert int(after.samples) == int(loop_state.samples)
    assert int(after.step) == int(loop_state.step)


def test_rho_takes_what_is_above_the_irreducible_loss():
    selector = resolve("rho_loss(pool=4)")
    irreducible = np.random.default_rng(2).exponential(size=N).astype(np.float32)
    state = selector.init(N)._replace(irreducible=tf.constant(irreducible), ready=tf.constant(True))
    pool = pool_of(4 * B, real=4 * B - 2)
    ((rows, weights),) = chosen("rho_loss(pool=4)", pool, 1, state=state)
    reducible = (pool.loss.numpy() - irreducible[: 4 * B])[: 4 * B - 2]
    assert rows.tolist() == np.argsort(-reducible, kind="stable")[:B].tolist()
    assert (weights == 1).all()


def test_each_half_is_judged_by_the_model_of_the_other():
    selector, calls = resolve("rho_loss(passes=2.0)"), []

    def learn(rows, seed, passes):
        calls.append((set(rows), seed, passes))
        return np.full(N, float(len(calls)))

    state = selector.prepare(selector.init(N), learn, 7)
    (first, *_), (second, *_) = calls
    assert (len(first), len(second), first & second, first | second) == (N // 2, N // 2, set(), set(range(N)))
    assert {passes for *_, passes in calls} == {2.0}
    assert {state.irreducible.numpy()[i] for i in first} == {2.0}
    assert {state.irreducible.numpy()[i] for i in second} == {1.0}
    assert selector.prepare(state, None, 7) is state


def test_rho_trains_its_models_on_the_clock_and_counts_them():
    trainer = Trainer(mlp(), "rho_loss(pool=2, passes=3.0)", batch_size=B, compile="graph")
    plain = Trainer(mlp(), "candidates(pool=2)", batch_size=B, compile="graph")
    for one in (plain, trainer):
        one.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == plain.counts["samples"] == N
    # Both halves three times, a sample trained on counted as three; all samples scored by both models.
    assert trainer.counts["scored"] == plain.counts["scored"] + 3 * 3 * N + 2 * N
    assert trainer.clock.training > plain.clock.training
    known = trainer.loop.state.state.irreducible.numpy()
    trainer.fit(X, Y, epochs=1, verbose=0)  # what was found out is kept
    np.testing.assert_array_equal(known, trainer.loop.state.state.irreducible.numpy())
    trainer.reset(1)
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert (known != trainer.loop.state.state.irreducible.numpy()).any()


def test_rho_leaves_wrong_labels_alone():
    generator = np.random.default_rng(0)
    x, y = classes(600)
    wrong = generator.choice(600, 90, replace=False)
    spoilt = y.copy()
    spoilt[wrong] = (y[wrong] + 1) % 3
    visits = {}
    for name in ("rho_loss(pool=4, passes=20.0)", "candidates(pool=4)"):
        trainer = Trainer(mlp(), name, batch_size=20, compile="graph")
        trainer.reset(0)
        trainer.fit(x, spoilt, epochs=6, verbose=0)
        visits[name] = trainer.visits[wrong].sum() / trainer.visits.sum()
    rho, loss = visits.values()
    assert rho < 0.6 * loss


def test_rho_needs_data_in_memory():
    class Source:
        def __len__(self):
            return N

        def take(self, indices):
            return X[indices], Y[indices]

    with pytest.raises(UserError, match="needs data in memory"):
        Trainer(mlp(), "rho_loss", batch_size=B).fit(Source(), verbose=0)


def test_reference_models_have_the_learning_rate_of_the_run():
    found = []
    for rates in ((0.01, 0.1), (0.1,)):
        trainer = Trainer(mlp(), "rho_loss(passes=3.0)", batch_size=B, schedule="linear", compile="graph")
        for rate in rates:
            trainer.reset(4, learning_rate=rate)
            trainer.fit(X, Y, epochs=1, verbose=0)
        found.append(trainer.loop.state.state.irreducible.numpy())
    np.testing.assert_array_equal(*found)


@keras.saving.register_keras_serializable("own")
def own_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


def test_reference_models_weigh_several_outputs_alike_and_take_a_loss_of_ones_own():
    targets = {"kind": Y, "size": X[:, :1]}
    losses = {}
    for weight in (0.5, 0.0):
        model = two_outputs(loss_weights={"kind": 1.0, "size": weight})
        trainer = Trainer(model, "rho_loss(passes=1.0)", batch_size=B, compile="graph")
        trainer.reset(0)
        trainer.fit(X, targets, epochs=1, verbose=0)
        losses[weight] = trainer.loop.state.state.irreducible.numpy()
    assert losses[0.5].mean() > losses[0.0].mean()
    del keras.saving.get_custom_objects()["own>own_loss"]
    trainer = Trainer(mlp(loss=own_loss), "rho_loss", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == N


def test_a_batch_may_be_larger_than_half_of_the_data():
    trainer = Trainer(mlp(), "rho_loss(pool=1)", batch_size=40, compile="graph")
    trainer.fit(X, Y, epochs=1, verbose=0)
    assert trainer.counts["samples"] == N


@pytest.mark.parametrize("text", ["importance_sampling(pool=1)", "composer_backprop(keep=1.0)"])
def test_plain_batches_of_pools_of_one_go_through_all_orders(text):
    selector, n, b = resolve(text), 50, 8
    for plans in range(20):
        plan = selector.plan(selector.init(n), example_context(n, b, plans=plans))
        assert ((plan.indices.numpy() >= 0) & (plan.indices.numpy() < n)).all()


def test_rows_that_fill_up_leave_no_mark_in_the_history_of_losses():
    selector = resolve("selective_backprop(history=64)")
    pool = pool_of(3 * B, real=5)
    history, _ = selector.observe(selector.init(N), pool, example_context(N, B))
    assert np.isfinite(history.numpy()).sum() == 5


@pytest.mark.parametrize("on", ["features", "pca"])
def test_rows_that_fill_up_move_no_centre(on):
    whole = pool_of(4 * B, real=2 * B)
    points = whole.features.numpy().copy()
    whole = whole._replace(features=tf.constant(points), inputs=tf.constant(points))
    spoilt = points.copy()
    spoilt[2 * B :] = 100.0
    other = whole._replace(features=tf.constant(spoilt), inputs=tf.constant(spoilt))
    text = f"k_centre(pool=4, on={on!r}, dimensions=3)"
    ((first, _),), ((second, _),) = (chosen(text, pool, 1) for pool in (whole, other))
    assert sorted(first) == sorted(second)
    assert max(first) < 2 * B
