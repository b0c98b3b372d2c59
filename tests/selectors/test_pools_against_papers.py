"""Every method that scores pools against its published rule, written again in NumPy.

Greedy and top rules are compared row by row, random ones by how often each row is drawn.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from batchsel.selectors import SampleStats, resolve
from batchsel.selectors.methods.importance_sampling import variance_ratio
from batchsel.selectors.registry import REGISTRY
from batchsel.testing.fixtures import example_context

N, B, SIZE = 200, 8, 24
POOLS = {
    "two classes": {"classes": 2},
    "a hundred classes": {"classes": 100},
    "short": {"classes": 3, "real": 13},
    "ties": {"classes": 3, "digits": 1},
    "zeros": {"classes": 3, "zeros": True},
}


@functools.cache
def pool(classes, real=SIZE, digits=8, zeros=False):
    """Return a scored pool; its padding rows would be chosen first by a rule that looks at them."""
    generator = np.random.default_rng(classes)
    loss = np.round(generator.exponential(size=SIZE), digits) * (not zeros)
    probabilities = generator.dirichlet(np.full(classes, 0.5), SIZE)
    labels = generator.integers(0, classes, SIZE)
    residuals = np.round(probabilities - np.eye(classes)[labels], digits) * (not zeros)
    norms = np.linalg.norm(residuals, axis=1)
    loss[real:], norms[real:] = 99.0, 99.0
    values = {
        "probability": probabilities[np.arange(SIZE), labels], "gradient_norm": norms, "residuals": residuals,
        "features": generator.normal(size=(SIZE, 30)), "inputs": generator.normal(size=(SIZE, 40)),
    }  # fmt: skip
    given = {name: tf.constant(value, tf.float32) for name, value in values.items()}
    indices = tf.constant(generator.permutation(N)[:SIZE], tf.int32)
    return SampleStats(indices, tf.constant(loss, tf.float32), tf.range(SIZE) < real, **given)


def real_rows(scored):
    return np.flatnonzero(scored.valid.numpy())


def top(scored, scores):
    """Return the real rows of highest score, those before of equal ones."""
    rows = real_rows(scored)
    return rows[np.argsort(-np.float32(scores)[rows], kind="stable")][:B]


def gradients(scored):
    ones = np.append(scored.features.numpy(), np.ones([SIZE, 1]), axis=1)
    return np.einsum("ic,id->icd", scored.residuals.numpy().astype(float), ones).reshape(SIZE, -1)


def greedy(scored, gain):
    """Pick rows one by one, each of the highest gain given those before."""
    picked = []
    for _ in range(B):
        left = [row for row in real_rows(scored) if row not in picked]
        picked.append(max(left, key=lambda row: gain(row, picked)))
    return picked


def residual(vector, basis):
    return vector - basis @ (basis.T @ vector) if basis.shape[1] else vector


def great(scored):
    g = gradients(scored)
    return greedy(scored, lambda row, picked: np.linalg.norm(residual(g[row], np.linalg.qr(g[picked].T)[0])))


def divbs(scored):
    g = gradients(scored)
    mean = g[real_rows(scored)].mean(axis=0)

    def gain(row, picked):
        basis = np.linalg.qr(g[picked].T)[0]
        rest = residual(g[row], basis)
        return abs(residual(mean, basis) @ rest) / np.linalg.norm(rest)

    return greedy(scored, gain)


def farthest(scored, points):
    rows = real_rows(scored)
    center = points[rows].mean(axis=0)

    def gain(row, picked):
        if not picked:
            return -np.linalg.norm(points[row] - center)
        return min(np.linalg.norm(points[row] - points[other]) for other in picked)

    return greedy(scored, gain)


def pca(scored):
    points = scored.inputs.numpy()[real_rows(scored)]
    axes = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:16]
    return farthest(scored, scored.inputs.numpy() @ axes.T)


def unit(scored):
    features = scored.features.numpy()
    return features / np.linalg.norm(features, axis=1, keepdims=True)


def graph_cut(scored):
    alike, rows = (unit(scored) @ unit(scored).T + 1) / 2, real_rows(scored)
    return greedy(scored, lambda row, picked: alike[row, rows].sum() - 0.8 * alike[row, picked].sum())


IRREDUCIBLE = np.random.default_rng(9).exponential(size=N).astype(np.float32)
ROWS = {
    "candidates": lambda scored: top(scored, scored.loss.numpy()),
    "candidates(of='gradient_norm')": lambda scored: top(scored, scored.gradient_norm.numpy()),
    "candidates(of='probability')": lambda scored: top(scored, 1 - scored.probability.numpy()),
    "candidates(of='last_layer')": lambda scored: top(
        scored, scored.gradient_norm.numpy() * np.sqrt(np.square(scored.features.numpy()).sum(axis=1) + 1)
    ),
    "rho_loss": lambda scored: top(scored, scored.loss.numpy() - IRREDUCIBLE[scored.indices.numpy()]),
    "divbs": divbs,
    "great": great,
    "k_centre": lambda scored: farthest(scored, scored.features.numpy()),
    "k_centre(on='inputs')": lambda scored: farthest(scored, scored.inputs.numpy()),
    "k_centre(on='pca')": pca,
    "milo": lambda scored: farthest(scored, unit(scored)),
    "milo(switch=1.0)": graph_cut,
}
BY_GRADIENT = ("divbs", "great")  # without any gradient, any rows will do
CASES = [(text, kind) for text in ROWS for kind in POOLS if kind != "zeros" or text not in BY_GRADIENT]


@pytest.mark.parametrize(("text", "kind"), CASES)
def test_the_rows_are_those_of_the_paper(text, kind):
    selector, scored = resolve(text), pool(**POOLS[kind])
    state = selector.init(N)
    if text == "rho_loss":
        state = state._replace(irreducible=tf.constant(IRREDUCIBLE))
    choice = selector.choose(state, scored, example_context(N, B, progress=0.5))
    assert choice.weights.numpy().tolist() == [1] * B
    found, expected = choice.positions.numpy().tolist(), list(ROWS[text](scored))
    if kind == "two classes" and text in BY_GRADIENT:  # float32 runs out of digits sooner than float64
        found, expected = found[:6], expected[:6]
    assert found == expected


def by_norm(scored):
    """Return expected draws of rows in proportion to their gradient norm, all alike if all are 0."""
    norms = np.where(scored.valid, scored.gradient_norm, 0).astype(float)
    norms = norms if norms.sum() > 0 else np.float64(scored.valid)
    return B * norms / norms.sum()


def by_percentile(scored):
    """Simulate Selective-Backprop: rows kept by the percentile of their loss, at most a batch of them."""
    generator, rows = np.random.default_rng(1), real_rows(scored)
    losses = scored.loss.numpy()[rows]
    reference = np.append(HISTORY, losses)
    chances = (reference[None] <= losses[:, None]).mean(axis=1) ** 2
    counts = np.zeros(SIZE)
    for _ in range(5_000):
        kept = generator.permutation(np.flatnonzero(generator.uniform(size=len(rows)) < chances))[:B]
        counts[rows[kept if len(kept) else [np.argmax(losses)]]] += 1
    return counts / 5_000


def by_rank(scored):
    """Simulate Composer's selective backprop with keep = 1 / 3: draws without replacement by a power of the rank."""
    generator, rows = np.random.default_rng(2), real_rows(scored)
    order = rows[np.argsort(scored.loss.numpy()[rows], kind="stable")]
    chances = ((np.arange(len(rows)) + 0.5) / len(rows)) ** 2
    counts = np.zeros(SIZE)
    for _ in range(5_000):
        taken = generator.choice(len(rows), int(len(rows) / 3 + 1e-6), replace=False, p=chances / chances.sum())
        counts[order[taken]] += 1
    return counts / 5_000


