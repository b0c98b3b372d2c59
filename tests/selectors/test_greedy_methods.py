"""Batches picked row by row, compared with plain NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from problems import classes, mlp
from scipy import linalg

from batchsel import Trainer
from batchsel.selectors import resolve
from batchsel.selectors.ops.greedy import farthest, graph_cut, last_layer_products, orthogonal
from batchsel.testing.fixtures import example_context, example_stats

GENERATOR = np.random.default_rng(0)
POOL, B = 24, 8
ROWS = GENERATOR.normal(size=(POOL, 40)).astype(np.float32)
ALL = tf.ones([POOL], tf.bool)
SIGNALS = ("residuals", "features", "inputs")


def products(rows):
    return tf.constant(rows @ rows.T, tf.float32)


def gram_schmidt(rows, target, count):
    """Pick rows by how much of the target's residual their residual explains; plain and slow."""
    left, basis, picked = target.astype(float), [], []
    for _ in range(count):
        rests = rows.astype(float)
        for unit in basis:
            rests = rests - np.outer(rests @ unit, unit)
        lengths = np.linalg.norm(rests, axis=1)
        gains = np.abs(rests @ left) / np.maximum(lengths, 1e-9)
        gains[picked] = -1
        best = int(np.argmax(gains))
        picked.append(best)
        basis.append(rests[best] / lengths[best])
        left = left - (left @ basis[-1]) * basis[-1]
    return picked


def test_products_of_gradients_are_those_of_the_gradients():
    residuals = GENERATOR.normal(size=(6, 3)).astype(np.float32)
    features = GENERATOR.normal(size=(6, 5)).astype(np.float32)
    ones = np.ones((6, 1), np.float32)
    gradients = np.einsum("ic,id->icd", residuals, np.hstack([features, ones])).reshape(6, -1)
    found = last_layer_products(tf.constant(residuals), tf.constant(features))
    np.testing.assert_allclose(found, gradients @ gradients.T, rtol=1e-4, atol=1e-4)


def test_orthogonal_rows_are_the_pivots_of_a_qr_factorization():
    _, _, pivots = linalg.qr(ROWS.T, pivoting=True)
    assert orthogonal(products(ROWS), None, ALL, B).numpy().tolist() == pivots[:B].tolist()


def test_rows_toward_a_vector_are_those_of_gram_schmidt():
    target = ROWS.mean(axis=0)
    found = orthogonal(products(ROWS), tf.constant(ROWS @ target), ALL, B)
    assert found.numpy().tolist() == gram_schmidt(ROWS, target, B)


def test_farthest_rows_are_those_of_a_plain_loop():
    distances = np.linalg.norm(ROWS[:, None] - ROWS[None], axis=2)
    picked = [int(np.argmin(np.linalg.norm(ROWS - ROWS.mean(axis=0), axis=1)))]
    while len(picked) < B:
        picked.append(int(np.argmax(distances[picked].min(axis=0))))
    assert farthest(products(ROWS), ALL, B).numpy().tolist() == picked


def test_the_graph_cut_is_that_of_a_plain_loop():
    units = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True)
    alike, picked = (units @ units.T + 1) / 2, []
    for _ in range(B):
        gains = alike.sum(axis=0) - 2 * 0.4 * alike[picked].sum(axis=0)
        gains[picked] = -np.inf
        picked.append(int(np.argmax(gains)))
    assert graph_cut(tf.constant(alike, tf.float32), ALL, B, 0.4).numpy().tolist() == picked


@pytest.mark.parametrize("toward", [None, tf.ones([POOL])])
def test_rows_that_are_all_alike_or_too_few_are_still_picked_once(toward):
    alike = products(np.ones((POOL, 3), np.float32))
    for matrix in (alike, tf.zeros([POOL, POOL])):
        for found in (orthogonal(matrix, toward, ALL, B), farthest(matrix, ALL, B), graph_cut(matrix, ALL, B, 0.4)):
            assert len(set(found.numpy())) == B
    few = tf.range(POOL) < 5
    found = orthogonal(products(ROWS), None, few, B).numpy()
    assert set(found[:5]) == set(range(5))
    assert len(set(found)) == B


def pool_with(**given):
    pool = example_stats(np.arange(POOL), np.ones(POOL), SIGNALS)
    return pool._replace(**{name: tf.constant(value, tf.float32) for name, value in given.items()})


def test_divbs_represents_the_mean_gradient_better_than_chance():
    pool = pool_with()
    gradients = np.einsum(
        "ic,id->icd", pool.residuals, np.hstack([pool.features, np.ones((POOL, 1))])
    ).reshape(POOL, -1)  # fmt: skip
    rows = resolve("divbs").choose((), pool, example_context(100, B)).positions.numpy()
    mean = gradients.mean(axis=0)

    def rest(rows):
        basis = linalg.orth(gradients[rows].T)
        return np.linalg.norm(mean - basis @ (basis.T @ mean))

    chance = [rest(GENERATOR.choice(POOL, B, replace=False)) for _ in range(50)]
    assert rest(rows) < min(chance)


def test_great_does_not_take_the_same_direction_twice():
    features = np.zeros((POOL, 8), np.float32)
    features[:16, 0], features[16:, 1:] = 9.0, np.eye(8, 7)  # sixteen long ones that point the same way
    pool = pool_with(features=features, residuals=np.ones((POOL, 1)))
    rows = resolve("great").choose((), pool, example_context(100, B)).positions.numpy()
    assert (rows < 16).sum() == 1


@pytest.mark.parametrize("on", ["features", "inputs", "pca"])
def test_k_centre_takes_one_of_each_cluster(on):
    centers = np.repeat(10 * np.eye(8), 3, axis=0)
    points = centers + 0.1 * GENERATOR.normal(size=(POOL, 8))
    pool = pool_with(**{"features" if on == "features" else "inputs": points})
    rows = resolve(f"k_centre(on={on!r})").choose((), pool, example_context(100, B)).positions.numpy()
    assert sorted(rows // 3) == list(range(8))


def test_milo_goes_from_typical_to_diverse():
    points = np.vstack([np.tile([1.0, 0, 0], (18, 1)), np.eye(3)[1:], -np.eye(3), [[0, 1, 1]]])
    points += 0.01 * GENERATOR.normal(size=points.shape)
    pool = pool_with(features=points)
    early, late = (
        resolve("milo").choose((), pool, example_context(100, 6, progress=progress)).positions.numpy()
        for progress in (0.0, 0.5)
    )
    assert (early < 18).sum() == 6
    assert (late < 18).sum() <= 1


@pytest.mark.parametrize("name", ["divbs", "great", "milo", "k_centre", "k_centre(on='inputs')", "k_centre(on='pca')"])
def test_they_train_and_every_pool_is_counted(name):
    x, y = classes(60)
    trainer = Trainer(mlp(), name, batch_size=6)
    trainer.fit(x, y, epochs=3, verbose=0)
    counts = trainer.counts
    assert counts["samples"] == 3 * 60
    assert counts["scored"] == 7 * 60 + 2 * 18  # the last of the four pools of a pass is short
    assert np.isfinite(trainer.losses).any()
