"""The names of what a run can measure besides its time to target. Needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable

from batchsel.cards.experiment_cards import MEASURES
from batchsel.errors import unknown_name


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
