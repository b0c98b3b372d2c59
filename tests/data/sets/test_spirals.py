"""Spirals: on the curve, rotations of each other, and as difficult as their geometry implies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchsel import cards, data
from batchsel.data.sets.spirals import arc_length, difficulty, make_spirals, spiral_constants
from batchsel.errors import UsageError

SHAPES = [(2, 2.0), (2, 0.5), (3, 1.25), (7, 3.0)]


def turned_back(x, y, arms):
    """Return the points of every arm rotated onto arm 0, as complex numbers."""
    return (x[:, 0].astype(np.float64) + 1j * x[:, 1]) * np.exp(-2j * math.pi * y / arms)


@pytest.mark.parametrize(("arms", "turns"), SHAPES)
def test_points_without_noise_are_on_the_curve(arms, turns):
    x, y = make_spirals(500, arms=arms, turns=turns, noise=0.0)
    start, growth = spiral_constants(arms, turns)
    points = turned_back(x, y, arms)
    theta = (np.abs(points) - start) / growth  # from the radius, the angle must follow
    np.testing.assert_allclose(np.angle(points * np.exp(-1j * theta)), 0, atol=2e-5)
    assert theta.min() == pytest.approx(0, abs=1e-5)
    assert theta.max() == pytest.approx(2 * math.pi * turns, rel=1e-5)
    assert np.abs(points).max() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("arms", "turns"), SHAPES)
def test_arms_are_rotations_of_each_other(arms, turns):
    x, y = make_spirals(60 * arms, arms=arms, turns=turns, noise=0.0)
    points = turned_back(x, y, arms)
    of_arm = [np.sort_complex(np.round(points[y == arm], 5)) for arm in range(arms)]
    for others in of_arm[1:]:
        np.testing.assert_allclose(np.sort(np.abs(others)), np.sort(np.abs(of_arm[0])), atol=1e-5)
        np.testing.assert_allclose(others.sum(), of_arm[0].sum(), atol=1e-3)


def test_points_are_equidistant_along_the_arc():
    x, y = make_spirals(2000, noise=0.0)
    start, growth = spiral_constants(2, 2.0)
    along = np.sort(arc_length((np.hypot(*x[y == 0].T.astype(np.float64)) - start) / growth, start, growth))
    np.testing.assert_allclose(np.diff(along), along[-1] / 999, rtol=2e-3)


def test_arc_length_matches_a_fine_polygon():
    start, growth = spiral_constants(3, 1.5)
    theta = np.linspace(0, 3 * math.pi, 200_001)
    points = (start + growth * theta) * np.exp(1j * theta)
    assert arc_length(3 * math.pi, start, growth) == pytest.approx(np.abs(np.diff(points)).sum(), rel=1e-8)


@settings(deadline=None)
@given(st.integers(2, 9), st.integers(0, 60), st.floats(0.1, 5), st.integers(0, 2**31))
def test_class_sizes_differ_by_at_most_one(arms, extra, turns, seed):
    x, y = make_spirals(arms + extra, arms=arms, turns=turns, noise=0.1, seed=seed)
    assert x.shape == (arms + extra, 2)
    assert (x.dtype, y.dtype) == (np.float32, np.int32)
    assert np.ptp(np.bincount(y, minlength=arms)) <= 1
    assert np.isfinite(x).all()


def test_noise_is_gaussian_with_the_given_deviation():
    clean, labels = make_spirals(20_000, noise=0.0, seed=5)
    noisy, same = make_spirals(20_000, noise=0.07, seed=5)
    np.testing.assert_array_equal(labels, same)
    noise = (noisy - clean) / 0.07
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.02)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03
    assert np.mean(np.abs(noise) < 1) == pytest.approx(0.6827, abs=0.01)


def test_seed_determines_the_points():
    first, again, other = (make_spirals(50, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_order_is_shuffled():
    _, y = make_spirals(1000)
    assert 400 < np.count_nonzero(np.diff(y)) < 600


def test_golden_points():
    x, y = make_spirals(4, arms=2, turns=2.0, noise=0.02, seed=0)
    np.testing.assert_array_equal(y, [1, 1, 0, 0])
    np.testing.assert_allclose(
        x,
        [[-1.0107133, 0.0072319], [-0.0850311, 0.0189416], [0.9859253, -0.0253084], [0.0986456, 0.0008265]],
        atol=1e-6,
    )


@pytest.mark.parametrize(("arms", "turns"), SHAPES)
def test_difficulty_matches_the_distance_to_the_other_curves(arms, turns):
    x, y = make_spirals(60, arms=arms, turns=turns, noise=0.05, seed=1)
    start, growth = spiral_constants(arms, turns)
    theta = np.linspace(0, 2 * math.pi * turns, 100_001)
    curve = (start + growth * theta) * np.exp(1j * theta)
    nearly = [
        min(
            np.abs(curve * np.exp(2j * math.pi * arm / arms) - complex(*point)).min()
            for arm in range(arms)
            if arm != label
        )
        for point, label in zip(x, y, strict=True)
    ]
    found = difficulty(x, y, arms=arms, turns=turns)
    step = np.abs(np.diff(curve)).max()  # a point of the polygon is at most half a step from the nearest place
    assert np.all(found <= np.add(nearly, 1e-9))
    assert np.all(np.square(nearly) - np.square(found) <= (step / 2) ** 2 * 1.01)


def test_difficulty_of_known_points():
    start, growth = spiral_constants(2, 2.0)
    on_arm_1 = -np.array([[start, 0.0], [start + growth * 4 * math.pi, 0.0]])
    np.testing.assert_allclose(difficulty(on_arm_1, np.array([0, 0])), 0, atol=1e-7)
    # The outer end of arm 0 looks inwards at arm 1, half a winding below.
    end = difficulty(np.array([[1.0, 0.0]]), np.array([0])).item()
    assert end == pytest.approx(growth * math.pi, rel=0.02)


def test_inner_ends_are_as_far_apart_as_windings():
    for arms, turns in SHAPES:
        start, _ = spiral_constants(arms, turns)
        assert 2 * start * math.sin(math.pi / arms) == pytest.approx((1 - start) / (turns * arms))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"arms": 1}, "arms must be 2 or more, got 1"),
        ({"arms": 5, "samples": 4}, "samples must be at least one for each of the 5 arms, got 4"),
        ({"turns": 0}, "turns must be a number above 0"),
        ({"turns": math.inf}, "turns must be a number above 0 and at most 100, got inf"),
        ({"turns": math.nan}, "turns must be"),
        ({"noise": -0.1}, "noise must be a number of 0 or more, got -0.1"),
        ({"noise": math.nan}, "noise must be"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
    ],
)
def test_numbers_out_of_range_raise(changes, sentence):
    with pytest.raises(UsageError, match=f"cannot generate spirals: .*{sentence}"):
        make_spirals(**({"samples": 10} | changes))


def test_all_wrong_numbers_are_reported_at_once():
    with pytest.raises(UsageError, match=r"arms must .*; samples must .*; turns must .*; noise must .*; seed must"):
        make_spirals(0, arms=0, turns=-1, noise=-1, seed=-1)


def test_unknown_option_on_the_card_raises():
    import dataclasses

    card = dataclasses.replace(cards.load("datasets", "spirals"), options={"turn": 3})
    with pytest.raises(UsageError, match=r"unknown option of the spirals 'turn'\. Did you mean 'turns'"):
        data.load(card)
