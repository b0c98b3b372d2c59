"""Warm-up of the learning rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import tensorflow as tf

from batchsel.core.parameters import Duration, Share
from batchsel.core.timestamp import Timestamp, elapsed_share
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import interpolate

_BASE = "base"


@dataclass(frozen=True, repr=False)
class Warmup(Schedule):
    """Warm-up from `start` to 1, to be multiplied with a schedule for the rest of the run.

    The start "base" is the learning rate before it is scaled for the batch size: 1/32 with ``scale(batch=256)`` and
    batches of 8,192 (and 1, so no warm-up, where scaling does not raise the rate). It is filled in once the batch size
    is known; until then it is 1.

    Formula: start + (1 - start) min(t/share, 1) for form "linear", with t the samples trained on; start while
    t < share, then 1, for form "constant".
    Source: P. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017,
    https://arxiv.org/abs/1706.02677, section 2.2 (gradual warm-up from the base rate over 5 passes: "linear"; constant
    warm-up: "constant").

    Args:
        share: Duration: a share of the budget in (0, 1], or a text such as "5 passes".
        start: Initial factor, in [0, 1], or "base".
        form: "linear", rising at every step, or "constant", staying at `start`.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> [round(float(Warmup(0.1)(p)), 6) for p in (0.0, 0.05, 0.5)]
        [0.0, 0.5, 1.0]
        >>> float(Warmup("5 passes", "base").bind(8192, multiple=32.0)(0.0, passes=0))
        0.03125
    """

    share: Duration = 0.05
    start: Share | Literal["base"] = 0.0
    form: Literal["linear", "constant"] = "linear"
    name: ClassVar[str] = "warmup"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        start = 1.0 if isinstance(self.start, str) else self.start  # a text is "base"
        done = elapsed_share(self.share, timestamp)
        return interpolate(start, done if self.form == "linear" else tf.floor(done))

    def bind(self, batch_size: int, multiple: float) -> Warmup:
        """Return the warm-up with a start of "base" replaced by a number.

        Args:
            batch_size: Samples of an update.
            multiple: Scaled rate over base rate.
        """
        return replace(self, start=min(1.0 / multiple, 1.0)) if self.start == _BASE else self
