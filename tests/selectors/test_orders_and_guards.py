"""Thresholds, curricula, orders and guards."""

import numpy as np
import pytest
import tensorflow as tf
from plan_statistics import LOSSES, B, N, assert_rates, counts, plans
from scipy import stats

from batchsel.errors import UsageError, UserError
from batchsel.selectors import resolve
from batchsel.selectors.registry import REGISTRY
from batchsel.testing.fixtures import example_context, example_stats


def test_the_loss_threshold_keeps_at_least_a_batch():
    ((indices, _),) = plans("loss_threshold(1.0, readmit=None)")
    assert set(indices) == set(np.flatnonzero(LOSSES > 1.0))
    ((indices, _),) = plans("loss_threshold(99.0, readmit=None)")
    assert set(indices) == set(np.argsort(-LOSSES)[:B])


def test_a_sample_below_the_threshold_comes_back():
    state = ((), (), tf.constant(np.where(np.arange(N) < 5, 0, 3 * N), tf.int64))
    ((indices, _),) = plans("loss_threshold(1.0, readmit=2)", state=state, samples=3 * N)
    assert set(indices) == set(np.flatnonzero(LOSSES > 1.0)) | set(range(5))


def test_self_paced_uses_more_samples_every_pass():
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
        (None, "No such file or directory. Check the path"),
    ],
)
def test_unusable_precomputed_scores_are_refused(values, words, tmp_path):
    if values is not None:
        np.save(tmp_path / "given.npy", values)
    with pytest.raises(UserError) as caught:
        resolve(f"given({str(tmp_path / 'given.npy')!r})").init(N)
    assert words in str(caught.value)


def test_growing_has_one_order_per_run_and_shuffles_the_subset():
    parts = [set(plans("growing(end=1.0)", progress=t)[0][0]) for t in (0.0, 0.3, 0.6, 1.0)]
    assert [len(part) for part in parts] == [6, 12, 24, N]
    assert parts[0] < parts[1] < parts[2] < parts[3]
    first, second = plans("growing(end=1.0)", 2, progress=0.6)
    assert set(first[0]) == set(second[0])
    assert list(first[0]) != list(second[0])


def sizes_of(text, budget, n=N, b=B):
    """Return the samples of each pass of a run whose budget is so many samples."""
    selector, left, sizes = resolve(text), budget, []
    while left > 0:
        context = example_context(n, b, step=len(sizes), plans=len(sizes), budget=budget, left=left)
        made = selector.plan((), context)
        rows = made.indices.numpy()[: int(made.steps) * b][made.weights.numpy()[: int(made.steps) * b] > 0]
        assert len(set(rows)) == len(rows)
        sizes.append(len(rows))
        left -= len(rows)
    return sizes


def test_falling_holds_ever_fewer_random_samples_and_all_of_them_in_the_last_pass():
    assert sizes_of("falling(0.8)", 5 * N) == [60, 48, 39, 31, 25, 20, 16, 6, 60]
    assert sizes_of("falling(0.8)", N) == [N]
    assert sizes_of("falling(1.0)", 3 * N) == [N, N, N]
    (first, _), (second, _) = plans("falling(0.5)", 2, count=1)
    assert len(first) == len(second) == N // 2
    assert set(first) != set(second)


def test_falling_counts_epochs_where_the_budget_does():
    held = []
    for epoch in range(4):
        context = example_context(N, B, plans=epoch)._replace(
            budget=tf.constant(4 * N, tf.int64), budget_left=tf.constant((4 - epoch) * N, tf.int64)
        )
        held.append(int((resolve("falling(0.5)").plan((), context).weights.numpy() > 0).sum()))
    assert held == [60, 30, 15, 60]


def test_volume_goes_up_and_down_about_its_share():
    assert sizes_of("volume", 4 * 42 + 1) == [30, 54, 30, 54, 30]
    assert sizes_of("volume(keep=0.5, swing=0.49, period=2)", 2 * 60 + 2) == [1, 1, 60, 60]
    assert sizes_of("volume(0.3, swing=0.0)", 36) == [18, 18]
    with pytest.raises(UsageError, match="keep=0.9, swing=0.2"):
        resolve("volume(0.9)")


