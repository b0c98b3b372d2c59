"""What makes each method from the history of losses that method: chances, weights, annealing, unbiasedness."""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from batchsel.errors import UsageError, UserError
from batchsel.selectors import resolve
from batchsel.selectors.ops.ranking import below_quantile, descending_ranks, quantile, upper_quantile
from batchsel.selectors.registry import entries
from batchsel.testing.fixtures import example_context, example_stats

N, B = 60, 6
LOSSES = np.random.default_rng(3).exponential(size=N).astype(np.float32)


@functools.cache
def planner(text, n, batch_size):
    selector = resolve(text)

    @tf.function(autograph=False)
    def plan(state, losses, step, samples, plans, progress):
        context = example_context(n, batch_size)._replace(
            losses=losses, step=step, samples=samples, plans=plans, progress=progress
        )
        return selector.plan(state, context)

    return selector, plan


def plans(text, times=1, losses=LOSSES, batch_size=B, state=None, progress=0.0, samples=None, count=0):
    """Indices, weights and number of real rows of plans made at successive steps from the same losses."""
    n = len(losses)
    selector, plan = planner(text, n, batch_size)
    state = selector.init(n) if state is None else state
    found = []
    for step in range(times):
        long = functools.partial(tf.constant, dtype=tf.int64)
        made = plan(
            state, tf.constant(losses, tf.float32), long(step), long(n if samples is None else samples), long(count),
            tf.constant(progress, tf.float32),
        )  # fmt: skip
        rows = int(made.steps) * batch_size
        real = made.weights.numpy()[:rows] > 0
        found.append((made.indices.numpy()[:rows][real], made.weights.numpy()[:rows][real]))
    return found


def counts(found, n=N):
    return np.sum([np.bincount(indices, minlength=n) for indices, _ in found], axis=0)


def assert_rates(found, expected):
    """The mean number of times that each sample is in a plan is as expected, within 4.5 standard errors."""
    times = len(found)
    rate = counts(found, len(expected)) / times
    spread = np.sqrt(np.maximum(expected % 1 * (1 - expected % 1), 1e-3) / times)
    assert (np.abs(rate - expected) < 4.5 * spread).all()


def assert_unbiased(found, rows=None):
    """The weighted mean of any function of a sample over a plan has the mean over all samples as its expectation."""
    values = np.random.default_rng(5).normal(size=(N, 4))
    sums = [(values[indices] * weights[:, None]).sum(axis=0) / (rows or len(indices)) for indices, weights in found]
    error = np.mean(sums, axis=0) - values.mean(axis=0)
    assert (np.abs(error) < 3.5 * np.std(sums, axis=0) / np.sqrt(len(sums))).all()


def test_ranks_break_ties_at_random():
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


def test_online_batch_ends_in_equal_chances():
    found = plans("online_batch(every=5)", 1000, progress=1.0, samples=2 * N)
    assert_rates(found, np.full(N, 5 * B / N))
    middle = plans("online_batch(every=5)", 3000, progress=0.5, samples=2 * N)
    chances = np.exp(-(np.argsort(np.argsort(-LOSSES)) + 1) * np.log(10) / N)
    assert_rates(middle, 5 * B * chances / chances.sum())


@pytest.mark.parametrize("by", ["loss", "rank"])
def test_prioritised_draws_by_a_power_and_weighs_by_what_that_costs(by):
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


def test_unseen_samples_come_first_with_weight_1():
    losses = np.where(np.arange(N) < 10, np.inf, LOSSES)
    ((indices, weights),) = plans("last_loss | weighted(every=4)", losses=losses)
    assert set(range(10)) <= set(indices)
    assert (weights[indices < 10] == 1).all()


