"""Scaling rules: the learning rate grows with the batch size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_choice, check_integer, check_range
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class Scale(Schedule):
    """Multiplies the rate, which is meant for batches of `batch`, for the batch size of the run.

    The batch size is that of an update: batches whose gradients are added up before it count together.

    Formula: B/batch of rule "linear", √(B/batch) of rule "sqrt", 1 of rule "none".
    Source: linear: P. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017,
    https://arxiv.org/abs/1706.02677, section 2.1; square root: A. Krizhevsky, *One Weird Trick for Parallelizing
    Convolutional Neural Networks*, 2014, https://arxiv.org/abs/1404.5997, section 5.

    Args:
        rule: "linear", "sqrt" or "none".
        batch: Batch size that the base rate is for.
        rate: The base rate, above 0; None for the learning rate of the optimizer.

    Raises:
        UsageError: If any lies outside.

    Example:
        >>> Scale().multiple(1024), Scale("sqrt").multiple(1024)
        (4.0, 2.0)
        >>> float(Scale().bound(1024, multiple=4.0)(0.5))
        4.0
    """

    rule: str = "linear"
    batch: int = 256
    rate: float | None = None
    name: ClassVar[str] = "scale"

    def __post_init__(self) -> None:
        check_choice(self, "rule", ("linear", "sqrt", "none"))
        check_integer(self, "batch", 1)
        if self.rate is not None:
            check_range(self, "rate", 0, math.inf, lower_open=True, upper_open=True)

    @property
    def base_learning_rate(self) -> float | None:
        """The base rate."""
        return self.rate

    def multiple(self, batch_size: int) -> float:
        """What the rule gives.

        Args:
            batch_size: Samples of an update, B.
        """
        ratio = batch_size / self.batch
        return {"linear": ratio, "sqrt": math.sqrt(ratio), "none": 1.0}[self.rule]

    def bound(self, batch_size: int, multiple: float) -> Bound:
        """The same for a batch size.

        Args:
            batch_size: Samples of an update, B.
            multiple: Not used: other parts may have a share in it.
        """
        return Bound(self, batch_size)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Has none before the batch size is known.

        Raises:
            UserError: Always; 1 would be a wrong rate without a word.
        """
        raise UserError(f"{self!r} has no factor before the batch size is known: bind it first, as training does.")


@dataclass(frozen=True, repr=False)
class Bound(Schedule):
    """A scaling rule with the batch size filled in; prints as the rule.

    Args:
        rule: The rule.
        batch_size: Samples of an update, B.
    """

    rule: Scale
    batch_size: int
    name: ClassVar[str] = "scale"

    @property
    def base_learning_rate(self) -> float | None:
        """The base rate."""
        return self.rule.rate

    def multiple(self, batch_size: int) -> float:
        """What the rule gives.

        Args:
            batch_size: Samples of an update.
        """
        return self.rule.multiple(batch_size)

    def bound(self, batch_size: int, multiple: float) -> Bound:
        """The rule for another batch size.

        Args:
            batch_size: Samples of an update.
            multiple: Not used.
        """
        return self.rule.bound(batch_size, multiple)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """What the rule gives for the batch size."""
        return self.rule.multiple(self.batch_size) * tf.ones_like(timestamp.progress)

    def __repr__(self) -> str:
        return repr(self.rule)
