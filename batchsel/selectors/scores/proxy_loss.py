"""A score by the loss under a smaller model that is trained first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import Between, PositiveShare
from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context, TrainAuxiliary


class _State(NamedTuple):
    losses: tf.Tensor
    """``float32[passes, n]`` losses under the small model after each of its passes."""
    ready: tf.Tensor
    """``bool[]`` true if they are known."""


@dataclass(frozen=True, repr=False)
class ProxyLoss(Score):
    """Loss of a sample under a narrower model of the same architecture, at the same progress of its training.

    Formula: at progress t, s_i = ℓ_i after pass ⌊t · passes⌋ + 1 of the small model.
    Cost: before the first step `passes` passes of the small model over the data, counted as three forward passes a
    sample, and as many forward passes over all samples, all counted in proportion to its number of parameters; on
    the clock. `passes` floats a sample.
    Source: the small network of airbench, K. Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, 2024,
    https://arxiv.org/abs/2404.00498

    Args:
        passes: Passes of training of the small model, at least 1.
        width: Factor of the units and filters of its layers, in (0, 1].

    Raises:
        UsageError: If a parameter lies outside its range.

    Example:
        >>> ProxyLoss(width=0.25)
        proxy_loss(passes=1, width=0.25)
    """

    name = "proxy_loss"
    uses_training_losses = False
    passes: Annotated[int, Between(1, 1000)] = 1
    width: PositiveShare = 0.5

    def init(self, n: int) -> _State:
        """Return a state without losses."""
        return _State(tf.zeros([self.passes, n]), tf.constant(False))

    def prepare(self, state: _State, train_auxiliary: TrainAuxiliary, seed: int) -> _State:
        """Train the small model, unless that has been done already."""
        if bool(state.ready):
            return state
        rows = np.arange(static_size(state.losses, 1))
        losses = train_auxiliary(rows, seed + 1, self.passes, width=self.width, every_pass=True)
        return _State(tf.constant(losses, tf.float32), tf.constant(True))

    def score(self, state: _State, context: Context) -> tf.Tensor:
        """Return the losses after the pass at the same progress."""
        done = tf.cast(context.progress * self.passes, tf.int32)
        return tf.gather(state.losses, tf.minimum(done, self.passes - 1))