@pytest.mark.parametrize("delta", [0.0, 0.33, 0.875, 1.0])
def test_infobatch_leaves_nothing_out_after_delta_and_no_weight_stays(delta):
    text = f"infobatch(delta={delta})"
    for progress in (delta, min(delta + 0.01, 1.0), 1.0):
        if progress >= delta and delta < 1:
            for indices, weights in plans(text, 5, progress=progress):
                assert sorted(indices) == list(range(N))
                assert (weights == 1).all()
    if delta > 0:
        assert any(len(indices) < N for indices, _ in plans(text, 5, progress=delta - 0.01))


@pytest.mark.parametrize("r", [0.25, 0.5, 0.9])
def test_infobatch_prunes_below_the_mean_alone_and_is_unbiased(r):
    found = plans(f"infobatch(r={r})", 2000)
    low = LOSSES.mean() > LOSSES
    assert_rates(found, np.where(low, 1 - r, 1.0))
    for indices, ws in found[:20]:
        np.testing.assert_allclose(ws[low[indices]], 1 / (1 - r), rtol=1e-6)
    assert all((ws[~low[indices]] == 1).all() for indices, ws in found)
    assert_unbiased(found, rows=N)


def test_infobatch_leaves_nothing_out_of_the_first_pass_nor_where_all_losses_are_equal():
    for losses in (np.full(N, np.inf), np.full(N, 0.7)):
        ((indices, weights),) = plans("infobatch", losses=losses, samples=0)
        assert sorted(indices) == list(range(N))
        assert (weights == 1).all()


def test_infobatch_with_a_quantile():
    found = plans("infobatch(threshold=0.75)", 600)
    assert_rates(found, np.where(np.quantile(LOSSES, 0.75, method="inverted_cdf") > LOSSES, 0.5, 1.0))


def test_without_rescaling_all_weights_are_1():
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


def test_groups_are_those_of_k_means():
    losses = np.concatenate([np.full(20, 0.1), np.full(30, 1.0), np.full(10, 5.0)]) + 0.01 * LOSSES
    sizes = [len(plans("seta(r=0.0, groups=3, alpha=0.33)", losses=losses, count=k)[0][0]) for k in range(3)]
    assert sizes == [20, 30, 10]


def state_after(text, rounds=9, signal="loss", seed=0):
    """A state after some rounds, and ``[rounds, N]`` what was seen, NaN where a sample was not in the round."""
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


def test_evolved_is_a_fast_and_a_slow_average():
    selector, state, table = state_after("evolved(fast=0.3, slow=0.8)")
    expected = np.full(N, np.inf)
    for i in range(N - 2):
        average = None
        for loss in table[:, i][~np.isnan(table[:, i])]:
            average = loss if average is None else average
            expected[i] = 0.3 * average + 0.7 * loss
            average = 0.8 * average + 0.2 * loss
    np.testing.assert_allclose(scores_of(selector, state), expected, rtol=1e-5)


def test_forgetting_counts_falls_from_right_to_wrong():
    selector, state, table = state_after("forgetting(plus=0.5)", signal="correct")
    events, never = np.zeros(N), np.zeros(N, bool)
    for i in range(N):
        outcomes = table[:, i][~np.isnan(table[:, i])]
        events[i] = np.sum((outcomes[:-1] == 1) & (outcomes[1:] == 0))
        never[i] = len(outcomes) > 0 and not outcomes.any()
    events[never] = events.max() + 1
    expected = np.where(np.isnan(table).all(axis=0), np.inf, events + 0.5)
    np.testing.assert_array_equal(scores_of(selector, state), expected.astype(np.float32))


def test_active_bias_is_the_spread_of_the_predictions():
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


def test_recency_is_the_entropy_of_the_last_predictions():
    selector, state, table = state_after("recency_bias(window=4, classes=3)", rounds=12, signal="predicted")
    expected = np.full(N, np.inf)
    for i in range(N):
        labels = table[:, i][~np.isnan(table[:, i])][-4:]
        if len(labels):
            expected[i] = stats.entropy(np.unique(labels, return_counts=True)[1]) / np.log(3)
    np.testing.assert_allclose(scores_of(selector, state), expected, atol=1e-5)


