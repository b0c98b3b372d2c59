"""The names of what a run can measure besides its time to target. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable

from batchsel.errors import unknown_name

MEASURES = ("end", "noise_scale", "snr")
"""Results at the end of the budget; the gradient noise scale; the signal-to-noise ratio of the features of layers."""


def check_measures(names: Iterable[str]) -> None:
    """Looks up the names of measures.

    Args:
        names: The names.

    Raises:
        UsageError: If there is no such measure.

    Example:
        >>> check_measures(["end", "noise"])
        Traceback (most recent call last):
        batchsel.errors.UsageError: unknown measure 'noise'. Did you mean 'noise_scale'? Known: end, noise_scale, snr.
    """
    for name in names:
        if name not in MEASURES:
            raise unknown_name("measure", name, MEASURES)
