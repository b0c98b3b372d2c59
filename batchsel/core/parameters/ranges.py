"""Ranges of numbers to search, as in ``1e-4..1e-1``."""

from __future__ import annotations

from dataclasses import dataclass

from batchsel.errors import UsageError, show


@dataclass(frozen=True)
class Range:
    """A range from low to high, searched on a logarithmic scale; a range of integers if both ends are integers.

    Args:
        low: The smallest, above 0.
        high: The largest.

    Raises:
        UsageError: If the range is empty or reaches down to 0.

    Example:
        >>> Range.parse("1e-4..1e-1"), Range.parse("16..256").is_integer
        (Range(low=0.0001, high=0.1), True)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < float("inf"):
            raise UsageError(f"a range goes from a number above 0 to a larger one, got {show(str(self))}.")

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"

    @property
    def is_integer(self) -> bool:
        """True for a range of integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @classmethod
    def parse(cls, text: str) -> Range:
        """Parse the text form.

        Args:
            text: ``LOW..HIGH``.

        Raises:
            UsageError: If the text does not have that form.
        """
        low, _, high = text.partition("..")
        try:
            ends = _number(low), _number(high)
        except ValueError:
            raise UsageError(f"cannot read the range {show(text)}. Expected LOW..HIGH, as in 1e-4..1e-1.") from None
        return cls(*ends)


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)
