"""What a call of fit is asked to do, checked before anything is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras

from batchsel.errors import UsageError
from batchsel.training.feeds import Feed
from batchsel.training.step import Rows
from batchsel.training.target import Target


@dataclass(frozen=True)
class Request:
    """What a call of fit is asked to do.

    Args:
        feed: The data.
        validation: Arrays to evaluate on, or None.
        budget: Samples to be trained on.
        every: Samples between evaluations.
        seconds: Seconds of training after which it ends, or None.
        target: What ends it early, or None.
        hold: Evaluations in a row that must meet the target.
        callbacks: Keras callbacks.
        verbose: As in `model.fit`.
        checkpoint: File for checkpoints after each evaluation, or None.
    """

    feed: Feed
    validation: Rows | None
    budget: int
    every: float
    seconds: float | None = None
    target: Target | None = None
    hold: int = 2
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    verbose: int = 0
    checkpoint: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.budget < math.inf:
            raise UsageError(f"epochs must be a number of at least 0, got {self.budget:g}.")
        for name, value in (("evaluate_every", self.every), ("seconds", self.seconds)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} must be a number above 0, got {value:g}.")
        if not isinstance(self.hold, int) or self.hold < 1:
            raise UsageError(f"hold must be a whole number of at least 1, got {self.hold!r}.")
        if self.target is not None and self.validation is None:
            raise UsageError(f"target {self.target} needs validation_data to be measured on.")

    @property
    def epochs(self) -> int:
        """Intervals of the evaluation grid; the last may be shorter."""
        return math.ceil(self.budget / self.every - 1e-9)

    def stop(self, epoch: int) -> int:
        """Samples trained on when an interval ends.

        Args:
            epoch: Its number from 0.
        """
        return min(math.ceil((epoch + 1) * self.every - 1e-6), self.budget)

    def ended(self, samples: int) -> int:
        """How many intervals have ended.

        Args:
            samples: Samples trained on.
        """
        epoch = min(max(int(samples / self.every) - 1, 0), self.epochs)
        while epoch < self.epochs and self.stop(epoch) <= samples:
            epoch += 1
        return epoch
