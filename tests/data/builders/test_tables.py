"""Tables: the embedded sets are whole, and validation and test do not leak into the scaling."""

import dataclasses

import numpy as np
import pytest

from batchsel import cards, data
from batchsel.data.builders.tables import build_table_dataset, mean_and_deviation
from batchsel.data.splits import split_rows
from batchsel.errors import UserError


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("iris", (4,), (90, 30, 30)),
        ("wine", (13,), (108, 35, 35)),
        ("digits", (64,), (1197, 300, 300)),
        ("spirals", (2,), (2048, 1024, 1024)),
    ],
)
def test_embedded_sets_load(name, shape, sizes):
    dataset = data.load(cards.load("datasets", name))
    assert dataset.input_shape == shape
    assert tuple(map(len, dataset.splits.values())) == sizes
    assert dataset.train.x.dtype == np.float32
    assert dataset.train.y.dtype == np.int32
    shares = [np.bincount(split.y, minlength=dataset.outputs) / len(split) for split in dataset.splits.values()]
    assert np.abs(np.subtract(shares[1:], shares[0])).max() < 1.5 / min(sizes)


@pytest.mark.parametrize("name", ["iris", "wine", "spirals"])
def test_tables_are_standardized_by_the_training_split(name):
    dataset = data.load(cards.load("datasets", name))
    np.testing.assert_allclose(dataset.train.x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(dataset.train.x.std(axis=0), 1, atol=1e-5)
    assert np.abs(dataset.validation.x.mean(axis=0)).max() > 1e-3


def test_digits_are_divided_by_their_maximum():
    dataset = data.load(cards.load("datasets", "digits"))
    values = np.unique(np.concatenate([split.x for split in dataset.splits.values()]))
    np.testing.assert_array_equal(values, np.arange(17, dtype=np.float32) / 16)


def test_other_splits_do_not_affect_the_training_split():
    card = dataclasses.replace(cards.load("datasets", "iris"), content={})
    x, y = np.random.default_rng(0).normal(size=(150, 4)), np.arange(150) % 3
    before = build_table_dataset(card, x, y)
    rows = split_rows(y, 30, 30, seed=0)
    x[np.concatenate([rows.validation, rows.test])] += 1000
    after = build_table_dataset(card, x, y)
    np.testing.assert_array_equal(before.train.x, after.train.x)
    assert after.test.x.min() > 500


def test_constant_feature_has_deviation_one():
    mean, deviation = mean_and_deviation(np.full((5, 1), 3.0))
    assert (mean.item(), deviation.item()) == (3.0, 1.0)


def test_table_unlike_the_card_raises():
    card = cards.load("datasets", "iris")
    x, y = np.ones((150, 4)), np.arange(150) % 3
    with pytest.raises(UserError, match=r"iris: the content differs from the card: x has SHA-256 .*; y has SHA-256"):
        build_table_dataset(card, x, y)
    with pytest.raises(UserError, match=r"iris: 149 rows, but the sizes on the card add up to 150"):
        build_table_dataset(card, x[1:], y[1:])
    x[5, 2] = np.nan
    with pytest.raises(UserError, match=r"iris: 1 sample holds NaN or infinite features: row 5"):
        build_table_dataset(card, x, y)


def test_regression_keeps_its_values():
    card = dataclasses.replace(cards.load("datasets", "iris"), task="regression", class_names=(), content={})
    dataset = build_table_dataset(card, np.random.default_rng(0).normal(size=(150, 2)), np.linspace(-1, 1, 150))
    assert dataset.train.y.dtype == np.float32
    assert dataset.outputs == 1
    assert len(dataset.test) == 30


def test_changed_split_raises():
    card = cards.load("datasets", "iris")
    wrong = dataclasses.replace(card, content={**card.content, "split": "0" * 64})
    with pytest.raises(UserError, match=r"iris: the split of seed 0 has the fingerprint 1a0c8f96"):
        data.load(wrong)
