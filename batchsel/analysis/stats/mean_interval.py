"""Intervals of means that hold for heavy tails and skew, for many samples at once."""

from __future__ import annotations

import functools

import numpy as np
from scipy import special

FEWEST = 3
"""Fewest values for an interval."""
_RESAMPLES = 1999
_FEWEST_RESAMPLED = 5
_NOTICED_AT, _NOTICED = (5, 8, 10, 20), (0.3, 0.4, 0.8, 2.5)
"""Numbers of values, and how many standard errors of the skewness of normal values are noticed among so many."""
_MOST_RESAMPLED = 500
"""With more values skew no longer matters."""
_DEGENERATE = 1e9
_FEW = {3: 3.0, 4: 2.0}
"""Factor of the end on the side of the long tail where values are too few to resample. It makes intervals cover 93 %
for exponential values and 97 % for normal ones, as simulation shows."""
_FARTHEST = 3.0
"""Largest extension of an end, relative to that of Student's t."""
_ALIKE = 1e-9
"""Values closer than this share of the largest differ by rounding."""


def wide(values: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean of each row and its interval: NaN for fewer than three values, or values that are all alike.

    It is Student's t interval, which heavy tails make wider than it need be, but never too narrow. Skewed values make
    it too narrow on the side of the long tail; where a row is noticeably skewed, its ends are those of the bootstrap t
    where they lie farther out. Three or four values are too few for that: the end on the side of their tail is moved
    out by a fixed factor. "Noticeably" grows with the number of values, because with many Student's t suffers
    less, and every extension costs power. Source: B. Efron, *Nonparametric Standard Errors and Confidence Intervals*,
    Canadian Journal of Statistics 9 (1981).

    Args:
        values: One row for each sample.
        confidence: Level of the interval.

    Example:
        >>> center, low, high = wide(np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]))
        >>> center.tolist(), low.round(2).tolist()
        ([2.0, 1.0], [-0.48, nan])
    """
    n = values.shape[1]
    center = values.mean(axis=1) if n else np.full(len(values), np.nan)
    if n < FEWEST:
        return center, np.full(len(values), np.nan), np.full(len(values), np.nan)
    error = values.std(axis=1, ddof=1) / np.sqrt(n)
    half = special.stdtrit(n - 1, 0.5 + confidence / 2) * error
    low, high = center - half, center + half
    if n in _FEW:
        longer = _skewness(values)
        low -= np.where(longer < -_ALIKE, _FEW[n] - 1, 0) * half
        high += np.where(longer > _ALIKE, _FEW[n] - 1, 0) * half
    alike = np.ptp(values, axis=1) <= _ALIKE * np.maximum(1.0, np.abs(values).max(axis=1))
    skewed = ~alike & _noticeably_skewed(values)
    if skewed.any():
        below, above = _bootstrap_t(values[skewed], confidence)
        low[skewed] = np.minimum(low[skewed], center[skewed] - above * error[skewed])
        high[skewed] = np.maximum(high[skewed], center[skewed] - below * error[skewed])
    return center, np.where(alike, np.nan, low), np.where(alike, np.nan, high)


def _noticeably_skewed(values: np.ndarray) -> np.ndarray:
    n = values.shape[1]
    if not _FEWEST_RESAMPLED <= n <= _MOST_RESAMPLED:
        return np.zeros(len(values), bool)
    skew = _skewness(values) * np.sqrt(n * (n - 1)) / (n - 2)
    error = np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    return np.abs(skew) > error * np.interp(n, _NOTICED_AT, _NOTICED)


def _skewness(values: np.ndarray) -> np.ndarray:
    centered = values - values.mean(axis=1, keepdims=True)
    variance = (centered**2).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (centered**3).mean(axis=1) / variance**1.5


def _bootstrap_t(values: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the quantiles of the studentized mean over resamples."""
    n = values.shape[1]
    weights = _weights(n)
    centered = (values - values.mean(axis=1, keepdims=True)).T
    means = weights @ centered
    errors = np.sqrt(np.maximum(weights @ centered**2 - means**2, 0) / (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 1e-12, means / errors, np.sign(means) * _DEGENERATE)
    tail = (1 - confidence) / 2
    below, above = np.quantile(ratios, [tail, 1 - tail], axis=0)
    # Where most values are alike, many resamples hardly scatter, and their ratios know no bounds.
    farthest = _FARTHEST * float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    return np.maximum(below, -farthest), np.minimum(above, farthest)


@functools.lru_cache(maxsize=16)
def _weights(n: int) -> np.ndarray:
    """Return the shares of values in each resample."""
    chosen = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n)) + n * np.arange(_RESAMPLES)[:, None]
    return np.bincount(chosen.ravel(), minlength=n * _RESAMPLES).reshape(_RESAMPLES, n) / n