def test_pressure_is_the_largest_ratio_of_two_chances():
    pipe = resolve("boundary | pressure(start=32.0, end=2.0)")
    for progress, ratio in ((0.0, 32), (0.5, 8), (1.0, 2)):
        chances = pipe.modifiers[0].modify(
            tf.constant([0.0, 1.0], tf.float64), example_context(2, 1, progress=progress)
        )
        assert float(chances[1] / chances[0]) == pytest.approx(ratio)


@pytest.mark.parametrize("side", ["near", "hard", "easy"])
def test_ada_boundary_is_closeness_to_the_boundary(side):
    selector, state, table = state_after(f"ada_boundary({side!r})", signal="boundary_distance")
    last = np.array([column[~np.isnan(column)][-1] if not np.isnan(column).all() else np.nan for column in table.T])
    relative = last / np.nanmax(np.abs(last))
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


def test_the_loss_threshold_keeps_at_least_a_batch():
    ((indices, _),) = plans("loss_threshold(1.0, readmit=None)")
    assert set(indices) == set(np.flatnonzero(LOSSES > 1.0))
    ((indices, _),) = plans("loss_threshold(99.0, readmit=None)")
    assert set(indices) == set(np.argsort(-LOSSES)[:B])


def test_a_sample_below_the_threshold_comes_back():
    state = ((), (), tf.constant(np.where(np.arange(N) < 5, 0, 3 * N), tf.int64))
    ((indices, _),) = plans("loss_threshold(1.0, readmit=2)", state=state, samples=3 * N)
    assert set(indices) == set(np.flatnonzero(LOSSES > 1.0)) | set(range(5))


def test_self_paced_lets_in_more_with_every_pass():
    pipe = resolve("self_paced(start=0.5, growth=1.3)")
    batch, first = example_stats(np.arange(B), LOSSES[:B]), np.quantile(LOSSES, 0.5, method="inverted_cdf")
    state = pipe.update(pipe.init(N), batch, example_context(N, B, samples=N - 1, losses=LOSSES))
    assert np.isinf(state[1])  # the first pass has not ended
    state = pipe.update(state, batch, example_context(N, B, samples=N, losses=LOSSES))
    later = pipe.update(state, batch, example_context(N, B, samples=2 * N, losses=9 * LOSSES))
    assert state[1].numpy() == later[1].numpy() == first
    for passes in range(1, 6):
        ((indices, _),) = plans("self_paced(start=0.5, growth=1.3)", samples=passes * N, state=state)
        assert set(indices) == set(np.flatnonzero(first * 1.3 ** (passes - 1) >= LOSSES))


@pytest.mark.parametrize("order", ["easy", "hard"])
@pytest.mark.parametrize(
    ("form", "progress", "share"),
    [
        ("exponential", 0.0, 0.1), ("exponential", 0.25, 0.1**0.5), ("exponential", 0.5, 1.0), ("linear", 0.25, 0.55),
        ("linear", 0.9, 1.0), ("step", 0.49, 0.1), ("step", 0.5, 1.0),
    ],
)  # fmt: skip
def test_a_curriculum_follows_its_pacing_function(form, order, progress, share):
    ((indices, _),) = plans(f"curriculum(form={form!r}, order={order!r})", progress=progress)
    ranked = np.argsort(LOSSES if order == "easy" else -LOSSES)
    assert set(indices) == set(ranked[: int(np.ceil(share * N - 1e-6))])


