"""How many batches make one update, and how that number grows over a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from batchsel.core import call_syntax
from batchsel.core.checks import check_integer
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.schedules.points import checked_points, passed

if TYPE_CHECKING:
    import tensorflow as tf

_MOST = 2**20
"""More batches in an update are a mistake."""


@dataclass(frozen=True, repr=False)
class AccumulationSchedule:
    """Adds up the gradients of so many batches before an update: `start`, and `factor` times as many at each point.

    Without points it is gradient accumulation, for batches that do not fit into memory. With points the batch of an
    update grows where the learning rate would fall: both shrink the noise of the updates by the same factor.

    Formula: start · factor^(number of points reached).
    Source: S. L. Smith, P.-J. Kindermans, C. Ying and Q. V. Le, *Don't Decay the Learning Rate, Increase the Batch
    Size*, ICLR 2018, https://arxiv.org/abs/1711.00489.

    Args:
        start: Batches of an update at first.
        factor: How many times as many at each point, at least 2.
        at: The points: shares of the budget in (0, 1], or texts such as "30 passes".

    Raises:
        UsageError: If any lies outside, or an update would have more than 2^20 batches.

    Example:
        >>> growth = AccumulationSchedule(factor=5, at=[0.3, 0.6])
        >>> [int(growth.batches(Timestamp.from_progress(p))) for p in (0.0, 0.3, 0.9)], growth.most
        ([1, 5, 25], 25)
    """

    start: int = 1
    factor: int = 2
    at: Sequence[float | str] = ()
    name: ClassVar[str] = "grow"

    def __post_init__(self) -> None:
        check_integer(self, "start", 1)
        check_integer(self, "factor", 2)
        object.__setattr__(self, "at", checked_points(self, "at"))  # a tuple, so that equal ones are equal
        if not self.at:
            object.__setattr__(self, "factor", 2)  # it says nothing then, and must not tell equal ones apart
        if self.most > _MOST:
            raise UsageError(f"grow: an update would be made of {self.most} batches at the end; at most {_MOST} are.")

    @property
    def most(self) -> int:
        """Batches of the largest update."""
        return self.start * self.factor ** len(self.at)

    @property
    def constant(self) -> bool:
        """Whether all updates have as many."""
        return not self.at

    def batches(self, timestamp: Timestamp) -> tf.Tensor:
        """How many batches an update has.

        Args:
            timestamp: Where the run stands.

        Returns:
            ``int32[]``.
        """
        import tensorflow as tf

        numbers = [self.start * self.factor**count for count in range(len(self.at) + 1)]
        return tf.gather(tf.constant(numbers, tf.int32), passed(self.at, timestamp))

    def __repr__(self) -> str:
        return str(self.start) if self.constant else call_syntax.to_text(self)


def growth(value: Any) -> AccumulationSchedule | None:
    """How many batches make an update, out of whatever a user gives.

    Args:
        value: A whole number, the same as text, a text as in "grow(factor=5, at=[0.3, 0.6])", a
            `AccumulationSchedule`, or None for every batch.

    Returns:
        The growth; None if every batch makes an update.

    Raises:
        UsageError: If it is none of these, or the text is wrong.

    Example:
        >>> growth("4"), growth(1), growth("grow(at=[0.5])")
        (4, None, grow(start=1, factor=2, at=(0.5,)))
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = AccumulationSchedule(int(value))
    if not isinstance(value, AccumulationSchedule):
        raise _unusable(value)
    return None if value == AccumulationSchedule() else value


def check_growth(text: str) -> None:
    """Reads a text as `growth` does, without importing TensorFlow.

    Args:
        text: As in "4" or "grow(factor=5, at=[0.3, 0.6])".

    Raises:
        UsageError: If it is wrong.

    Example:
        >>> check_growth("grow(factor=1, at=[0.5])")
        Traceback (most recent call last):
        batchsel.errors.UsageError: grow: factor must be a whole number of at least 2, got 1.
    """
    growth(text)


def _read(text: str) -> Any:
    if text.strip().lstrip("-").isdecimal():
        return int(text)
    try:
        call = call_syntax.parse_call(text)
    except UsageError:
        raise _unusable(text) from None
    if call.name != AccumulationSchedule.name or call.path is not None:
        raise _unusable(text)
    return call.apply(AccumulationSchedule)


def _unusable(value: Any) -> UsageError:
    return UsageError(
        "the number of batches that make an update must be a whole number, or grow(start=1, factor=2, at=[0.3, 0.6]);"
        f" got {value!r}."
    )
