"""Inverse-square-root decay after a linear warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.parameters import Duration, Share
from batchsel.core.timestamp import Timestamp, elapsed_share, parse_passes
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import interpolate


@dataclass(frozen=True, repr=False)
class InverseSqrt(Schedule):
    """Linear warm-up to 1, then decay with the inverse square root of the samples trained on.

    With `start` 0 it has the shape of the Transformer's schedule, with `start` 1 that of T5's, which is flat at first.
    The optimizer's rate is the peak; in the Transformer it is 1/√(width · warm-up steps). After a warm-up of a share s
    of the budget, the final factor is √s; after a warm-up in passes, the rate at a given pass does not depend on the
    budget.

    Formula: start + (1 - start) t/w for t ≤ w, √(w/t) after, with t the samples trained on and w those of the
    warm-up.
    Source: A. Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, https://arxiv.org/abs/1706.03762, section 5.3;
    C. Raffel et al., *T5*, JMLR 21, 2020, https://arxiv.org/abs/1910.10683, section 3.1.2.

    Args:
        warmup: Duration of the warm-up: a share of the budget in (0, 1], or a text such as "5 passes".
        start: Initial factor, in [0, 1].

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> [float(InverseSqrt(0.0625)(p)) for p in (0.0, 0.03125, 0.0625, 0.25, 1.0)]
        [0.0, 0.5, 1.0, 0.5, 0.25]
    """

    warmup: Duration = 0.05
    start: Share = 0.0
    name: ClassVar[str] = "inverse_sqrt"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        passes = parse_passes(self.warmup)
        times = timestamp.progress / self.warmup if passes is None else timestamp.passes / passes
        return interpolate(self.start, elapsed_share(self.warmup, timestamp)) / tf.sqrt(tf.maximum(times, 1.0))
