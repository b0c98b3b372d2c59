"""The gradient noise scale of runs: the batch size beyond which a larger batch hardly saves steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


class NoiseScale(NamedTuple):
    """What the measurements of some runs say."""

    median: float | None
    """Samples; None if less than half of the measurements have a scale."""
    low: float | None
    high: float | None
    """Smallest and largest of them; no interval, for the scale itself changes over a run."""
    measured: int
    """Measurements that have a scale."""
    made: int
    """Measurements that were made."""

    def __str__(self) -> str:
        if self.median is None:
            return "–"
        return f"{self.median:,.0f} ({self.low:,.0f} to {self.high:,.0f})"


def scale_of(point: Mapping[str, Any]) -> float | None:
    """The scale of a measurement; None where noise hid the gradient, so that an estimate came out negative.

    Args:
        point: Of the list "noise_scale" of a record.

    Example:
        >>> scale_of({"scale": 120.0}), scale_of({"scale": None}), scale_of({"scale": -3.0})
        (120.0, None, None)
    """
    scale = point.get("scale")
    return float(scale) if scale is not None and scale > 0 else None


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
        '300 (100 to 900)'
    """
    points = [point for record in records for point in record.get("noise_scale") or []]
    scales = [scale for scale in map(scale_of, points) if scale is not None]
    if not points:
        return None
    if 2 * len(scales) < len(points):
        return NoiseScale(None, None, None, len(scales), len(points))
    return NoiseScale(float(np.median(scales)), min(scales), max(scales), len(scales), len(points))
