"""Warm-up followed by a cosine decay that begins where it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import tensorflow as tf

from batchsel.core.parameters import Duration, Share
from batchsel.core.timestamp import Timestamp, elapsed_share, parse_passes
from batchsel.schedules.base import Schedule
from batchsel.schedules.interpolation import cosine_ramp, interpolate

_BASE = "base"


@dataclass(frozen=True, repr=False)
class WarmupCosine(Schedule):
    """Warm-up from `start` to 1, and after it cosine decay to `end` over the rest of the budget.

    Unlike ``cosine | warmup``, whose cosine falls from the first step, so that the warm-up ends below 1 (at 0.93 after
    a sixth of the budget), it reaches 1 where the warm-up ends. Keras's `CosineDecay` with `warmup_target` has this
    form. The start "base" is the rate before it is scaled for the batch size, as in `warmup`.

    Formula: start + (1 - start) t/share for t < share, with t the samples trained on; then
    end + (1 - end)(1 + cos πq)/2, with q the share of the rest of the budget that has passed.
    Source: I. Loshchilov and F. Hutter, *SGDR: Stochastic Gradient Descent with Warm Restarts*, ICLR 2017,
    https://arxiv.org/abs/1608.03983; with the gradual warm-up of P. Goyal et al., *Accurate, Large Minibatch SGD:
    Training ImageNet in 1 Hour*, 2017, https://arxiv.org/abs/1706.02677, section 2.2.

    Args:
        share: Duration of the warm-up: a share of the budget in (0, 1], or a text such as "5 passes".
        start: Initial factor, in [0, 1], or "base".
        end: Final factor, in [0, 1].

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> [round(float(WarmupCosine(0.2)(p)), 6) for p in (0.0, 0.1, 0.2, 0.6, 1.0)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    share: Duration = 0.05
    start: Share | Literal["base"] = 0.0
    end: Share = 0.0
    name: ClassVar[str] = "warmup_cosine"

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor."""
        start = 1.0 if isinstance(self.start, str) else self.start  # a text is "base"
        done = elapsed_share(self.share, timestamp)
        rest = tf.clip_by_value(self._rest(timestamp), 0.0, 1.0)
        return tf.where(done < 1.0, interpolate(start, done), interpolate(self.end, cosine_ramp(1.0 - rest)))

    def _rest(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the share of the budget after the warm-up that has passed; below 0 during it."""
        passes = parse_passes(self.share)
        if passes is None:
            share = tf.constant(self.share, tf.float32)
        else:
            # Passes over progress are those of the budget.
            share = passes * tf.math.divide_no_nan(timestamp.progress, timestamp.passes)
        return tf.math.divide_no_nan(timestamp.progress - share, 1.0 - share)

    def bind(self, batch_size: int, multiple: float) -> WarmupCosine:
        """Return the schedule with a start of "base" replaced by a number.

        Args:
            batch_size: Samples of an update.
            multiple: Scaled rate over base rate.
        """
        return replace(self, start=min(1.0 / multiple, 1.0)) if self.start == _BASE else self
