"""Scores made from signals: probabilities, predictions, distances and gradient norms."""

import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import B, N, assert_rates, assert_unbiased, plans
from scipy import stats

from batchsel.selectors import resolve
from batchsel.selectors.ops.classes import number_of_classes
from batchsel.testing.fixtures import example_context, example_stats


def state_after(text, rounds=9, signal="loss", seed=0):
    """Return a state after some rounds, and the ``[rounds, N]`` signals, NaN for samples not in the round."""
    selector = resolve(text)
    generator, table = np.random.default_rng(seed), np.full((rounds, N), np.nan)
    state = selector.init(N)
    for round_ in range(rounds):
        indices = generator.choice(N - 2, N // 2, replace=False)  # two samples are never seen
        batch = example_stats(indices, generator.exponential(size=len(indices)), selector.signals, seed=round_)
        table[round_, indices] = getattr(batch, signal)
        state = selector.update(state, batch, example_context(N, B, step=round_))
    return selector, state, table


def scores_of(selector, state):
    return selector.score.score(state[0], example_context(N, B)).numpy()


def test_evolved_mixes_a_fast_and_a_slow_average():
    selector, state, table = state_after("evolved(fast=0.3, slow=0.8)")
    expected = np.full(N, np.inf)
    for i in range(N - 2):
        average = None
        for loss in table[:, i][~np.isnan(table[:, i])]:
            average = loss if average is None else average
            expected[i] = 0.3 * average + 0.7 * loss
            average = 0.8 * average + 0.2 * loss
    np.testing.assert_allclose(scores_of(selector, state), expected, rtol=1e-5)


def test_forgetting_counts_changes_from_correct_to_wrong():
    selector, state, table = state_after("forgetting(plus=0.5)", signal="correct")
    events, never = np.zeros(N), np.zeros(N, bool)
    for i in range(N):
        outcomes = table[:, i][~np.isnan(table[:, i])]
        events[i] = np.sum((outcomes[:-1] == 1) & (outcomes[1:] == 0))
        never[i] = len(outcomes) > 0 and not outcomes.any()
    events[never] = events.max() + 1
    expected = np.where(np.isnan(table).all(axis=0), np.inf, events + 0.5)
    np.testing.assert_array_equal(scores_of(selector, state), expected.astype(np.float32))


def test_active_bias_scores_the_spread_of_predictions():
    selector, state, table = state_after("active_bias", signal="probability")
    expected = np.full(N, np.inf)
    for i in range(N):
        values = table[:, i][~np.isnan(table[:, i])]
        if len(values):
            variance = values.var(ddof=1) if len(values) > 1 else 0.0
            expected[i] = np.sqrt(variance + variance**2 / max(len(values) - 1, 1)) + 0.02
    np.testing.assert_allclose(scores_of(selector, state), expected, rtol=1e-4)


def test_active_bias_by_weighing_trains_on_all_with_mean_weight_1():
    selector, state, _ = state_after("active_bias('weighing', warmup=0)", signal="probability")
    ((indices, weights),) = plans("active_bias('weighing', warmup=0)", state=state)
    assert sorted(indices) == list(range(N))
    scores = scores_of(selector, state)
    known = np.isfinite(scores)
    np.testing.assert_allclose(weights[np.argsort(indices)][known], (scores / scores[known].mean())[known], rtol=1e-4)
    assert (weights[np.argsort(indices)][~known] == 1).all()


def test_recency_bias_scores_the_entropy_of_the_last_predictions():
    selector, state, table = state_after("recency_bias(window=4, classes=3)", rounds=12, signal="predicted")
    expected = np.full(N, np.inf)
    for i in range(N):
        labels = table[:, i][~np.isnan(table[:, i])][-4:]
        if len(labels):
            expected[i] = stats.entropy(np.unique(labels, return_counts=True)[1]) / np.log(3)
    np.testing.assert_allclose(scores_of(selector, state), expected, atol=1e-5)


def test_pressure_is_the_largest_ratio_of_two_probabilities():
    pipe = resolve("boundary | pressure(start=32.0, end=2.0)")
    for progress, ratio in ((0.0, 32), (0.5, 8), (1.0, 2)):
        chances = pipe.modifiers[0].modify(
            tf.constant([0.0, 1.0], tf.float64), example_context(2, 1, progress=progress)
        )
        assert float(chances[1] / chances[0]) == pytest.approx(ratio)


@pytest.mark.parametrize("side", ["near", "hard", "easy"])
def test_ada_boundary_scores_closeness_to_the_boundary(side):
    selector, state, table = state_after(f"ada_boundary({side!r})", signal="boundary_distance")
    last = np.array([column[~np.isnan(column)][-1] if not np.isnan(column).all() else np.nan for column in table.T])
    relative = last / (np.sqrt(2) / 3)  # three classes
    expected = {"near": 1 - np.abs(relative), "hard": (1 - relative) / 2, "easy": (1 + relative) / 2}[side]
    np.testing.assert_allclose(scores_of(selector, state), np.where(np.isnan(last), np.inf, expected), rtol=1e-5)


def test_memory_importance_is_unbiased():
    selector = resolve("memory_importance(every=4)")
    norms = np.random.default_rng(4).exponential(size=N)
    batch = example_stats(np.arange(N), np.ones(N), selector.signals)._replace(
        gradient_norm=tf.constant(norms, tf.float32)
    )
    state = selector.update(selector.init(N), batch, example_context(N, B))
    found = plans("memory_importance(every=4)", 1500, state=state)
    chances = 0.9 * norms / norms.mean() + 0.1
    assert_rates(found, 4 * B * chances / chances.sum())
    assert_unbiased(found)
    assert max(weights.max() for _, weights in found) <= 10.001


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.arange(N) % 7, 7), (np.arange(N)[:, None] % 7, 7), (np.eye(4)[np.arange(N) % 3], 4), (np.zeros(N), 2),
        (None, None), ({"kind": np.arange(N)}, None),
    ],
)  # fmt: skip
def test_the_number_of_classes_is_that_of_the_labels(labels, classes):
    labels = tf.constant(labels) if isinstance(labels, np.ndarray) else labels
    found = number_of_classes(example_context(N, B)._replace(labels=labels))
    assert found == classes if classes is None else float(found) == classes


def test_scores_without_labels_go_by_what_was_seen():
    context = example_context(N, B)._replace(labels=None)
    selector, state, table = state_after("boundary", signal="boundary_distance")
    last = np.array([column[~np.isnan(column)][-1] if not np.isnan(column).all() else np.nan for column in table.T])
    expected = np.where(np.isnan(last), np.inf, 1 - np.abs(last) / np.nanmax(np.abs(last)))
    np.testing.assert_allclose(selector.score.score(state[0], context), expected, rtol=1e-5)
    selector, state, _ = state_after("prediction_entropy", signal="predicted")
    np.testing.assert_allclose(
        selector.score.score(state[0], context), selector.score.score(state[0], example_context(N, B)), rtol=1e-6
    )


def test_the_warmup_of_a_long_run_is_that_of_the_paper_and_of_a_short_one_half_of_it():
    for passes, progress, warm in ((9.9, 0.099, True), (10, 0.1, False), (3.9, 0.49, True), (4, 0.5, False)):
        context = example_context(N, B, samples=round(passes * N), progress=progress)
        for text in ("active_bias", "recency_bias"):
            _, state, _ = state_after(text)
            scores = resolve(text).scores(state, context).numpy()
            assert (len(np.unique(scores[np.isfinite(scores)])) == 1) == warm