def test_a_curriculum_by_given_difficulty(tmp_path):
    path = tmp_path / "difficulty.npy"
    np.save(path, np.arange(N)[::-1])
    ((indices, _),) = plans(f"curriculum(difficulty={str(path)!r})")
    assert set(indices) == set(range(N - 6, N))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.ones(N - 1), "has the shape (59,), expected (60,)"),
        (-np.ones(N), "negative or not finite"),
        (np.full(N, np.nan), "negative or not finite"),
        (None, "Expected a .npy file of 60 numbers"),
    ],
)
def test_given_scores_that_cannot_be_used(values, words, tmp_path):
    if values is not None:
        np.save(tmp_path / "given.npy", values)
    with pytest.raises(UserError) as caught:
        resolve(f"given({str(tmp_path / 'given.npy')!r})").init(N)
    assert words in str(caught.value)


def test_growing_has_one_order_for_a_run_and_shuffles_within():
    parts = [set(plans("growing(end=1.0)", progress=t)[0][0]) for t in (0.0, 0.3, 0.6, 1.0)]
    assert [len(part) for part in parts] == [6, 12, 24, N]
    assert parts[0] < parts[1] < parts[2] < parts[3]
    first, second = plans("growing(end=1.0)", 2, progress=0.6)
    assert set(first[0]) == set(second[0])
    assert list(first[0]) != list(second[0])


@pytest.mark.parametrize(("n", "batch_size"), [(60, 6), (61, 8), (17, 8), (7, 7), (5, 8)])
def test_stratified_batches_mirror_the_classes(n, batch_size):
    context = example_context(n, batch_size)
    made = resolve("stratified").plan((), context)
    rows = made.indices.numpy().reshape(-1, batch_size)
    real = made.weights.numpy().reshape(-1, batch_size) > 0
    assert sorted(rows[real]) == list(range(n))
    for of_class in range(3):
        counts = [(row[mask] % 3 == of_class).sum() for row, mask in zip(rows, real, strict=True)]
        assert max(counts) - min(counts) <= 1
    assert max(real.sum(axis=1)) - min(real.sum(axis=1)) <= 1