HISTORY = np.random.default_rng(4).exponential(size=60).astype(np.float32)
DRAWS = {
    "importance_sampling": by_norm,
    "candidates(of='gradient_norm', take='unbiased')": by_norm,
    "selective_backprop(beta=2.0, history=60)": by_percentile,
    "composer_backprop(keep=0.3333333333)": by_rank,
}


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("text", DRAWS)
def test_rows_are_drawn_as_often_as_the_paper_says(text, kind):
    selector, scored, times = resolve(text), pool(**POOLS[kind]), 1000
    state = selector.init(N)
    if text.startswith("selective_backprop"):
        state = (tf.constant(HISTORY), tf.constant(0))

    @tf.function(autograph=False)
    def choose_many(steps):
        def choose(step):
            return tuple(selector.choose(state, scored, example_context(N, B)._replace(step=step)))

        return tf.map_fn(choose, steps, fn_output_signature=(tf.int32, tf.float32))

    positions, weights = (part.numpy() for part in choose_many(tf.range(times, dtype=tf.int64)))
    expected = DRAWS[text](scored)
    rate = np.bincount(positions[weights > 0], minlength=SIZE) / times
    share = expected % 1
    spread = np.sqrt(np.maximum(share * (1 - share), 2e-3) * (1 / times + 1 / 5_000))
    assert (np.abs(rate - expected) / spread).max() < 5
    if expected is not None and DRAWS[text] is by_norm:
        rows = positions[weights > 0]
        chance = np.maximum(expected[rows] / B, 1e-9)
        np.testing.assert_allclose(weights[weights > 0], 1 / (len(real_rows(scored)) * chance), rtol=1e-3)


