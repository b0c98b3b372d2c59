"""Warm-up: the learning rate rises in a straight line over the first part of the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.checks import in_range


@dataclass(frozen=True)
class Warmup:
    """From `start` up to 1 in a straight line, then 1; to be multiplied with what comes after it.

    Source: P. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017,
    https://arxiv.org/abs/1706.02677, section 2.2.

    Args:
        share: Share of the budget of samples over which it rises, in (0, 1].
        start: The first factor, in [0, 1].

    Raises:
        UsageError: If either lies outside.

    Example:
        >>> warmup = Warmup(0.1)
        >>> [round(float(warmup(tf.constant(p))), 6) for p in (0.0, 0.05, 0.5)]
        [0.0, 0.5, 1.0]
    """

    share: float = 0.05
    start: float = 0.0
    name: ClassVar[str] = "warmup"

    def __post_init__(self) -> None:
        in_range(self, "share", 0, 1, lower_open=True)
        in_range(self, "start", 0, 1)

    def __call__(self, progress: tf.Tensor) -> tf.Tensor:
        """The factor.

        Args:
            progress: ``float32[]`` in [0, 1].
        """
        return self.start + (1.0 - self.start) * tf.minimum(progress / self.share, 1.0)
