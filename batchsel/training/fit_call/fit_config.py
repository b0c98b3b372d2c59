"""Settings of a call of fit, checked before anything is trained."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from batchsel.core.target import HOLD, Target
from batchsel.core.timestamp import longest_passes
from batchsel.errors import UsageError
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.data_feed import DataFeed


@dataclass(frozen=True)
class FitConfig:
    """Settings of a call of fit.

    Args:
        feed: The data.
        validation: Arrays to evaluate on, or None.
        batch_size: b.
        epochs: Budget in passes.
        evaluate_every: Passes between evaluations, at least a batch.
        seconds: Seconds of training after which the run ends, or None.
        target: The target, or None.
        hold: Evaluations in a row that must meet the target.
        stop_at_target: Whether to stop when the target is reached, rather than at the end of the budget.
        callbacks: Keras callbacks.
        verbose: As in `model.fit`.
        checkpoint: File for checkpoints after each evaluation, or None.

    Raises:
        UsageError: If any value is invalid.
    """

    feed: DataFeed
    validation: Samples | None
    batch_size: int
    epochs: float = 1
    evaluate_every: float = 1
    seconds: float | None = None
    target: Target | None = None
    hold: int = HOLD
    stop_at_target: bool = True
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    verbose: int | str = "auto"
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.epochs < math.inf:
            raise UsageError(f"epochs must be a number of at least 0, got {self.epochs:g}.")
        for name, value in (("evaluate_every", self.evaluate_every), ("seconds", self.seconds)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be a number above 0, got {value:g}.")
        if not isinstance(self.hold, int) or self.hold < 1:
            raise UsageError(f"hold must be a whole number of at least 1, got {self.hold!r}.")
        if self.verbose not in ("auto", 0, 1, 2):
            raise UsageError(f"verbose must be 'auto', 0, 1 or 2, got {self.verbose!r}.")
        if self.target is not None and self.validation is None:
            raise UsageError(f"target {self.target} needs validation_data to be measured on.")

    @property
    def budget(self) -> int:
        """Samples to be trained on."""
        return math.ceil(self.epochs * self.feed.n - 1e-6)

    @property
    def every(self) -> float:
        """Samples between evaluations; at least a batch, because an empty interval has no metrics."""
        return max(self.evaluate_every * self.feed.n, self.batch_size)

    @property
    def intervals(self) -> int:
        """Intervals of the evaluation grid, the epochs of the callbacks; the last may be of another length.

        No interval is shorter than a batch, so that no batch ends two of them.
        """
        if self.budget <= self.batch_size:
            return min(self.budget, 1)
        return max(1, math.floor((self.budget - self.batch_size) / self.every + 1e-9) + 1)

    def stop(self, interval: int) -> int:
        """Return the samples trained on when an interval ends.

        Args:
            interval: Its number from 0.
        """
        return self.budget if interval + 1 >= self.intervals else math.ceil((interval + 1) * self.every - 1e-6)

    def count_intervals(self, samples: int) -> int:
        """Return how many intervals have ended.

        Args:
            samples: Samples trained on.
        """
        interval = min(max(int(samples / self.every) - 1, 0), self.intervals)
        while interval < self.intervals and self.stop(interval) <= samples:
            interval += 1
        return interval


def warn_of_long_durations(settings: Sequence[Any], passes: float, stacklevel: int) -> None:
    """Warn of durations that end after the budget.

    Args:
        settings: Schedules and curricula, or None in place of any.
        passes: The budget.
        stacklevel: Frames from here to the user's call.
    """
    known = [setting for setting in settings if setting is not None]
    longest = longest_passes(part for setting in known for part in getattr(setting, "parts", [setting]))
    if longest > passes > 0:
        warnings.warn(
            f"{' and '.join(map(repr, known))}: a duration of {longest:g} passes exceeds the budget of {passes:g}"
            f" passes. State durations as shares of the budget, or train longer.",
            stacklevel=stacklevel + 1,
        )
