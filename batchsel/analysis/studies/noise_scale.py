"""Gradient noise scale of runs: the batch size that needs about twice the fewest steps possible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from batchsel.experiments.run.record_parts import NoiseMeasurement
from batchsel.experiments.run.run_record import RunRecord


class NoiseScale(NamedTuple):
    """Median and range of the noise scale over the measurements of some runs."""

    median: float | None
    """Median in samples; None if it is unbounded: noise hid the gradient in half of the measurements or more."""
    low: float | None
    high: float | None
    """Smallest and largest scale, None for a largest without a bound. They are not a confidence interval: the scale
    itself changes over a run."""
    measured: int
    """Number of measurements that have a scale."""
    made: int
    """Number of all measurements."""

    def __str__(self) -> str:
        if self.median is None:
            return "–"
        return f"{self.median:,.0f} ({self.range})"

    @property
    def range(self) -> str:
        """Text of the range, smallest to largest.

        Example:
            >>> NoiseScale(600.0, 100.0, None, 3, 4).range
            '100 to unbounded'
        """
        low = "–" if self.low is None else f"{self.low:,.0f}"
        return f"{low} to {'unbounded' if self.high is None else f'{self.high:,.0f}'}"


def bounded_scale(measurement: NoiseMeasurement) -> float:
    """Return the scale of a measurement; infinite where noise hid the gradient, so that |G|² is not positive.

    Without such measurements only large scales would be left out.

    Example:
        >>> bounded_scale(NoiseMeasurement(scale=120.0)), bounded_scale(NoiseMeasurement(scale=None))
        (120.0, inf)
    """
    return math.inf if measurement.scale is None else max(float(measurement.scale), 0.0)


def noise_scale(records: Iterable[RunRecord]) -> NoiseScale | None:
    """Summarize the simple noise scale, tr Σ / |G|², over runs and times.

    Source: S. McCandlish, J. Kaplan, D. Amodei and others, *An Empirical Model of Large-Batch Training*,
    https://arxiv.org/abs/1812.06162, appendix A.

    Args:
        records: Records of the runs.

    Returns:
        Median and range, or None if the scale was not measured.
    """
    return summarize_noise([measurement for record in records for measurement in record.noise_scale])


def summarize_noise(measurements: Sequence[NoiseMeasurement]) -> NoiseScale | None:
    """Return median and range of measurements, or None if there are none.

    Example:
        >>> str(summarize_noise([NoiseMeasurement(scale=scale) for scale in (100.0, 300.0, 900.0, None)]))
        '600 (100 to unbounded)'
    """
    if not measurements:
        return None
    scales = [bounded_scale(measurement) for measurement in measurements]
    measured, median = sum(map(math.isfinite, scales)), float(np.median(scales))
    if not math.isfinite(median):
        return NoiseScale(None, None, None, measured, len(scales))
    high = max(scales)
    return NoiseScale(median, min(scales), high if math.isfinite(high) else None, measured, len(scales))
