"""Where in its budget a run stands, and durations measured by that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from batchsel.errors import UsageError

if TYPE_CHECKING:
    import tensorflow as tf

_PASSES = re.compile(
    r"^\s*(?P<amount>(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:e[+-]?[0-9]+)?)\s*pass(?:es)?\s*$", re.IGNORECASE
)


class Timestamp(NamedTuple):
    """A moment of a run; counts samples trained on, so that pruning, growing batches and short runs change nothing."""

    progress: tf.Tensor
    """``float32[]`` samples trained on over samples budgeted, in [0, 1]."""
    passes: tf.Tensor
    """``float32[]`` samples trained on over samples in the data."""

    @classmethod
    def from_progress(cls, progress: Any, passes: Any = None) -> Timestamp:
        """A moment out of plain numbers.

        Args:
            progress: In [0, 1].
            passes: Passes trained; None for those of a budget of one pass.

        Example:
            >>> float(Timestamp.from_progress(0.25).passes)
            0.25
        """
        import tensorflow as tf

        progress = tf.cast(progress, tf.float32)
        return cls(progress, progress if passes is None else tf.cast(passes, tf.float32))


def parse_passes(duration: float | str) -> float | None:
    """The passes that a duration names, or None if it is a share of the budget.

    Args:
        duration: A share, or a text such as "5 passes".

    Example:
        >>> parse_passes("5 passes"), parse_passes(0.1)
        (5.0, None)
    """
    match = _PASSES.match(duration) if isinstance(duration, str) else None
    return float(match["amount"]) if match else None


def check_duration(part: Any, field: str, *, positive: bool = True) -> None:
    """Checks that a parameter is a duration: a share of the budget, or a text such as "5 passes".

    Args:
        part: What it is a parameter of; has a `name`.
        field: Name of the parameter.
        positive: Whether it must be above 0.

    Raises:
        UsageError: Naming the parameter, its value and what was expected.
    """
    value = getattr(part, field)
    share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    passes = parse_passes(value)
    if not (share or passes is not None) or (positive and not (passes if passes is not None else value) > 0):
        bracket = "(" if positive else "["
        raise UsageError(
            f"{part.name}: {field} must be a share of the budget in {bracket}0, 1] or a text such as '5 passes', got"
            f" {value!r}."
        )


def elapsed_share(duration: float | str, timestamp: Timestamp) -> tf.Tensor:
    """The share of a duration, counted from the start of the run, that is over.

    Args:
        duration: A share of the budget, or a text such as "5 passes"; above 0.
        timestamp: Where the run stands.

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
    # Compared, not divided: compilers turn the quotient into a product that misses 1 by a bit.
    return tf.where(at >= end, 1.0, tf.minimum(at / end, 1.0))


def longest_passes(parts: Iterable[Any]) -> float:
    """The passes after which the last duration in passes is over; 0 if there is none.

    Args:
        parts: Frozen dataclasses whose fields may be durations, or lists of them.

    Example:
        >>> from batchsel.schedules import Step, Warmup
        >>> longest_passes([Warmup("5 passes"), Step(at=[0.5, "8 passes"])])
        8.0
    """
    values = [getattr(part, field) for part in parts for field in getattr(part, "__dataclass_fields__", {})]
    single = [one for value in values for one in (value if isinstance(value, list | tuple) else [value])]
    return max((parse_passes(one) or 0.0 for one in single), default=0.0)
