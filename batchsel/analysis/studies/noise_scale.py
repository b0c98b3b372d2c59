"""The gradient noise scale of runs: the batch size that needs about twice the fewest steps possible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


class NoiseScale(NamedTuple):
    """What the measurements of some runs say."""

    median: float | None
    """Samples; None if it is not bounded: noise hid the gradient in half of the measurements or more."""
    low: float | None
    high: float | None
    """Smallest and largest of them, None for a largest without a bound; no interval, for the scale itself changes over
    a run."""
    measured: int
    """Measurements that have a scale."""
    made: int
    """Measurements that were made."""

    def __str__(self) -> str:
        if self.median is None:
            return "–"
        return f"{self.median:,.0f} ({self.range})"

    @property
    def range(self) -> str:
        """Smallest to largest in words.

        Example:
            >>> NoiseScale(600.0, 100.0, None, 3, 4).range
            '100 to unbounded'
        """
        return f"{self.low:,.0f} to {'unbounded' if self.high is None else f'{self.high:,.0f}'}"


def scale_of(point: Mapping[str, Any]) -> float:
    """The scale of a measurement; infinite where noise hid the gradient, so that the estimate of |G|² is not positive.

    To leave such measurements out would leave out large scales alone.

    Args:
        point: Of the list "noise_scale" of a record.

    Example:
        >>> scale_of({"scale": 120.0}), scale_of({"scale": None})
        (120.0, inf)
    """
    scale = point.get("scale")
    return math.inf if scale is None else max(float(scale), 0.0)


def noise_scale(records: Iterable[Mapping[str, Any]]) -> NoiseScale | None:
    """Median and range over runs and moments of the simple noise scale, tr Σ / |G|².

    Source: S. McCandlish, J. Kaplan, D. Amodei and others, *An Empirical Model of Large-Batch Training*,
    https://arxiv.org/abs/1812.06162, appendix A.

    Args:
        records: Of runs.

    Returns:
        The scale, or None if it was not measured.

    Example:
        >>> str(noise_scale([{"noise_scale": [{"scale": 100.0}, {"scale": 300.0}, {"scale": 900.0}, {"scale": None}]}]))
        '600 (100 to unbounded)'
    """
    points = [point for record in records for point in record.get("noise_scale") or []]
    if not points:
        return None
    scales = [scale_of(point) for point in points]
    measured, median = sum(map(math.isfinite, scales)), float(np.median(scales))
    if not math.isfinite(median):
        return NoiseScale(None, None, None, measured, len(points))
    high = max(scales)
    return NoiseScale(median, min(scales), high if math.isfinite(high) else None, measured, len(points))