@pytest.mark.parametrize("kind", POOLS)
def test_tau_is_that_of_the_authors(kind):
    scored = pool(**POOLS[kind])
    norms = scored.gradient_norm.numpy()[real_rows(scored)].astype(float)
    u = 1 / len(norms)
    g = norms / norms.sum() if norms.sum() else np.full(len(norms), u)
    expected = 1 / np.sqrt(1 - np.square(g - u).sum() / np.square(g).sum())
    assert float(variance_ratio(scored.gradient_norm, scored.valid)) == pytest.approx(expected, rel=1e-4)


PLANNED = [
    "candidates",
    "online_proxy",
    "rho_loss",
    "divbs",
    "great",
    "k_centre",
    "milo",
    "selective_backprop",
    "composer_backprop",
]


@pytest.mark.parametrize("text", [*PLANNED, "importance_sampling(threshold=0)"])
@pytest.mark.parametrize(("n", "b"), [(60, 6), (61, 8), (7, 8)])
def test_a_pass_of_pools_holds_every_sample_once(text, n, b):
    selector = resolve(text)
    plan = selector.plan(selector.init(n), example_context(n, b, samples=n, progress=0.6))
    rows = plan.indices.numpy()[plan.weights.numpy() > 0]
    assert sorted(rows) == list(range(n))
    assert int(plan.steps) == selector.steps_per_plan(n, b)


@pytest.mark.parametrize(("progress", "interrupt"), [(0.6, 0), (0.6, 1), (0.6, 2), (0.6, 3), (0.2, 2), (0.95, 2)])
def test_composer_trains_on_the_whole_of_every_interrupted_pool(progress, interrupt):
    selector, n, b = resolve(f"composer_backprop(keep=0.34, interrupt={interrupt})"), 100, 8
    plan = selector.plan((), example_context(n, b, progress=progress))
    real = (plan.weights.numpy().reshape(-1, 24) > 0).sum(axis=1)
    expected = []
    for place in range(5):
        rows = min(24, n - 24 * place)
        whole = interrupt and place % interrupt == interrupt - 1
        expected += [min(8, rows - start) for start in range(0, rows, 8)] if whole else [rows]
    assert real.tolist() == (expected if progress == 0.6 else [8] * len(expected))


def test_ordered_sgd_never_lets_q_grow_again():
    selector, state = resolve("ordered_sgd"), resolve("ordered_sgd").init(B)
    shares = []
    for correct in (4, 7, 8, 3, 8):
        stats = SampleStats(
            tf.range(B), tf.ones([B]), tf.ones([B], tf.bool), correct=tf.cast(tf.range(B) < correct, tf.float32)
        )
        state = selector.update(state, stats, example_context(B, B))
        factors = selector.loss_weights(state, tf.range(64.0), tf.ones([64], tf.bool), example_context(B, B))
        shares.append(float((factors > 0).numpy().mean()))
    assert shares == [1, 1 / 2, 1 / 16, 1 / 16, 1 / 16]


def test_every_pool_method_has_an_oracle():
    methods = {name for name, entry in REGISTRY.built_in_entries.items() if entry.family == "candidates"}
    known = {text.partition("(")[0] for text in (*ROWS, *DRAWS)}
    assert methods == known | {"small_proxy", "online_proxy"}  # compared in test_small_proxy and test_proxy_scoring
