"""Methods that leave samples out, weigh losses within a step, or only score: Ordered SGD, KAKURENBO, IES, RePB."""

import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import LOSSES, B, N
from problems import classes, mlp, variable_values

from batchsel import Trainer
from batchsel.selectors import resolve
from batchsel.testing.fixtures import example_context, example_stats
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.loop_state import BudgetWindow

X, Y = classes(N)


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
    """A step equals one of plain training on only the largest losses."""
    ordered = Trainer(mlp(), "ordered_sgd(0.25)", batch_size=N, compile="graph")
    start = variable_values(ordered.model)
    ordered.fit(X, Y, epochs=1, verbose=0)
    hardest = np.argsort(-ordered.losses)[: N // 4]
    plain = Trainer(mlp(), "fixed", batch_size=N // 4, compile="graph")
    plain.model.set_weights(start)
    plain.fit(X[hardest], Y[hardest], epochs=1, verbose=0)
    for first, second in zip(variable_values(ordered.model), variable_values(plain.model), strict=True):
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


def split_plan(plan):
    """Return the samples of a plan that are trained on, and those that are only scored."""
    rows, weights = plan.indices.numpy()[: int(plan.steps) * B], plan.weights.numpy()[: int(plan.steps) * B]
    return set(rows[weights > 0]), set(rows[weights < 0])


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.3), (0.3, 0.24), (0.6, 0.18), (0.8, 0.12)])
def test_kakurenbo_hides_easy_samples_that_are_predicted_with_confidence(progress, share):
    selector = resolve("kakurenbo(hide=0.3)")
    confidence = np.where(np.arange(N) % 2, 0.95, 0.5).astype(np.float32)
    plan = selector.plan(tf.constant(confidence), example_context(N, B, losses=LOSSES, progress=progress))
    trained, hidden = split_plan(plan)
    easy = set(np.argsort(LOSSES)[: int(np.ceil(share * N - 1e-6)) - 1])
    assert hidden == {i for i in easy if i % 2}
    assert trained == set(range(N)) - hidden
    weights = plan.weights.numpy()
    np.testing.assert_allclose(weights[weights > 0], N / len(trained), rtol=1e-6)


def test_ies_leaves_out_samples_of_settled_loss():
    selector = resolve("ies(threshold=0.01)")
    state = selector.init(N)
    for step in range(6):
        straight = 2.0 - 0.1 * step * np.ones(N)  # a straight line does not bend, however steep
        losses = np.where(np.arange(N) < 20, straight, 1 / (1 + step))
        for first in range(0, N, B):
            rows = np.arange(first, first + B)
            state = selector.update(state, example_stats(rows, losses[rows]), example_context(N, B, step=step))
    trained, hidden = split_plan(selector.plan(state, example_context(N, B)))
    assert hidden == set(range(20))
    assert trained == set(range(20, N))
    alone = resolve("ies(threshold=0.01, refresh=False)").plan(state, example_context(N, B))
    assert split_plan(alone) == (set(range(20, N)), set())


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
        trained, _ = split_plan(plan)
        counts[list(trained)] += 1
        weights.append(plan.weights.numpy().max())
    np.testing.assert_allclose(counts / 400, np.where(low, 0.5, 1), atol=0.1)
    assert set(weights) == {1.0}


def test_repb_weights_follow_the_number_of_visits():
    selector = resolve("repb(delta=0.9)")
    state = selector.init(N)._replace(visits=tf.range(N) % 4)
    plan = selector.plan(state, example_context(N, B, plans=3))
    expected = 4 / (np.arange(N) % 4 + 1)
    np.testing.assert_allclose(plan.weights.numpy()[:N], expected[plan.indices.numpy()[:N]])
    at_end = selector.plan(state, example_context(N, B, plans=3, progress=0.9))
    assert (at_end.weights.numpy() == 1).all()


@pytest.mark.parametrize("name", ["kakurenbo(tau=0.0)", "ies(threshold=0.1)"])
def test_scored_samples_are_counted_and_their_losses_known(name):
    trainer = Trainer(mlp(), name, batch_size=8, compile="graph")
    trainer.fit(X, Y, passes=10, verbose=0)
    counts = trainer.counts
    assert counts["scored"] > 0
    assert counts["samples"] >= 10 * N
    assert counts["steps"] == pytest.approx(counts["samples"] / 8, rel=0.25)
    assert trainer.visits.sum() == counts["samples"]
    # Samples scored after the last step of a plan have losses under the current model.
    assert np.isfinite(trainer.losses).all()


def test_scoring_does_not_change_weights():
    trainer = Trainer(mlp(), "ies(threshold=9.0)", batch_size=B, compile="graph")
    trainer.fit(X, Y, epochs=4, verbose=0)
    loop = trainer.loop
    before = variable_values(trainer.model)
    loop_state = loop.load(BudgetWindow.from_numbers(0, 10**6, loop.n))
    negative = loop_state._replace(
        plan=loop_state.plan._replace(weights=-tf.ones_like(loop_state.plan.weights)), cursor=tf.constant(0)
    )

    def gather(indices, loop_state):
        return Samples(tf.gather(X.astype("float32"), indices), tf.gather(Y, indices))

    after = loop.advance(negative, gather, loop.context(negative, None))
    for first, second in zip(before, variable_values(trainer.model), strict=True):
        np.testing.assert_array_equal(first, second)
    assert int(after.scored - loop_state.scored) == B
    assert int(after.samples) == int(loop_state.samples)
    assert int(after.step) == int(loop_state.step)
