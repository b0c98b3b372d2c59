"""Milestones of a run: shares of the budget, or texts such as "5 passes"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchsel.core.timestamp import Timestamp, elapsed_share, parse_passes
from batchsel.errors import UsageError

if TYPE_CHECKING:
    import tensorflow as tf


def check_milestones(part: Any, field: str) -> tuple[float | str, ...]:
    """Return the milestones that a parameter lists, as a tuple.

    Args:
        part: Object with a `name`, and the parameter as an attribute.
        field: Name of the parameter.

    Raises:
        UsageError: If the parameter is not a list of milestones.
    """
    value = getattr(part, field)
    if not isinstance(value, list | tuple) or not all(map(_is_milestone, value)):
        raise UsageError(
            f"{part.name}: {field} must be a list of milestones, each a share of the budget in (0, 1] or a text such as"
            f" '5 passes', got {value!r}."
        )
    return tuple(value)


def count_reached(milestones: Sequence[float | str], timestamp: Timestamp) -> tf.Tensor:
    """Return the number of milestones that are reached, ``int32[]``.

    Args:
        milestones: Shares of the budget, or texts such as "5 passes".
        timestamp: Time of the run.

    Example:
        >>> int(count_reached([0.25, "1 pass", 0.75], Timestamp.from_progress(0.5, passes=10)))
        2
    """
    import tensorflow as tf

    reached = [tf.cast(elapsed_share(milestone, timestamp) >= 1.0, tf.int32) for milestone in milestones]
    return tf.add_n([tf.zeros_like(timestamp.progress, tf.int32), *reached])


def _is_milestone(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return 0 < value <= 1 if number else (parse_passes(value) or 0) > 0
