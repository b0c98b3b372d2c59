"""What the loop and a selector tell each other: where the run stands, which rows next, what was seen.

Shapes use n = samples in the data set, b = batch size, m = rows of a plan.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from batchsel.core.rng import Rng


class Plan(NamedTuple):
    """The batches chosen ahead: rows in the order of their use, a batch (or pool) after the other.

    Example:
        >>> plan = Plan(tf.constant([2, 0, 1, 1]), tf.constant([1.0, 1.0, 1.0, 0.0]), tf.constant(2))
        >>> int(plan.steps)
        2
    """

    indices: tf.Tensor
    """``int32[m]`` sample numbers; m is static."""
    weights: tf.Tensor
    """``float32[m]`` factors of the loss; 0 marks a row that only fills up a batch, behind real ones; -1 a row of a
    batch that is only scored, if the selector has such."""
    steps: tf.Tensor
    """``int32[]`` how many batches of the plan are in use, at least 1."""


class SampleStats(NamedTuple):
    """What one step, or one scoring pass over a pool, found out about its samples.

    Rows that only fill up a batch repeat its first row, so writing them changes nothing; `valid` tells
    them apart for whoever counts. A signal that nobody asked for is None.
    """

    indices: tf.Tensor
    """``int32[b]`` sample numbers."""
    loss: tf.Tensor
    """``float32[b]`` unreduced, unweighted loss."""
    valid: tf.Tensor
    """``bool[b]`` false for rows that fill up the batch."""
    probability: tf.Tensor | None = None
    """``float32[b]`` predicted probability of the true class."""
    correct: tf.Tensor | None = None
    """``float32[b]`` 1 where the predicted class is the true one."""
    predicted: tf.Tensor | None = None
    """``int32[b]`` predicted class."""
    boundary_distance: tf.Tensor | None = None
    """``float32[b]`` standard deviation of the predicted class probabilities, negative where the class is wrong."""
    gradient_norm: tf.Tensor | None = None
    """``float32[b]`` norm of the loss gradient at the outputs, ‖p − y‖ for cross-entropy."""
    residuals: tf.Tensor | None = None
    """``float32[b, c]`` predicted class probabilities minus the true ones, p − y."""
    features: tf.Tensor | None = None
    """``float32[b, d]`` input of the last layer."""
    inputs: tf.Tensor | None = None
    """``float32[b, d]`` the sample itself, flattened."""


class Selection(NamedTuple):
    """The batch taken from a scored pool.

    Example:
        >>> choice = Selection(tf.constant([3, 1]), tf.ones([2]))
        >>> choice.positions.numpy().tolist()
        [3, 1]
    """

    positions: tf.Tensor
    """``int32[b]`` rows of the pool."""
    weights: tf.Tensor
    """``float32[b]`` factors of the loss; 0 marks a row that only fills up the batch."""


class Context(NamedTuple):
    """Where the run stands when a selector is asked."""

    step: tf.Tensor
    """``int64[]`` optimizer updates so far."""
    samples: tf.Tensor
    """``int64[]`` samples trained on so far."""
    progress: tf.Tensor
    """``float32[]`` samples trained on over samples budgeted, in [0, 1]."""
    plans: tf.Tensor
    """``int64[]`` plans made so far."""
    seed: tf.Tensor
    """``int32[]`` seed of the run."""
    n: int
    """Samples in the data set."""
    batch_size: int
    """b."""
    losses: tf.Tensor
    """``float32[n]`` the last known loss of every sample, infinite for samples not seen yet."""
    labels: tf.Tensor | None = None
    """The targets of all samples, first axis n; None for streamed data."""
    inputs: tf.Tensor | None = None
    """The inputs of all samples, first axis n, for selectors that see them; None for streamed data."""

    @property
    def passes(self) -> tf.Tensor:
        """``float32[]`` samples trained on over n."""
        return tf.cast(self.samples, tf.float32) / self.n

    @property
    def rng(self) -> Rng:
        """Random numbers of this run at this step."""
        return Rng(self.seed, self.step)


class TrainAuxiliary(Protocol):
    """Trains a model beside the one that matters, on the clock; what `Selector.prepare` is given."""

    def __call__(
        self, rows: np.ndarray, seed: int, passes: float, *, width: float = 1.0, every_pass: bool = False
    ) -> np.ndarray:
        """Trains a fresh model of the same form, and scores all samples by it.

        Args:
            rows: ``int[k]`` samples to train on.
            seed: Seed of the model.
            passes: Passes over them.
            width: Units and filters of its layers against those of the model.
            every_pass: Whether to score after every pass rather than at the end alone.

        Returns:
            ``float32[n]`` losses; ``float32[passes, n]`` with `every_pass`.
        """
        ...
