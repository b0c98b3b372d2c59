"""Points of a run at which something changes: shares of the budget, or texts such as "5 passes"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchsel.core.timestamp import Timestamp, elapsed_share, parse_passes
from batchsel.errors import UsageError

if TYPE_CHECKING:
    import tensorflow as tf


def checked_points(part: Any, field: str) -> tuple[float | str, ...]:
    """The points that a parameter lists.

    Args:
        part: What it is a parameter of; has a `name`.
        field: Name of the parameter.

    Raises:
        UsageError: Naming the parameter, its value and what was expected.
    """
    value = getattr(part, field)
    if not isinstance(value, list | tuple) or not all(map(_is_point, value)):
        raise UsageError(
            f"{part.name}: {field} must be a list of points, each a share of the budget in (0, 1] or a text such as"
            f" '5 passes', got {value!r}."
        )
    return tuple(value)


def passed(points: Sequence[float | str], timestamp: Timestamp) -> tf.Tensor:
    """How many points are reached.

    Args:
        points: Shares of the budget, or texts such as "5 passes".
        timestamp: Where the run stands.

    Returns:
        ``int32[]``.

    Example:
        >>> int(passed([0.25, "1 pass", 0.75], Timestamp.from_progress(0.5, passes=10)))
        2
    """
    import tensorflow as tf

    reached = [tf.cast(elapsed_share(point, timestamp) >= 1.0, tf.int32) for point in points]
    return tf.add_n([tf.zeros_like(timestamp.progress, tf.int32), *reached])


def _is_point(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return 0 < value <= 1 if number else (parse_passes(value) or 0) > 0
