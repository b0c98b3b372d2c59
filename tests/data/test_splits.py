"""Splits: every row once, stratified, and the same forever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel import cards, data
from batchsel.data.splits import carve_rows, draw_rows, fingerprint, split_rows
from batchsel.errors import UserError


@st.composite
def labeled(draw):
    labels = np.array(draw(st.lists(st.integers(0, 5), min_size=4, max_size=200)))
    test = draw(st.integers(1, len(labels) - 2))
    validation = draw(st.integers(1, len(labels) - test - 1))
    return labels, validation, test, draw(st.integers(0, 2**32))


@settings(deadline=None)
@given(labeled())
def test_every_row_is_in_one_split(case):
    labels, validation, test, seed = case
    rows = split_rows(labels, validation, test, seed)
    assert [len(split) for split in rows] == [len(labels) - validation - test, validation, test]
    np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(labels)))
    assert all(np.all(np.diff(split) > 0) for split in rows)


@settings(deadline=None)
@given(labeled())
def test_each_class_has_its_share_to_the_nearest_row(case):
    labels, count, _, seed = case
    drawn = np.bincount(labels[draw_rows(labels, count, seed=seed, stream=5)], minlength=6)
    shares = np.bincount(labels, minlength=6) * count / len(labels)
    assert np.all(np.abs(drawn - shares) < 1)


def test_seed_changes_the_validation_split_only():
    labels = np.arange(300) % 3
    splits = [split_rows(labels, 60, 60, seed) for seed in range(5)]
    assert len({fingerprint(rows.test) for rows in splits}) == 1
    assert len({fingerprint(rows.validation) for rows in splits}) == 5


def test_draw_is_uniform():
    # Of 10,000 rows 5,000 are drawn; the number among the first half is hypergeometric, deviation 25.
    first_half = [np.sum(draw_rows(np.zeros(10_000, int), 5_000, seed=s, stream=1) < 5_000) for s in range(50)]
    assert abs(np.mean(first_half) - 2_500) < 5 * 25 / np.sqrt(50)
    assert 15 < np.std(first_half) < 37


def test_golden_rows():
    # NumPy guarantees the words of PCG64; should these rows ever change, every recorded run loses its data.
    np.testing.assert_array_equal(draw_rows(np.zeros(20, int), 5, seed=3, stream=2), [0, 4, 8, 10, 19])
    carved, kept = carve_rows(np.arange(12) % 2, 4, seed=0)
    np.testing.assert_array_equal(carved, [0, 3, 4, 9])
    assert len(kept) == 8


@pytest.mark.parametrize("name", ["iris", "wine", "digits", "spirals"])
def test_fingerprint_on_the_card_is_that_of_seed_zero(name):
    card = cards.load("datasets", name)
    assert data.load(card, seed=0).split_fingerprint == card.content["split"]
    assert data.load(card, seed=1).split_fingerprint != card.content["split"]


@pytest.mark.parametrize("count", [0, 10, 11])
def test_drawing_none_or_all_rows_raises(count):
    with pytest.raises(UserError, match=rf"cannot draw {count} rows from 10"):
        draw_rows(np.zeros(10, int), count, seed=0, stream=1)


def test_negative_seed_raises():
    with pytest.raises(UserError, match="must be 0 or more, got -1"):
        draw_rows(np.zeros(10, int), 2, seed=-1, stream=1)


def test_fingerprint_depends_on_the_sizes_of_the_splits():
    assert fingerprint(np.array([1, 2]), np.array([3])) != fingerprint(np.array([1]), np.array([2, 3]))
    assert fingerprint(np.array([1, 2], np.int32)) == fingerprint(np.array([1, 2], np.int64))
