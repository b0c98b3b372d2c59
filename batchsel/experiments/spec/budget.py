"""Budget of a run: passes, samples or seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchsel.core.parameters import MOST_PASSES
from batchsel.errors import UsageError, show

_BOUNDS = {"passes": (0, MOST_PASSES), "samples": (1, 1e15), "seconds": (0, 1e9)}  # well within int64
_FORM = re.compile(r"^\s*(?P<amount>[0-9.eE+]+)\s*(?P<unit>[a-z]*)\s*$")
_UNITS = {
    "": "passes", "pass": "passes", "passes": "passes",
    "sample": "samples", "samples": "samples",
    "s": "seconds", "second": "seconds", "seconds": "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """Amount of training.

    Args:
        amount: A number above 0.
        unit: "passes" (n samples trained on), "samples" or "seconds" on the clock.

    Example:
        >>> Budget.parse("8 passes").samples(55_000)
        440000
    """

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str | float) -> Budget:
        """Parse a budget.

        Args:
            text: As in "8", "8 passes", "480000 samples" or "30 seconds" ("30s").

        Raises:
            UsageError: If it is malformed.
        """
        match = _FORM.match(text if isinstance(text, str) else show(text))
        try:
            amount = float(match["amount"]) if match else 0.0
        except ValueError:
            amount = 0.0
        if match is None or match["unit"] not in _UNITS or not amount > 0:
            raise UsageError(
                f"cannot read the budget {show(text)}. Expected an amount above 0 and a unit: '8 passes' (or '8'),"
                " '480000 samples' or '30 seconds'."
            )
        unit = _UNITS[match["unit"]]
        lower, upper = _BOUNDS[unit]
        if not lower <= amount <= upper:
            raise UsageError(f"cannot read the budget {show(text)}. It must be from {lower} to {upper:.0f} {unit}.")
        return cls(amount, unit)

    def __str__(self) -> str:
        return f"{int(self.amount) if self.amount == int(self.amount) else self.amount!r} {self.unit}"

    def samples(self, n: int) -> int:
        """Return the maximum number of samples to train on.

        Args:
            n: Samples in the training part.
        """
        if self.unit == "passes":
            return max(1, round(self.amount * n))
        return int(self.amount) if self.unit == "samples" else 2**40

    def share(self, passes: float, samples: int, seconds: float) -> float:
        """Return the share of it that is used, in [0, 1].

        Args:
            passes: Samples trained on over n.
            samples: Samples trained on.
            seconds: Seconds on the clock.

        Example:
            >>> Budget(8, "passes").share(passes=2, samples=200, seconds=1.0)
            0.25
        """
        used = {"passes": passes, "samples": samples, "seconds": seconds}[self.unit]
        return min(used / self.amount, 1.0)
