"""Settings of a call of fit, checked before anything is trained."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from batchsel.core.target import HOLD
from batchsel.core.timestamp import longest_passes
from batchsel.errors import UsageError, show
from batchsel.training.inputs import arguments
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.data_feed import DataFeed

_MOST_PASSES = 2.0**31
"""With at most 2^31 samples, the samples of a budget can be counted in 64 bits."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Arguments of a call of fit that need no data to be checked.

    Args:
        epochs: Budget in epochs of the selector; None for one, or for a budget in passes.
        passes: Budget in passes, n samples each; None for a budget in epochs.
        steps_per_epoch: Batches of an epoch; None for those of a plan or a pass.
        initial_epoch: Number of the first epoch, from 0.
        shuffle: False for the order of the data.
        validation_steps: Batches to validate on; None for all.
        validation_batch_size: Rows of those; None for as many as are fast.
        validation_freq: Epochs between evaluations, or the epochs after which to evaluate, counted from 1.
        validation_split: Share of the data held out for validation.
        evaluate_every: Epochs (or passes, if these are the unit of the budget) between evaluations, at least a batch.
        callbacks: Keras callbacks.
        verbose: As in `model.fit`.
        target: The target, a text or None.
        hold: Evaluations in a row that must meet the target.
        stop_at_target: Whether to stop when the target is reached, rather than at the end of the budget.
        seconds: Seconds of training after which the run ends, or None.
        checkpoint: File for checkpoints after each evaluation, or None.
        buffer_bytes: Memory for prefetching from a source.

    Raises:
        UserError: If any value is invalid.
    """

    epochs: float | None = None
    passes: float | None = None
    steps_per_epoch: int | None = None
    initial_epoch: int = 0
    shuffle: bool = True
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: Any = 1
    validation_split: float = 0.0
    evaluate_every: float = 1
    callbacks: Any = ()
    verbose: int | str = "auto"
    target: Any = None
    hold: int = HOLD
    stop_at_target: bool = True
    seconds: float | None = None
    checkpoint: Any = None
    buffer_bytes: int = 1 << 26

    def __post_init__(self) -> None:
        seconds, checkpoint = self.seconds, self.checkpoint
        if self.epochs is not None and self.passes is not None:
            raise UsageError(
                f"epochs={show(self.epochs)} and passes={show(self.passes)} are both budgets. Give one of them: epochs"
                " of the selector, or passes of as many samples as the data have."
            )
        if self.steps_per_epoch is not None and self.passes is not None:
            raise UsageError("steps_per_epoch says how long an epoch is; state the budget in epochs, not in passes.")
        epochs = 1 if self.epochs is None and self.passes is None else self.epochs
        checked = {
            "epochs": None if epochs is None else arguments.number("epochs", epochs, 0, _MOST_PASSES),
            "passes": None if self.passes is None else arguments.number("passes", self.passes, 0, _MOST_PASSES),
            "steps_per_epoch": arguments.optional_number("steps_per_epoch", self.steps_per_epoch),
            "initial_epoch": arguments.whole_number("initial_epoch", self.initial_epoch, 0, arguments.LARGEST),
            "shuffle": arguments.flag("shuffle", self.shuffle),
            "validation_steps": arguments.optional_number("validation_steps", self.validation_steps),
            "validation_batch_size": arguments.optional_number("validation_batch_size", self.validation_batch_size),
            "validation_freq": arguments.epochs("validation_freq", self.validation_freq),
            "validation_split": arguments.number("validation_split", self.validation_split, -math.inf),
            "evaluate_every": arguments.number("evaluate_every", self.evaluate_every, 0, above=True),
            "callbacks": arguments.callbacks(self.callbacks),
            "verbose": arguments.choice("verbose", self.verbose, ("auto", 0, 1, 2)),
            "target": arguments.target(self.target),
            "hold": arguments.whole_number("hold", self.hold),
            "stop_at_target": arguments.flag("stop_at_target", self.stop_at_target),
            "seconds": None if seconds is None else arguments.number("seconds", seconds, 0, above=True),
            "checkpoint": None if checkpoint is None else arguments.path("checkpoint", checkpoint, written=True),
            "buffer_bytes": arguments.whole_number("buffer_bytes", self.buffer_bytes),
        }
        most = keras.config.max_steps_per_epoch()
        if most and self.passes is None:  # it limits evaluations too, as in Keras
            checked["validation_steps"] = min(checked["validation_steps"] or most, most)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def limited(self, n: int, batch_size: int) -> FitOptions:
        """Return the options with epochs no more and no longer than `keras.config` allows, as `model.fit` has it.

        Args:
            n: Samples in the data set.
            batch_size: b.
        """
        if self.passes is not None:
            return self
        epochs, steps = self.epochs or 0, self.steps_per_epoch or -(-n // batch_size)
        most_epochs, most_steps = keras.config.max_epochs(), keras.config.max_steps_per_epoch()
        changed: dict[str, Any] = {}
        if most_epochs and most_epochs < epochs:
            changed["epochs"] = most_epochs
        if most_steps and most_steps < steps:
            changed["steps_per_epoch"] = most_steps
        for name, value in changed.items():
            warnings.warn(f"keras.config limits {name} to {value}.", stacklevel=3)
        return replace(self, **changed) if changed else self

    def check_order(self, selector: Any) -> None:
        """Check that the order of the data is not asked for together with a selector that chooses another.

        Args:
            selector: The selector.

        Raises:
            UsageError: If it is.
        """
        if not self.shuffle and selector.name != "fixed":
            raise UsageError(
                f"shuffle=False trains in the order of the data, and the selector {selector!r} chooses another. Use the"
                " selector 'fixed', or leave shuffle out."
            )


@dataclass(frozen=True, kw_only=True)
class FitConfig(FitOptions):
    """Settings of a call of fit: its options and its data.

    Args:
        feed: The data.
        validation: Arrays to evaluate on, or None.
        batch_size: b.
        by_plan: Whether the budget counts plans of the selector, each of which is an epoch, in place of samples.

    Raises:
        UsageError: If there is a target, and no data to measure it on.
    """

    feed: DataFeed
    validation: Samples | None
    batch_size: int
    by_plan: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target is not None and self.validation is None:
            raise UsageError(f"target {self.target} needs validation_data to be measured on.")

    @property
    def length(self) -> float:
        """Epochs or passes of the budget."""
        return (self.epochs if self.passes is None else self.passes) or 0

    @property
    def budget(self) -> int:
        """Samples to be trained on; if the budget counts plans, n for each, as in `LoopState.position`."""
        return math.ceil(self.length * self.feed.n - 1e-6)

    @property
    def every(self) -> float:
        """Samples (or positions) between evaluations; at least a batch: an empty interval has no metrics."""
        return max(self.evaluate_every * self.feed.n, self.advance)

    @property
    def advance(self) -> int:
        """Samples of a batch; or the positions by which it advances at most, if an epoch is a number of batches."""
        return -(-self.feed.n // self.steps_per_epoch) if self.steps_per_epoch else self.batch_size

    @property
    def intervals(self) -> int:
        """Intervals of the evaluation grid, the epochs of the callbacks; the last may be of another length.

        No interval is shorter than a batch, so that no batch ends two of them.
        """
        if self.budget <= self.advance:
            return min(self.budget, 1)
        return max(1, math.floor((self.budget - self.advance) / self.every + 1e-9) + 1)

    def begin(self, interval: int) -> int:
        """Return the samples trained on, or the position, when an interval begins.

        Args:
            interval: Its number from 0, or one after the last.
        """
        return self.stop(interval - 1) if interval else 0

    def is_validated(self, interval: int) -> bool:
        """Return whether an evaluation follows an interval.

        Args:
            interval: Its number from 0.
        """
        if isinstance(self.validation_freq, int):
            return (interval + 1) % self.validation_freq == 0
        return interval + 1 in self.validation_freq

    def stop(self, interval: int) -> int:
        """Return the samples trained on, or the position, when an interval ends.

        Args:
            interval: Its number from 0.
        """
        return self.budget if interval + 1 >= self.intervals else math.ceil((interval + 1) * self.every - 1e-6)

    def count_intervals(self, position: int) -> int:
        """Return how many intervals have ended.

        Args:
            position: Samples trained on, or the position, since the call began.
        """
        interval = min(max(int(position / self.every) - 1, 0), self.intervals)
        while interval < self.intervals and self.stop(interval) <= position:
            interval += 1
        return interval


def warn_of_long_durations(settings: Sequence[Any], passes: float, stacklevel: int) -> None:
    """Warn of durations that end after the budget.

    Args:
        settings: Schedules, curricula and augmentations, or None in place of any.
        passes: The budget.
        stacklevel: Frames from here to the user's call.
    """
    known = [(longest_passes(getattr(item, "parts", [item])), item) for item in settings if item is not None]
    late = [(length, item) for length, item in known if length > passes > 0]
    if late:
        longest = max(length for length, _ in late)
        warnings.warn(
            f"{' and '.join(repr(item) for _, item in late)}: a duration of {longest:g} passes exceeds the budget of"
            f" {passes:g} passes. State durations as shares of the budget, or train longer.",
            stacklevel=stacklevel + 1,
        )
