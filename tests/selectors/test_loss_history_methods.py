"""Methods that draw or prune by past losses: probabilities, weights, annealing, unbiasedness."""

import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import LOSSES, B, N, assert_rates, assert_unbiased, plans

from batchsel.selectors import resolve
from batchsel.selectors.ops.ranking import below_quantile, descending_ranks, quantile, upper_quantile
from batchsel.testing.fixtures import example_context


def test_ties_get_ranks_at_random():
    scores = tf.constant([5.0, 1.0, 5.0, 9.0])
    orders = {tuple(descending_ranks(scores, example_context(4, 1, step=step).rng).numpy()) for step in range(40)}
    assert orders == {(1, 3, 2, 0), (2, 3, 1, 0)}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_quantiles_count_from_both_ends(share):
    scores = tf.constant([*range(1, 21), np.inf], tf.float64)
    k = max(1, int(np.ceil(share * 20 - 1e-6)))
    assert quantile(scores, share) == k
    assert upper_quantile(scores, share) == 21 - k
    assert below_quantile(scores, share).numpy().sum() == k - 1
    assert quantile(tf.constant([np.inf, np.inf], tf.float64), share) == np.inf


def test_online_batch_draws_by_rank_with_the_pressure_of_the_paper():
    found = plans("online_batch(every=5)", 3000, samples=2 * N)
    ranks = np.argsort(np.argsort(-LOSSES)) + 1
    chances = np.exp(-ranks * np.log(100) / N)
    assert chances.max() / chances.min() == pytest.approx(100 ** ((N - 1) / N))
    assert_rates(found, 5 * B * chances / chances.sum())


def test_online_batch_ends_uniform():
    found = plans("online_batch(every=5)", 1000, progress=1.0, samples=2 * N)
    assert_rates(found, np.full(N, 5 * B / N))
    middle = plans("online_batch(every=5)", 3000, progress=0.5, samples=2 * N)
    chances = np.exp(-(np.argsort(np.argsort(-LOSSES)) + 1) * np.log(10) / N)
    assert_rates(middle, 5 * B * chances / chances.sum())


@pytest.mark.parametrize("by", ["loss", "rank"])
def test_prioritised_draws_by_a_power_with_importance_weights(by):
    found = plans(f"prioritised(alpha=0.5, beta=0.5, by={by!r}, scale='none', every=4)", 2000)
    priority = LOSSES + 1e-6 if by == "loss" else 1 / (np.argsort(np.argsort(-LOSSES)) + 1)
    chances = np.sqrt(priority) / np.sqrt(priority).sum()
    assert_rates(found, 4 * B * chances)
    for indices, weights in found[:5]:
        np.testing.assert_allclose(weights, (N * chances[indices]) ** -0.5, rtol=1e-4)


def test_prioritised_is_unbiased_at_the_end_of_the_run():
    assert_unbiased(plans("prioritised(scale='none', every=4)", 1500, progress=1.0))


@pytest.mark.parametrize(("scale", "measure"), [("mean", np.mean), ("max", np.max)])
def test_weights_can_be_scaled(scale, measure):
    for _, weights in plans(f"last_loss | weighted(scale={scale!r}, every=4)", 5):
        assert measure(weights) == pytest.approx(1, rel=1e-5)


def test_weighted_draws_unseen_samples_first_with_weight_1():
    losses = np.where(np.arange(N) < 10, np.inf, LOSSES)
    ((indices, weights),) = plans("last_loss | weighted(every=4)", losses=losses)
    assert set(range(10)) <= set(indices)
    assert (weights[indices < 10] == 1).all()


@pytest.mark.parametrize("delta", [0.0, 0.33, 0.875, 1.0])
def test_infobatch_uses_all_samples_with_weight_1_after_delta(delta):
    text = f"infobatch(delta={delta})"
    for progress in (delta, min(delta + 0.01, 1.0), 1.0):
        if progress >= delta and delta < 1:
            for indices, weights in plans(text, 5, progress=progress):
                assert sorted(indices) == list(range(N))
                assert (weights == 1).all()
    if delta > 0:
        assert any(len(indices) < N for indices, _ in plans(text, 5, progress=delta - 0.01))


