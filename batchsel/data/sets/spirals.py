"""Archimedean spirals: interleaved arms, a small problem with a long, curved class boundary.

An arm is the curve r = a + b * theta, and arm j is rotated by 2 * pi * j / k. The outer radius is 1, so b follows from
a and the turns; a is chosen so that the inner ends of neighboring arms are as far apart as the arms are between two
windings. With a = 0 all arms would meet in one point, where no model can distinguish them.

Points are at equal distances along the arc, not at equal angles: equal angles would crowd them near the center, and
then density and difficulty would be confounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from batchsel.core.parameters import INT32, Amount, Between
from batchsel.data.builders.tables import build_table_dataset
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.errors import UsageError, unknown_name

_OPTIONS = ("arms", "turns", "noise", "seed")
_GRID_PER_TURN = 4096  # angles at which arc lengths are tabulated
_CURVE_STEP = 2e-4  # distance between the points of the curve that are searched for the nearest, radius 1
_REFINEMENTS = 40  # refinements of a bracket, more than a float64 can resolve


def make_spirals(
    samples: int, arms: int = 2, turns: float = 2.0, noise: float = 0.02, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return points on spiral arms, with noise.

    Args:
        samples: Number of points, n; the arms differ by at most one point.
        arms: Number of arms and classes, k, at least 2.
        turns: Number of turns of an arm around the center.
        noise: Standard deviation of the Gaussian noise on each coordinate, for an outer radius of 1.
        seed: Seed of noise and order.

    Returns:
        ``float32[n, 2]`` points and ``int32[n]`` arms, in random order.

    Raises:
        UsageError: If a number is out of range.

    Example:
        >>> x, y = make_spirals(samples=100, arms=3, turns=1.5, noise=0.0)
        >>> x.shape, np.bincount(y).tolist(), float(np.hypot(*x.T).max().round(6))
        ((100, 2), [34, 33, 33], 1.0)
    """
    _check_numbers(samples, arms, turns, noise, seed)
    counts = [samples // arms + (arm < samples % arms) for arm in range(arms)]
    points = np.concatenate([_equidistant_points(count, arm, arms, turns) for arm, count in enumerate(counts)])
    labels = np.repeat(np.arange(arms, dtype=np.int32), counts)
    words = np.random.PCG64(seed)
    order = np.argsort(words.random_raw(samples), kind="stable")
    points = points[order] + noise * np.random.Generator(words).standard_normal((samples, 2))
    return points.astype(np.float32), labels[order]


def difficulty(x: np.ndarray, y: np.ndarray, arms: int = 2, turns: float = 2.0) -> np.ndarray:
    """Return the distance of each point to the nearest other arm: the smaller, the harder.

    The distance is to the curve of the other arm, not to its nearest sample, so it depends neither on the number of
    samples nor on their noise.

    Args:
        x: Points, ``[n, 2]``.
        y: Their arms, ``int[n]``.
        arms: Number of arms.
        turns: Number of turns of an arm around the center.

    Returns:
        ``float64[n]`` distances, for an outer radius of 1.

    Raises:
        UsageError: If a number is out of range.

    Example:
        >>> x, y = make_spirals(samples=400, turns=1.0, noise=0.0)
        >>> distances = difficulty(x, y, turns=1.0)
        >>> print(f"{distances.min():.2f} to {distances.max():.2f}")
        0.37 to 0.39
    """
    from scipy.spatial import KDTree

    _check_numbers(arms, arms, turns, noise=0.0, seed=0)
    start, growth = spiral_constants(arms, turns)
    end = 2 * math.pi * turns
    angles = _equidistant_angles(math.ceil(arc_length(end, start, growth) / _CURVE_STEP), arms, turns)
    tree = KDTree(_curve(angles, start, growth))
    nearest = np.full(len(x), np.inf)
    for shift in range(1, arms):  # seen from arm y + shift, a point is rotated back onto arm 0
        rotated = _rotate(np.asarray(x, np.float64), -2 * math.pi * ((np.asarray(y) + shift) % arms) / arms)
        found = tree.query(rotated)[1]
        low, high = angles[np.maximum(found - 1, 0)], angles[np.minimum(found + 1, len(angles) - 1)]
        nearest = np.minimum(nearest, _least_distance(rotated, low, high, start, growth))
    return nearest


def spiral_constants(arms: int, turns: float) -> tuple[float, float]:
    """Return the constants a and b of r = a + b * theta.

    Args:
        arms: Number of arms, k.
        turns: Number of turns of an arm around the center.

    Returns:
        a, the inner radius, and b, the growth of the radius per radian.

    Example:
        >>> a, b = spiral_constants(arms=2, turns=2.0)
        >>> round(a, 4), round(a + b * 4 * math.pi, 4)
        (0.1111, 1.0)
    """
    # Inner ends are 2 a sin(pi / k) apart, windings of neighboring arms (1 - a) / (turns k).
    ratio = 1 / (2 * turns * arms * math.sin(math.pi / arms))
    start = ratio / (1 + ratio)
    return start, (1 - start) / (2 * math.pi * turns)


def arc_length(angle: Any, start: float, growth: float) -> Any:
    """Return the length of the arc r = a + b * theta from theta = 0.

    Args:
        angle: The end, theta; a number or an array.
        start: The inner radius, a.
        growth: The growth of the radius, b.

    Returns:
        The length, for an outer radius of 1.

    Example:
        >>> round(float(arc_length(2 * math.pi, 1.0, 1e-9)), 6) == round(2 * math.pi, 6)
        True
    """

    def primitive(radius: Any) -> Any:
        return (radius * np.hypot(radius, growth) + growth**2 * np.arcsinh(radius / growth)) / (2 * growth)

    return primitive(start + growth * angle) - primitive(start)


@dataclass(frozen=True)
class Options:
    """Options of a card, checked when the card is read."""

    arms: Annotated[int, Between(2, 1000)] = 2
    turns: Annotated[float, Between(0, 100, lower_open=True)] = 2.0
    noise: Amount = 0.02
    seed: Annotated[int, Between(0, INT32)] = 0


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Generate the data set ``spirals``.

    Args:
        card: The card; its options are arguments of `make_spirals`.
        seed: Seed of the validation split; the points are the same for every seed.
        folder: Not used; the points are computed.

    Returns:
        The data set: ``float32[n, 2]`` standardized coordinates, ``int32[n]`` arms.

    Raises:
        UsageError: If an option is unknown or out of range.

    Example:
        >>> from batchsel import cards, data
        >>> data.load(cards.load("datasets", "spirals")).input_shape
        (2,)
    """
    unknown = set(card.options) - set(_OPTIONS)
    if unknown:
        raise unknown_name("option of the spirals", min(unknown), _OPTIONS)
    x, y = make_spirals(samples=card.sizes.total, **card.options)
    return build_table_dataset(card, x, y, names=("x1", "x2"), seed=seed)


def _equidistant_points(count: int, arm: int, arms: int, turns: float) -> np.ndarray:
    points = _curve(_equidistant_angles(count, arms, turns), *spiral_constants(arms, turns))
    return _rotate(points, 2 * math.pi * arm / arms)


def _equidistant_angles(count: int, arms: int, turns: float) -> np.ndarray:
    grid = np.linspace(0.0, 2 * math.pi * turns, math.ceil(turns * _GRID_PER_TURN) + 1)
    lengths = arc_length(grid, *spiral_constants(arms, turns))
    return np.interp(np.linspace(0.0, lengths[-1], count), lengths, grid)


def _curve(angles: np.ndarray, start: float, growth: float) -> np.ndarray:
    radius = start + growth * angles
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=-1)


def _rotate(points: np.ndarray, angle: Any) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    x1, x2 = points.T
    return np.stack([cosine * x1 - sine * x2, sine * x1 + cosine * x2], axis=-1)


def _least_distance(points: np.ndarray, low: np.ndarray, high: np.ndarray, start: float, growth: float) -> np.ndarray:
    # Ternary search: between the two neighbors of the nearest tabulated angle the distance has one minimum.
    for _ in range(_REFINEMENTS):
        third = (high - low) / 3
        nearer = [np.hypot(*(_curve(angle, start, growth) - points).T) for angle in (low + third, high - third)]
        left = nearer[0] < nearer[1]
        low, high = np.where(left, low, low + third), np.where(left, high - third, high)
    return np.hypot(*(_curve((low + high) / 2, start, growth) - points).T)


def _check_numbers(samples: int, arms: int, turns: float, noise: float, seed: int) -> None:
    wrong = [
        f"{name} must be {expected}, got {value}"
        for name, expected, value, valid in (
            ("arms", "2 or more", arms, arms >= 2),
            ("samples", f"at least one for each of the {arms} arms", samples, samples >= max(arms, 1)),
            ("turns", "a number above 0 and at most 100", turns, 0 < turns <= 100),
            ("noise", "a number of 0 or more", noise, 0 <= noise < math.inf),
            ("seed", "0 or more", seed, seed >= 0),
        )
        if not valid
    ]
    if wrong:
        raise UsageError(f"cannot generate spirals: {'; '.join(wrong)}.")