def test_a_scheduled_subset_holds_what_is_stated_and_goes_on_with_the_last():
    assert sizes_of("scheduled_subset([1.0, 0.5, 0.33])", 60 + 30 + 3 * 20) == [60, 30, 20, 20, 20]
    assert sizes_of("scheduled_subset([0.001])", 3) == [1, 1, 1]
    for shares in ("[]", "[0.0]", "[0.5, 1.2]"):
        with pytest.raises(UsageError, match="scheduled_subset: shares must be"):
            resolve(f"scheduled_subset({shares})")


@pytest.mark.parametrize("text", ["falling(0.5)", "volume", "scheduled_subset([0.5])"])
def test_subsets_of_changing_size_are_uniform(text):
    found = plans(text, 400, count=1)
    assert_rates(found, np.full(N, len(found[0][0]) / N))


def test_rcap_fills_small_classes_and_gives_the_rest_to_the_others():
    labels = np.repeat([0, 1, 2], [2, 18, 40])
    context = example_context(N, B, labels=tf.constant(labels))
    made = resolve("rcap(keep=0.5)").plan(tf.zeros([N], tf.int64), context)
    taken = np.bincount(labels[made.indices.numpy()[made.weights.numpy() > 0]])
    # In proportion to the roots of the sizes the first would get 3.6; it has two, and the others share 28.
    roots = np.sqrt([18, 40])
    assert taken.tolist() == [2, *np.ceil(28 * roots / roots.sum())]


@pytest.mark.parametrize(("n", "batch_size"), [(60, 6), (61, 8), (17, 8), (7, 7), (5, 8)])
def test_stratified_batches_have_the_same_mixture_of_classes(n, batch_size):
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


def test_stratified_needs_labels():
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


def test_cap_clips_or_skips():
    limit = np.sort(LOSSES)[56]  # 57 of 60 do not exceed it
    clip, skip = (resolve(f"last_loss | cap(above={above!r})").modifiers[0] for above in ("clip", "skip"))
    scores = tf.constant(LOSSES, tf.float64)
    np.testing.assert_array_equal(clip.modify(scores, None), np.minimum(LOSSES, limit))
    np.testing.assert_array_equal(skip.modify(scores, None), np.where(limit < LOSSES, 0, LOSSES))


PIPES = ["smart(explore=0.0)", "last_loss | power(8.0)", "loss_threshold(1.0, readmit=None)"]
SCORES = [
    name
    for name, entry in REGISTRY.entries().items()
    if entry.family == "score" and name not in ("given", "proxy_loss")
]
DRAWS = [name for name, entry in REGISTRY.entries().items() if entry.family == "draw" and name != "reweigh"]


@pytest.mark.parametrize("text", [*PIPES, *SCORES, *(f"last_loss | power(8.0) | {draw}" for draw in DRAWS)])
def test_coverage_visits_every_sample_in_time(text):
    # Without the guard the easy samples would never be drawn again: their losses are known and almost 0.
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
    # `hardest` trains on half of each pool, and more samples may be due than fit into it.
    assert longest <= (2 + (3 if "hardest" in text else 1)) * N


def test_keep_uses_all_samples_if_none_is_kept():
    ((indices, _),) = plans("last_loss | power(0.0) | thin(0.999999999) | keep")
    assert sorted(indices) == list(range(N))


@pytest.mark.parametrize(("keep", "subsets"), [(0.1, 10), (0.37, 2), (0.5, 2), (1.0, 1)])
def test_rs2_goes_through_a_permutation_in_disjoint_subsets(keep, subsets):
    size = int(np.ceil(keep * N))
    parts = [plans(f"rs2(keep={keep})", count=count)[0][0] for count in range(40 * subsets)]
    assert {len(part) for part in parts} == {size}
    for start in range(0, len(parts), subsets):
        assert len(set(np.concatenate(parts[start : start + subsets]))) == subsets * size
    assert len({tuple(part) for part in parts}) == len(parts)
    if subsets * size < N:
        total = np.bincount(np.concatenate(parts), minlength=N)
        assert stats.chisquare(total).pvalue > 1e-4


def test_kakurenbo_hides_the_same_number_among_equal_losses():
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
