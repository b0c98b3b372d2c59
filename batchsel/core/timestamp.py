"""Time in a run, counted in samples trained on, and durations measured in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

_PASSES = re.compile(
    r"^\s*(?P<amount>(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:e[+-]?[0-9]+)?)\s*pass(?:es)?\s*$", re.IGNORECASE
)


class Timestamp(NamedTuple):
    """A point in time within a run.

    It counts samples trained on, so that pruning, growing batches and short runs do not shift schedules.
    """

    progress: tf.Tensor
    """``float32[]`` samples trained on divided by samples in the budget, in [0, 1]."""
    passes: tf.Tensor
    """``float32[]`` samples trained on divided by samples in the data."""

    @classmethod
    def from_progress(cls, progress: Any, passes: Any = None) -> Timestamp:
        """Return a timestamp from plain numbers.

        Args:
            progress: Share of the budget, in [0, 1].
            passes: Passes trained; None to assume a budget of one pass.

        Example:
            >>> float(Timestamp.from_progress(0.25).passes)
            0.25
        """
        import tensorflow as tf

        progress = tf.cast(progress, tf.float32)
        return cls(progress, progress if passes is None else tf.cast(passes, tf.float32))


def parse_passes(duration: float | str) -> float | None:
    """Return the passes in a duration such as "5 passes", or None if it is a share of the budget.

    Args:
        duration: A share, or a text such as "5 passes".

    Example:
        >>> parse_passes("5 passes"), parse_passes(0.1)
        (5.0, None)
    """
    match = _PASSES.match(duration) if isinstance(duration, str) else None
    return float(match["amount"]) if match else None


def elapsed_share(duration: float | str, timestamp: Timestamp) -> tf.Tensor:
    """Return the elapsed share of a duration that starts with the run.

    Args:
        duration: A share of the budget, or a text such as "5 passes"; above 0.
        timestamp: Time of the step.

    Returns:
        ``float32[]`` in [0, 1].

    Example:
        >>> float(elapsed_share(0.5, Timestamp.from_progress(0.25)))
        0.5
        >>> float(elapsed_share("2 passes", Timestamp.from_progress(0.1, passes=3)))
        1.0
    """
    import tensorflow as tf

    passes = parse_passes(duration)
    at, end = (timestamp.progress, duration) if passes is None else (timestamp.passes, passes)
    # The end is compared, not divided: compilers turn the quotient into a product that misses 1 by a bit.
    return tf.where(at >= end, 1.0, tf.minimum(at / end, 1.0))


def longest_passes(parts: Iterable[Any]) -> float:
    """Return the longest of the durations in passes; 0 if there is none.

    Args:
        parts: Frozen dataclasses whose fields may be durations, or lists of durations.

    Example:
        >>> from batchsel.schedules import StepDecay, Warmup
        >>> longest_passes([Warmup("5 passes"), StepDecay(at=[0.5, "8 passes"])])
        8.0
    """
    values = [getattr(part, field) for part in parts for field in getattr(part, "__dataclass_fields__", {})]
    single = [one for value in values for one in (value if isinstance(value, list | tuple) else [value])]
    return max((parse_passes(one) or 0.0 for one in single), default=0.0)
