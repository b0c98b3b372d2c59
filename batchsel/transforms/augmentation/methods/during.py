"""Augmentations in a part of the run alone: those that begin when a blur has ended, or end before the run does."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import Duration
from batchsel.core.rng import Rng
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError
from batchsel.transforms.augmentation.base import Augmentation
from batchsel.transforms.phase import PARTS, elapsed_parts


@dataclass(frozen=True, repr=False)
class During(Augmentation):
    """Time in which the augmentations to its right are applied; before and after it they leave samples as they are.

    ``"flip | during(0.2) | rand_augment"`` mirrors images all the time, and changes their colors once a curriculum
    ``blur(until=0.2)`` has ended: from the same step on. It holds up to the next `during`.

    Formula: t ≥ `start` and t < `end`, with t the samples trained on, as a share of the budget or in passes.
    Source: strong augmentation that is switched off before the end, from Z. Ge, S. Liu, F. Wang, Z. Li and J. Sun,
    *YOLOX: Exceeding YOLO Series in 2021*, https://arxiv.org/abs/2107.08430, section 2.1.

    Args:
        start: Beginning: a share of the budget, or a text such as "20 passes"; None for that of the run.
        end: End, likewise; None for that of the run.

    Raises:
        UsageError: If a parameter is out of range or of the wrong type, or neither is given.

    Example:
        >>> late = During(0.2)
        >>> [bool(late.holds(Timestamp.from_progress(progress))) for progress in (0.0, 0.19, 0.2, 1.0)]
        [False, False, True, True]
    """

    name = "during"
    start: Duration | None = None
    end: Duration | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start is None and self.end is None:
            raise UsageError("during needs a start or an end, as in during(0.2) or during(end='20 passes').")

    def __call__(self, x: tf.Tensor, rng: Rng) -> tf.Tensor:
        """Return the inputs as they are; `Pipeline` applies what follows."""
        return x

    def holds(self, timestamp: Timestamp) -> tf.Tensor:
        """Return whether what follows is applied, ``bool[]``.

        Args:
            timestamp: Time of the step.
        """
        found = tf.constant(True)
        if self.start is not None:
            found &= elapsed_parts(self.start, timestamp) >= PARTS
        if self.end is not None:
            found &= elapsed_parts(self.end, timestamp) < PARTS
        return found
