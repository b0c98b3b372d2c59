"""Warm-up: the learning rate starts low, and rises to what the rest of the schedule says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_choice, check_range
from batchsel.core.timestamp import Timestamp, check_duration, elapsed_share
from batchsel.errors import UsageError
from batchsel.schedules.base import Schedule
from batchsel.schedules.methods.curves import above

_BASE = "base"


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """From `start` up to 1, then 1; to be multiplied with what comes after it.

    The start "base" is the learning rate without its scaling for the batch size: with ``scale(batch=256)`` and batches
    of 8,192, 1/32 (and 1, so no warm-up, where the scaled rate is not the higher one). It is filled in where the batch
    size is known; before that it is 1.

    Formula: start + (1 - start) min(t/share, 1) of form "linear", t what was trained; start while t < share, then 1, of
    form "constant".
    Source: P. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017,
    https://arxiv.org/abs/1706.02677, section 2.2 (gradual warm-up from the base rate over 5 passes: "linear"; constant
    warm-up: "constant").

    Args:
        share: How long it lasts: a share of the budget in (0, 1], or a text such as "5 passes".
        start: The first factor, in [0, 1], or "base".
        form: "linear", rising at every step, or "constant", `start` throughout.

    Raises:
        UsageError: If any lies outside.

    Example:
        >>> [round(float(Warmup(0.1)(p)), 6) for p in (0.0, 0.05, 0.5)]
        [0.0, 0.5, 1.0]
        >>> float(Warmup("5 passes", "base").bound(8192, multiple=32.0)(0.0, passes=0))
        0.03125
    """

    share: float | str = 0.05
    start: float | str = 0.0
    form: str = "linear"
    name: ClassVar[str] = "warmup"

    def __post_init__(self) -> None:
        check_duration(self, "share")
        if isinstance(self.start, str) and self.start != _BASE:
            raise UsageError(f"warmup: start must be a number in [0, 1] or 'base', got {self.start!r}.")
        if self.start != _BASE:
            check_range(self, "start", 0, 1)
        check_choice(self, "form", ("linear", "constant"))

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """The factor."""
        start = 1.0 if self.start == _BASE else self.start
        done = elapsed_share(self.share, timestamp)
        return above(start, done if self.form == "linear" else tf.floor(done))

    def bound(self, batch_size: int, multiple: float) -> Warmup:
        """The same with a start of "base" as a number.

        Args:
            batch_size: Samples of an update.
            multiple: The scaled rate over the base rate.
        """
        return replace(self, start=min(1.0 / multiple, 1.0)) if self.start == _BASE else self
