"""loss_ema, smart, warmup, anneal and mix do what their formulas say."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from batchsel.selectors import Anneal, LossEMA, Mix, Warmup, resolve
from batchsel.testing.fixtures import example_context, example_stats

INFINITE = float("inf")
SCORES = tf.constant([0.0, 1.0, 4.0, INFINITE, 0.25], tf.float64)


def state_of(scores):
    """A state of `loss_ema` with these scores; unseen where they are infinite."""
    scores = np.asarray(scores, np.float32)
    known = np.isfinite(scores)
    return tf.constant(np.stack([np.where(known, scores, 0) * 0.5, known * 0.5], axis=1), tf.float32)


def plans(text, scores, batch_size, times=200, **where):
    """``int[times, steps, b]``: the plans of successive steps from the same scores."""
    selector, n = resolve(text), len(scores)
    steps = selector.steps_per_plan(n, batch_size)

    @tf.function
    def plan(state, step):
        context = example_context(n, batch_size, losses=np.zeros(n), **where)._replace(step=step)
        return selector.plan(state, context).indices

    state = (state_of(scores), *(modifier.init(n) for modifier in getattr(selector, "modifiers", ())))
    drawn = [plan(state, tf.constant(step, tf.int64)).numpy() for step in range(times)]
    return np.array(drawn).reshape(times, steps, batch_size)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.99])
def test_the_moving_average_is_that_of_the_formula(decay):
    generator = np.random.default_rng(0)
    n, score = 12, LossEMA(decay)
    state, average, correction = score.init(n), np.zeros(n), np.zeros(n)
    for _ in range(30):
        indices = generator.choice(n - 1, 4, replace=False)
        losses = generator.exponential(size=4).astype(np.float32)
        average[indices] = decay * average[indices] + (1 - decay) * losses
        correction[indices] = decay * correction[indices] + (1 - decay)
        state = score.update(state, example_stats(indices, losses), example_context(n, 4))
    expected = np.divide(average, correction, out=np.full(n, INFINITE), where=correction > 0)
    np.testing.assert_allclose(score.score(state, example_context(n, 4)), expected, rtol=2e-5)
    assert np.isinf(expected[n - 1])


def test_the_first_loss_is_the_first_average():
    score = LossEMA(0.99)
    state = score.update(score.init(3), example_stats([1], [7.0]), example_context(3, 1))
    np.testing.assert_allclose(score.score(state, example_context(3, 1)), [INFINITE, 7.0, INFINITE], rtol=1e-6)


def test_loss_ema_draws_in_proportion_to_its_scores():
    scores = np.linspace(0.2, 3, 40)
    drawn = plans("loss_ema | proportional(every=1)", scores, batch_size=8, times=1500)
    expected = 8 * scores / scores.sum()
    rate = np.bincount(drawn.ravel(), minlength=40) / len(drawn)
    assert (np.abs(rate - expected) < 4.5 * np.sqrt(expected * (1 - expected) / len(drawn))).all()


def test_loss_ema_sees_every_sample_before_any_twice():
    n, batch_size, scores = 48, 8, np.full(48, INFINITE)
    for step in range(n // batch_size):
        (plan,) = plans("loss_ema | proportional(every=1)", scores, batch_size, times=1)
        assert np.isinf(scores[plan[0]]).all()
        assert len(set(plan[0])) == batch_size
        scores[plan[0]] = 1.0 + step
    assert np.isfinite(scores).all()


def test_smart_has_no_sample_twice_in_a_plan():
    drawn = plans("smart(every=3)", np.linspace(0, 1, 200), batch_size=20)
    for plan in drawn:
        assert len(np.unique(plan)) == plan.size


def test_half_of_every_smart_batch_is_from_the_top_fifth():
    drawn = plans("smart(every=2)", np.linspace(0, 1, 200), batch_size=20, times=600)
    top = (drawn >= 160).sum(axis=2)
    assert top.min() >= 10
    # The exploring half finds the 20 of the top fifth that are left among 180 samples.
    assert abs(top.mean() - (10 + 10 * 20 / 180)) < 0.1
    exploring = np.bincount(drawn[drawn < 160], minlength=160)
    assert stats.chisquare(exploring).pvalue > 1e-4
    exploiting = np.bincount(drawn[drawn >= 160] - 160, minlength=40)
    assert stats.chisquare(exploiting).pvalue > 1e-4


def test_smart_draws_unseen_samples_first():
    scores = np.where(np.arange(200) % 2, INFINITE, 5.0)
    drawn = plans("smart(every=2)", scores, batch_size=20, times=100)
    assert ((drawn % 2).sum(axis=2) >= 10).all()


@pytest.mark.parametrize("scores", [np.ones(100), np.full(100, INFINITE)], ids=["equal", "unseen"])
def test_smart_does_not_prefer_the_start_of_the_file(scores):
    drawn = plans("smart(every=1)", scores, batch_size=10, times=800)
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=100)).pvalue > 1e-4


def test_smart_with_ties_at_the_edge_of_the_top_draws_among_them_all():
    scores = np.where(np.arange(100) >= 50, 2.0, 1.0)
    drawn = plans("smart(explore=0.0, every=1)", scores, batch_size=10, times=800)
    assert drawn.min() >= 50
    assert stats.chisquare(np.bincount(drawn.ravel() - 50, minlength=50)).pvalue > 1e-4


def test_smart_spreads_its_rows_where_the_top_is_smaller_than_its_half():
    (plan,) = plans("smart(every=1)", np.linspace(0, 1, 20), batch_size=16, times=1)
    counts = np.bincount(plan.ravel(), minlength=20)
    # Eight rows for the four samples of the top fifth: each twice.
    assert counts[16:].tolist() == [2, 2, 2, 2]
    assert counts[:16].max() == 1


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 7])
def test_smart_explores_at_every_batch_size(batch_size):
    scores = np.linspace(0, 1, 100)
    drawn = plans("smart(every=4)", scores, batch_size, times=100)
    share = (drawn >= 80).mean()
    assert share < 0.85


def test_warmup_is_uniform_until_it_ends():
    early = Warmup(2).modify(SCORES, example_context(5, 1, samples=9))
    late = Warmup(2).modify(SCORES, example_context(5, 1, samples=10))
    assert early.numpy().tolist() == [1, 1, 1, INFINITE, 1]
    assert late.numpy().tolist() == SCORES.numpy().tolist()


def test_warmup_of_0_passes_changes_nothing():
    assert Warmup(0).modify(SCORES, example_context(5, 1)).numpy().tolist() == SCORES.numpy().tolist()


@pytest.mark.parametrize(("progress", "power"), [(0.0, 1.0), (0.25, 1.0), (0.5, 0.5), (0.75, 0.0), (1.0, 0.0)])
def test_anneal_raises_to_a_falling_power(progress, power):
    scores = Anneal(start=0.25, end=0.75).modify(SCORES, example_context(5, 1, progress=progress)).numpy()
    np.testing.assert_allclose(scores[[1, 2, 4]], np.power([1.0, 4.0, 0.25], power), rtol=1e-12)
    assert scores[0] == (1 if power == 0 else 0)
    assert scores[3] == INFINITE


def test_anneal_ends_uniform():
    drawn = plans("loss_ema | anneal", np.linspace(0, 9, 60), batch_size=6, times=300, progress=1.0)
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=60)).pvalue > 1e-4


def test_mix_is_the_mixture_of_the_formula():
    scores = Mix(0.2).modify(SCORES, example_context(5, 1)).numpy()
    mean = (0 + 1 + 4 + 0.25) / 4
    np.testing.assert_allclose(scores[[0, 1, 2, 4]], 0.8 * np.array([0, 1, 4, 0.25]) / mean + 0.2)
    assert scores[3] == INFINITE


def test_mix_gives_every_sample_its_share():
    scores = np.where(np.arange(30) == 0, 1000.0, 0.0)
    drawn = plans("loss_ema | mix(uniform=0.5) | proportional(every=1)", scores, batch_size=6, times=2000)
    rate = np.bincount(drawn.ravel(), minlength=30)[1:] / drawn.size
    assert (np.abs(rate - 0.5 / 30) < 4.5 * np.sqrt(0.5 / 30 / drawn.size)).all()


def test_mix_of_zero_scores_is_uniform():
    assert Mix(0.1).modify(tf.zeros([3], tf.float64), example_context(3, 1)).numpy().tolist() == [0.1, 0.1, 0.1]


def test_modifiers_apply_from_left_to_right():
    scores = np.array([1.0, 9.0])
    first = resolve("loss_ema | anneal(end=1.0) | mix(0.5)")
    second = resolve("loss_ema | mix(0.5) | anneal(end=1.0)")
    context = example_context(2, 1, progress=0.5, losses=scores)
    values = []
    for pipe in (first, second):
        value = tf.cast(pipe.score.score(state_of(scores), context), tf.float64)
        for modifier in pipe.modifiers:
            value = modifier.modify(value, context)
        values.append(value.numpy())
    np.testing.assert_allclose(values[0], 0.5 * np.array([1, 3]) / 2 + 0.5)
    np.testing.assert_allclose(values[1], np.sqrt(0.5 * np.array([1, 9]) / 5 + 0.5))
