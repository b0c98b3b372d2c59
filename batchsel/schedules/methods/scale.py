"""Scaling of the learning rate with the batch size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import tensorflow as tf

from batchsel.core.parameters import INT32, Between, PositiveAmount
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class Scale(Schedule):
    """Scaling of a learning rate meant for batches of size `batch` to the batch size B of the run.

    The batch size is that of an update: with gradient accumulation, its batches count together.

    Formula: B/batch for rule "linear", √(B/batch) for rule "sqrt", 1 for rule "none".
    Source: linear: P. Goyal et al., *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, 2017,
    https://arxiv.org/abs/1706.02677, section 2.1; square root: A. Krizhevsky, *One Weird Trick for Parallelizing
    Convolutional Neural Networks*, 2014, https://arxiv.org/abs/1404.5997, section 5.

    Args:
        rule: "linear", "sqrt" or "none".
        batch: Batch size of the base rate.
        rate: The base rate, above 0; None for the learning rate of the optimizer.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> Scale().multiple(1024), Scale("sqrt").multiple(1024)
        (4.0, 2.0)
        >>> float(Scale().bind(1024, multiple=4.0)(0.5))
        4.0
    """

    rule: Literal["linear", "sqrt", "none"] = "linear"
    batch: Annotated[int, Between(1, INT32)] = 256
    rate: PositiveAmount | None = None
    name: ClassVar[str] = "scale"

    @property
    def base_learning_rate(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The base rate."""
        return self.rate

    def multiple(self, batch_size: int) -> float:
        """Return the factor of the rule.

        Args:
            batch_size: Samples of an update, B.
        """
        ratio = batch_size / self.batch
        return {"linear": ratio, "sqrt": math.sqrt(ratio), "none": 1.0}[self.rule]

    def bind(self, batch_size: int, multiple: float) -> BoundScale:
        """Return the rule with a batch size filled in.

        Args:
            batch_size: Samples of an update, B.
            multiple: Not used, since other schedules may contribute to it.
        """
        return BoundScale(self, batch_size)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Refuse to return a factor before the batch size is known.

        Raises:
            UserError: Always; 1 would silently be a wrong factor.
        """
        raise UserError(f"{self!r} has no factor before the batch size is known: bind it first, as training does.")


@dataclass(frozen=True, repr=False)
class BoundScale(Schedule):
    """A scaling rule with the batch size filled in; its repr is that of the rule.

    Args:
        rule: The rule.
        batch_size: Samples of an update, B.
    """

    rule: Scale
    batch_size: int
    name: ClassVar[str] = "scale"

    @property
    def base_learning_rate(self) -> float | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The base rate."""
        return self.rule.rate

    def multiple(self, batch_size: int) -> float:
        """Return the factor of the rule.

        Args:
            batch_size: Samples of an update.
        """
        return self.rule.multiple(batch_size)

    def bind(self, batch_size: int, multiple: float) -> BoundScale:
        """Return the rule with another batch size.

        Args:
            batch_size: Samples of an update.
            multiple: Not used.
        """
        return self.rule.bind(batch_size, multiple)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return the factor of the rule for the batch size."""
        return self.rule.multiple(self.batch_size) * tf.ones_like(timestamp.progress)

    def __repr__(self) -> str:
        return repr(self.rule)
