"""Budget of a run: epochs, passes, samples or seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchsel.core.parameters import MOST_PASSES
from batchsel.errors import UsageError, show

_BOUNDS = {  # well within int64
    "epochs": (0, MOST_PASSES), "passes": (0, MOST_PASSES), "samples": (1, 1e15), "seconds": (0, 1e9),
}  # fmt: skip
PASSES_BETWEEN_EVALUATIONS = 0.25
"""In a run with a budget in seconds, whose number of samples is not known in advance."""
_FORM = re.compile(r"^\s*(?P<amount>[0-9.eE+]+)\s*(?P<unit>[a-z]*)\s*$")
_UNITS = {
    "": "passes", "pass": "passes", "passes": "passes",
    "epoch": "epochs", "epochs": "epochs",
    "sample": "samples", "samples": "samples",
    "s": "seconds", "second": "seconds", "seconds": "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """Amount of training.

    Args:
        amount: A number above 0.
        unit: "passes" (n samples trained on), "samples", "epochs" of the selector (its passes over its plan, as
            `batchsel.fit` counts them) or "seconds" on the clock.

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
            text: As in "8", "8 passes", "480000 samples", "8 epochs" or "30 seconds" ("30s").

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
                " '480000 samples', '8 epochs' of the selector or '30 seconds'."
            )
        unit = _UNITS[match["unit"]]
        lower, upper = _BOUNDS[unit]
        if not lower <= amount <= upper:
            raise UsageError(f"cannot read the budget {show(text)}. It must be from {lower} to {upper:.0f} {unit}.")
        return cls(amount, unit)

    def __str__(self) -> str:
        return f"{int(self.amount) if self.amount == int(self.amount) else self.amount!r} {self.unit}"

    def samples(self, n: int) -> int:
        """Return the number of samples to train on; for epochs, as many as they have of a selector that keeps all.

        Args:
            n: Samples in the training part.
        """
        if self.unit in ("passes", "epochs"):
            return max(1, round(self.amount * n))
        return int(self.amount) if self.unit == "samples" else 2**40

    def fit_options(self, n: int) -> dict[str, float]:
        """Return the arguments of `Trainer.fit` that state the budget; of seconds, with passes that are too many.

        Args:
            n: Samples in the training part.

        Example:
            >>> Budget(8, "epochs").fit_options(100), Budget(450, "samples").fit_options(100)
            ({'epochs': 8}, {'passes': 4.5})
        """
        if self.unit == "epochs":
            return {"epochs": self.amount}
        passes = {"passes": self.samples(n) / n}
        return passes if self.unit != "seconds" else passes | {"seconds": self.amount}

    def share(self, progress: float, seconds: float) -> float:
        """Return the share of it that is used, in [0, 1].

        Args:
            progress: Share of its samples or epochs, as `Trainer.progress` gives it.
            seconds: Seconds on the clock.

        Example:
            >>> Budget(8, "passes").share(0.25, seconds=1.0), Budget(4, "seconds").share(0.0, seconds=1.0)
            (0.25, 0.25)
        """
        return min(seconds / self.amount if self.unit == "seconds" else progress, 1.0)