@pytest.mark.parametrize("r", [0.25, 0.5, 0.9])
def test_infobatch_prunes_only_below_the_mean_and_is_unbiased(r):
    found = plans(f"infobatch(r={r})", 2000)
    low = LOSSES.mean() > LOSSES
    assert_rates(found, np.where(low, 1 - r, 1.0))
    for indices, ws in found[:20]:
        np.testing.assert_allclose(ws[low[indices]], 1 / (1 - r), rtol=1e-6)
    assert all((ws[~low[indices]] == 1).all() for indices, ws in found)
    assert_unbiased(found, rows=N)


def test_infobatch_uses_all_samples_in_the_first_pass_and_for_equal_losses():
    for losses in (np.full(N, np.inf), np.full(N, 0.7)):
        ((indices, weights),) = plans("infobatch", losses=losses, samples=0)
        assert sorted(indices) == list(range(N))
        assert (weights == 1).all()


def test_infobatch_with_a_quantile():
    found = plans("infobatch(threshold=0.75)", 600)
    assert_rates(found, np.where(np.quantile(LOSSES, 0.75, method="inverted_cdf") > LOSSES, 0.5, 1.0))


def test_infobatch_without_rescaling_has_weights_of_1():
    assert all((weights == 1).all() for _, weights in plans("infobatch(rescale=False)", 5))


@pytest.mark.parametrize("rescale", [False, True])
def test_soft_keep_keeps_in_proportion(rescale):
    found = plans(f"soft_keep(rescale={rescale})", 2000)
    chances = np.minimum(1, 0.1 + 0.5 * LOSSES / LOSSES.mean())
    assert_rates(found, chances)
    for indices, weights in found[:3]:
        np.testing.assert_allclose(weights, 1 / chances[indices] if rescale else 1, rtol=1e-6)
    if rescale:
        assert_unbiased(found, rows=N)


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0, 3.0])
def test_stale_backprop_keeps_a_share_of_one_over_beta_plus_one(beta):
    found = plans(f"stale_backprop(beta={beta}, floor=0.0)", 1000)
    share = np.mean([len(indices) for indices, _ in found]) / N
    assert share == pytest.approx(1 / (beta + 1), abs=0.02)
    assert_rates(found, ((np.argsort(np.argsort(LOSSES)) + 1) / N) ** beta)


def test_seta_slides_from_easy_to_hard_and_starts_again():
    text = "seta(r=0.0, groups=5, alpha=0.4)"
    windows = [plans(text, count=count)[0][0] for count in range(8)]
    means = [LOSSES[window].mean() for window in windows]
    assert means[:4] == sorted(means[:4])
    assert set(np.concatenate(windows[:4])) == set(range(N))
    assert [sorted(window) for window in windows[4:]] == [sorted(window) for window in windows[:4]]


def test_seta_groups_losses_by_k_means():
    losses = np.concatenate([np.full(20, 0.1), np.full(30, 1.0), np.full(10, 5.0)]) + 0.01 * LOSSES
    sizes = [len(plans("seta(r=0.0, groups=3, alpha=0.33)", losses=losses, count=k)[0][0]) for k in range(3)]
    assert sizes == [20, 30, 10]


@pytest.mark.parametrize("text", ["memory_importance", "prioritised(alpha=0.0, beta=1.0, scale='none')"])
def test_weights_use_probabilities_among_the_known_samples(text):
    """Unseen samples, which come first, do not affect the probabilities of the others."""
    selector = resolve(text)
    b, n = 8, 200
    rows = selector.steps_per_plan(n, b) * b
    unseen = np.arange(n) < rows - 5
    state = tf.nest.map_structure(lambda leaf: tf.ones_like(leaf), selector.init(n))
    state = (
        (tf.where(unseen[:, None], tf.zeros([]), tf.ones([])) * tf.ones_like(state[0]), *state[1:])
        if ("memory" in text)
        else state
    )
    losses = np.where(unseen, np.inf, 1.0).astype(np.float32)
    plan = selector.plan(state, example_context(n, b, losses=losses))
    indices, weights = plan.indices.numpy(), plan.weights.numpy()
    assert unseen[indices].sum() == rows - 5
    np.testing.assert_allclose(weights[unseen[indices]], 1)
    np.testing.assert_allclose(weights[~unseen[indices]], 1, rtol=1e-3)  # all equal, so all of probability 1 / n
