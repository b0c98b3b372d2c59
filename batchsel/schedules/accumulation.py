"""Schedule of the number of batches whose gradients make one update."""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from batchsel.core import call_syntax
from batchsel.core.parameters import Between, Milestones, check_fields
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, show
from batchsel.schedules.milestones import count_reached

if TYPE_CHECKING:
    import tensorflow as tf

_MAX_BATCHES = 2**20
"""Limit that catches mistakes."""
_DIGITS = 20


@dataclass(frozen=True, repr=False)
class AccumulationSchedule:
    """Number of batches whose gradients are summed for an update: `start`, multiplied by `factor` at each milestone.

    Without milestones this is plain gradient accumulation, for batches that do not fit into memory. With milestones,
    the batch of an update grows where the learning rate would otherwise fall; both shrink the noise of the updates by
    the same factor.

    Formula: start · factor^(number of milestones reached).
    Source: S. L. Smith, P.-J. Kindermans, C. Ying and Q. V. Le, *Don't Decay the Learning Rate, Increase the Batch
    Size*, ICLR 2018, https://arxiv.org/abs/1711.00489.

    Args:
        factor: Growth at each milestone, at least 2.
        at: The milestones: shares of the budget in (0, 1], or texts such as "30 passes".
        start: Batches of the first updates.

    Raises:
        UsageError: If an argument is out of range, an update would have more than 2^20 batches, or a factor other than
            2 has no milestones.

    Example:
        >>> schedule = AccumulationSchedule(5, at=[0.3, 0.6])
        >>> [int(schedule.batches(Timestamp.from_progress(p))) for p in (0.0, 0.3, 0.9)], schedule.max_batches
        ([1, 5, 25], 25)
    """

    factor: Annotated[int, Between(2, 2**20)] = 2
    at: Milestones = ()
    start: Annotated[int, Between(1, 2**20)] = 1
    name: ClassVar[str] = "grow"

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "at", tuple(self.at))  # as a tuple, so that equal schedules compare equal
        if not self.at and self.factor != 2:
            raise _useless_factor_error(self.factor)
        if self.max_batches > _MAX_BATCHES:
            count = show(self.max_batches)
            raise UsageError(f"grow: the last updates would have {count} batches; at most {_MAX_BATCHES} are allowed.")

    @property
    def max_batches(self) -> int:
        """Batches of the largest update."""
        return self.start * self.factor ** len(self.at)

    @property
    def constant(self) -> bool:
        """True if all updates have the same number of batches."""
        return not self.at

    def batches(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the number of batches of an update, ``int32[]``.

        Args:
            timestamp: Time of the update.
        """
        import tensorflow as tf

        numbers = [self.start * self.factor**count for count in range(len(self.at) + 1)]
        return tf.gather(tf.constant(numbers, tf.int32), count_reached(self.at, timestamp))

    def __repr__(self) -> str:
        return str(self.start) if self.constant else call_syntax.to_text(self)


def accumulation_schedule(value: Any) -> AccumulationSchedule | None:
    """Return the accumulation schedule that a number, a text or an object describes.

    Args:
        value: An integer, an integer as text, a text such as "grow(5, at=[0.3, 0.6])", an
            `AccumulationSchedule`, or None.

    Returns:
        The schedule; None if every batch is an update.

    Raises:
        UsageError: If `value` is none of these.

    Example:
        >>> accumulation_schedule("4"), accumulation_schedule(1), accumulation_schedule("grow(at=[0.5])")
        (4, None, grow(factor=2, at=(0.5,), start=1))
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = _parse(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = AccumulationSchedule(start=int(value))
    if not isinstance(value, AccumulationSchedule):
        raise _unusable_error(value)
    return None if value == AccumulationSchedule() else value


def accumulation_version(text: str) -> str:
    """Return the version of an accumulation schedule whose meaning has changed for the same text.

    Args:
        text: As for `accumulation_schedule`; one that cannot be read has no version.

    Returns:
        "grow 2" where parameters are given by position, of which the first was `start` once; else empty.

    Example:
        >>> accumulation_version("grow(2, at=[0.5])"), accumulation_version("grow(factor=2, at=[0.5])")
        ('grow 2', '')
    """
    try:
        call = call_syntax.parse_call(text)
    except UsageError:
        return ""
    return f"{call.name} 2" if call.name == AccumulationSchedule.name and call.arguments else ""


def check_accumulation(text: str) -> None:
    """Check a text for `accumulation_schedule`, without importing TensorFlow.

    Args:
        text: As in "4" or "grow(5, at=[0.3, 0.6])".

    Raises:
        UsageError: If it cannot be read.

    Example:
        >>> check_accumulation("grow(factor=1, at=[0.5])")
        Traceback (most recent call last):
        batchsel.errors.UsageError: grow: factor must be a whole number of at least 2, got 1.
    """
    accumulation_schedule(text)


def _parse(text: str) -> Any:
    number = re.fullmatch(r"\s*(-?)([0-9]+)\s*", text)
    if number:
        # A number of so many digits is far above the limit; Python converts no more than 4,300.
        return int(number[1] + number[2][:_DIGITS])
    try:
        call = call_syntax.parse_call(text)
    except UsageError:
        raise _unusable_error(text) from None
    if call.name != AccumulationSchedule.name or call.path is not None:
        raise _unusable_error(text)
    found = call.apply(AccumulationSchedule)
    if not found.at and (call.arguments or "factor" in call.keywords):
        raise _useless_factor_error(found.factor)
    return found


def _useless_factor_error(factor: int) -> UsageError:
    return UsageError(
        f"grow: the factor {factor} has no effect without milestones. Name them, as in grow({factor}, at=[0.5, 0.75]),"
        f" or say {factor} for that many batches in every update."
    )


def _unusable_error(value: Any) -> UsageError:
    return UsageError(
        f"the number of batches in an update must be a whole number, or grow(2, at=[0.3, 0.6]); got {show(value)}."
    )
