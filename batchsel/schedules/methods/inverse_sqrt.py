"""Decay with the inverse square root of what was trained, after a rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_range
from batchsel.core.timestamp import Timestamp, check_duration, elapsed_share, parse_passes
from batchsel.schedules.base import Schedule
from batchsel.schedules.methods.curves import above


@dataclass(frozen=True, repr=False)
class InverseSqrt(Schedule):
    """Rises in a straight line to 1, then falls with the inverse square root of what was trained; it has no end.

    With `start` 0 it has the shape of the Transformer's schedule, with `start` 1 of T5's, which is flat at first. The
    optimizer's rate is the highest: in the Transformer that is 1/√(width · steps of warm-up). A warm-up of a share s of
    the budget leaves √s at the end of it; one in passes makes the rate after so many passes independent of the budget.

    Formula: start + (1 - start) t/w for t ≤ w, √(w/t) after, t what was trained and w the warm-up.
    Source: A. Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, https://arxiv.org/abs/1706.03762, section 5.3;
    C. Raffel et al., *T5*, JMLR 21, 2020, https://arxiv.org/abs/1910.10683, section 3.1.2.

    Args:
        warmup: How long it rises: a share of the budget in (0, 1], or a text such as "5 passes".
        start: The first factor, in [0, 1].

    Raises:
        UsageError: If either lies outside.

    Example:
        >>> [float(InverseSqrt(0.0625)(p)) for p in (0.0, 0.03125, 0.0625, 0.25, 1.0)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """

    warmup: float | str = 0.05
    start: float = 0.0
    name: ClassVar[str] = "inverse_sqrt"

    def __post_init__(self) -> None:
        check_duration(self, "warmup")
        check_range(self, "start", 0, 1)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """The factor."""
        passes = parse_passes(self.warmup)
        times = timestamp.progress / self.warmup if passes is None else timestamp.passes / passes
        return above(self.start, elapsed_share(self.warmup, timestamp)) / tf.sqrt(tf.maximum(times, 1.0))