def test_stratified_by_loss_gives_every_batch_its_quantiles():
    ((indices, _),) = plans("stratified('loss')")
    order = np.argsort(np.argsort(LOSSES))[indices].reshape(-1, B)
    steps = N // B
    assert (np.sort(order // steps, axis=1) == np.arange(B)).all()


def test_stratified_without_labels_says_so():
    context = example_context(N, B)._replace(labels=None)
    with pytest.raises(UsageError, match="no labels to sort by"):
        resolve("stratified").plan((), context)
    one_hot = example_context(N, B, labels=tf.one_hot(tf.range(N) % 3, 3))
    same = example_context(N, B)
    np.testing.assert_array_equal(resolve("stratified").plan((), one_hot)[0], resolve("stratified").plan((), same)[0])


def test_with_replacement_is_uniform_and_misses_a_third():
    found = plans("with_replacement", 400)
    assert stats.chisquare(counts(found)).pvalue > 1e-4
    missed = np.mean([N - len(set(indices)) for indices, _ in found]) / N
    assert missed == pytest.approx((1 - 1 / N) ** N, abs=0.01)


def test_the_cap_clips_or_skips():
    limit = np.sort(LOSSES)[56]  # 57 of 60 do not exceed it
    clip, skip = (resolve(f"last_loss | cap(above={above!r})").modifiers[0] for above in ("clip", "skip"))
    scores = tf.constant(LOSSES, tf.float64)
    np.testing.assert_array_equal(clip.modify(scores, None), np.minimum(LOSSES, limit))
    np.testing.assert_array_equal(skip.modify(scores, None), np.where(limit < LOSSES, 0, LOSSES))


PIPES = ["smart(explore=0.0)", "last_loss | power(8.0)", "loss_threshold(1.0, readmit=None)"]
SCORES = [name for name, entry in entries().items() if entry.family == "score" and name not in ("given", "proxy_loss")]
DRAWS = [name for name, entry in entries().items() if entry.family == "draw" and name != "reweigh"]


@pytest.mark.parametrize("text", [*PIPES, *SCORES, *(f"last_loss | power(8.0) | {draw}" for draw in DRAWS)])
def test_under_a_coverage_floor_every_sample_is_visited_in_time(text):
    # The easy samples would never be drawn again: their losses are known and next to nothing.
    pipe = resolve(text)
    selector = pipe.score
    for part in (*pipe.modifiers, resolve("last_loss | coverage(2)").modifiers[0], pipe.draw):
        selector = selector | part if part is not None else selector
    state, losses = selector.init(N), np.full(N, np.inf)
    last, samples, longest = np.zeros(N), 0, 0
    while samples < 12 * N:
        context = example_context(N, B, step=samples, samples=samples, losses=losses)
        made = selector.plan(state, context)
        for place in range(int(made.steps)):
            rows = slice(place * B, (place + 1) * B)
            indices = made.indices.numpy()[rows][made.weights.numpy()[rows] > 0]
            samples += len(indices)
            losses[indices] = np.where(indices < 50, 1e-6, 3.0)
            last[indices] = samples
            batch = example_stats(indices, losses[indices], selector.signals)
            state = selector.update(state, batch, example_context(N, B, step=samples, samples=samples, losses=losses))
            longest = max(longest, (samples - last).max())
    # A draw that takes one pool in two may meet more samples that wait than a pool has room for.
    assert longest <= (2 + (3 if "hardest" in text else 1)) * N


def test_nothing_kept_means_everything_is():
    ((indices, _),) = plans("last_loss | power(0.0) | thin(0.999999999) | keep")
    assert sorted(indices) == list(range(N))


@pytest.mark.parametrize("keep", [0.1, 0.37, 1.0])
def test_rs2_takes_a_fresh_random_part_each_pass(keep):
    found = plans(f"rs2(keep={keep})", 600)
    size = int(np.ceil(keep * N))
    parts = [indices for indices, _ in found]
    assert {len(part) for part in parts} == {size}
    assert all(len(set(part)) == size for part in parts)
    assert len({tuple(part) for part in parts}) > 500
    if keep < 1:
        assert stats.chisquare(counts(found)).pvalue > 1e-4
        # A pass does not follow from the one before: two parts share what chance gives.
        shared = np.mean([len(set(a) & set(b)) for a, b in itertools.pairwise(parts)])
        assert shared == pytest.approx(size * size / N, rel=0.1)


@pytest.mark.parametrize("text", ["memory_importance", "prioritised(alpha=0.0, beta=1.0, scale='none')"])
def test_weights_are_those_of_chance_among_the_samples_already_known(text):
    """Samples that come first because nobody has seen them take no part in the chances of the others."""
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
    np.testing.assert_allclose(weights[~unseen[indices]], 1, rtol=1e-3)  # all alike, so all of chance 1 / n


def test_of_equal_losses_kakurenbo_hides_as_many_as_of_others():
    selector = resolve("kakurenbo(hide=0.3)")
    sure, losses = tf.ones([N]), np.where(np.arange(N) < 40, 0.0, 1.0).astype(np.float32)
    plan = selector.plan(sure, example_context(N, B, losses=losses))
    hidden = plan.indices.numpy()[plan.weights.numpy() < 0]
    assert len(hidden) == int(0.3 * N)
    assert (losses[hidden] == 0).all()


@pytest.mark.parametrize("step", range(3))
def test_strata_of_losses_have_no_hardest_batch(step):
    losses = np.arange(N, dtype=np.float32)
    plan = resolve("stratified(by='loss')").plan((), example_context(N, B, step=step, losses=losses))
    batches = losses[plan.indices.numpy()].reshape(-1, B)
    strata = batches // (N // B)
    assert (np.sort(strata, axis=1) == np.arange(B)).all()
    ranks = np.argsort(np.argsort(batches.mean(axis=1)))
    assert abs(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]) < 0.9
    assert np.ptp(batches.mean(axis=1)) < 0.7 * (N // B)
