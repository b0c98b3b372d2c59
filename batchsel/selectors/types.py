"""Data that the training loop and a selector exchange: plans, statistics of samples, and the context of the run.

Shapes use n = samples in the data set, b = batch size, m = rows of a plan.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from batchsel.core.rng import Rng, call_draws

INVALID_SCORES, ZERO_SCORES, UNORDERED = -2, -3, -4
"""Steps of a plan, or positions in a pool, that end the run: scores are negative or NaN, none of them is positive
although losses are known, or some of the numbers that are put in order are NaN."""
Signal = Any
"""A tensor, or None for a signal that the selector does not ask for."""


class Plan(NamedTuple):
    """The next batches: rows in the order of their use, batch (or pool) after batch.

    Example:
        >>> plan = Plan(tf.constant([2, 0, 1, 1]), tf.constant([1.0, 1.0, 1.0, 0.0]), tf.constant(2))
        >>> int(plan.steps)
        2
    """

    indices: tf.Tensor
    """``int32[m]`` sample numbers; m is static."""
    weights: tf.Tensor
    """``float32[m]`` factors of the loss. 0 marks padding rows, which come after the real rows of a batch; -1 marks the
    rows of a batch that is only scored (see `Selector.scores_excluded`)."""
    steps: tf.Tensor
    """``int32[]`` number of batches of the plan that are used, at least 1."""


class SampleStats(NamedTuple):
    """Statistics of the samples of one training step, or of one scored pool.

    Padding rows repeat the first row of the batch, so writing them changes nothing; `valid` marks the real rows
    for selectors that count. A signal that the selector does not ask for is None.

    Example:
        >>> stats = SampleStats(tf.constant([3, 1]), tf.constant([0.5, 2.0]), tf.constant([True, True]))
        >>> float(tf.reduce_max(stats.loss)), stats.probability
        (2.0, None)
    """

    indices: tf.Tensor
    """``int32[b]`` sample numbers."""
    loss: tf.Tensor
    """``float32[b]`` unreduced, unweighted loss."""
    valid: tf.Tensor
    """``bool[b]`` false for padding rows."""
    probability: Signal = None
    """``float32[b]`` predicted probability of the true class."""
    correct: Signal = None
    """``float32[b]`` 1 where the predicted class is the true one."""
    predicted: Signal = None
    """``int32[b]`` predicted class."""
    boundary_distance: Signal = None
    """``float32[b]`` standard deviation of the predicted class probabilities, negative where the class is wrong."""
    gradient_norm: Signal = None
    """``float32[b]`` norm of the loss gradient at the outputs, ‖p − y‖ for cross-entropy."""
    residuals: Signal = None
    """``float32[b, c]`` predicted class probabilities minus the true ones, p − y."""
    features: Signal = None
    """``float32[b, d]`` input of the last layer."""
    inputs: Signal = None
    """``float32[b, d]`` the sample itself, flattened."""
    probabilities: Signal = None
    """``float32[b, c]`` predicted class probabilities."""
    logits: Signal = None
    """``float32[b, c]`` outputs of which the softmax is the predicted class probabilities."""


class Selection(NamedTuple):
    """The batch chosen from a scored pool.

    Example:
        >>> selection = Selection(tf.constant([3, 1]), tf.ones([2]))
        >>> selection.positions.numpy().tolist()
        [3, 1]
    """

    positions: tf.Tensor
    """``int32[b]`` rows of the pool."""
    weights: tf.Tensor
    """``float32[b]`` factors of the loss; 0 marks padding rows."""


class Context(NamedTuple):
    """The state of the run when a selector is called.

    Example:
        >>> zeros = dict.fromkeys(Context._fields[:9], tf.constant(0))
        >>> context = Context(**zeros | {"samples": tf.constant(96)}, n=64, batch_size=8, losses=tf.zeros([64]))
        >>> float(context.passes)
        1.5
    """

    step: tf.Tensor
    """``int64[]`` batches trained on so far; also updates, unless gradients are accumulated."""
    samples: tf.Tensor
    """``int64[]`` samples trained on so far."""
    progress: tf.Tensor
    """``float32[]`` share of the budget that is used: of its samples, or of its epochs; in [0, 1]."""
    plans: tf.Tensor
    """``int64[]`` number of plans so far."""
    fit_plans: tf.Tensor
    """``int64[]`` number of plans so far in this call of fit."""
    budget: tf.Tensor
    """``int64[]`` budget of this call of fit: samples to train on, or n for each epoch if it counts epochs."""
    budget_left: tf.Tensor
    """``int64[]`` what is left of the budget, in the same unit."""
    counts_epochs: tf.Tensor
    """``bool[]`` true if the budget counts epochs, each of which is a plan; false if it counts samples."""
    seed: tf.Tensor
    """``int32[]`` seed of the run."""
    n: int
    """Samples in the data set."""
    batch_size: int
    """b."""
    losses: tf.Tensor
    """``float32[n]`` the last known loss of every sample, infinite for unseen samples."""
    labels: tf.Tensor | None = None
    """The targets of all samples, first axis n; None for streamed data."""
    inputs: tf.Tensor | None = None
    """The inputs of all samples, first axis n, if the selector has `needs_inputs`; None for streamed data."""
    visits: tf.Tensor | None = None
    """``int32[n]`` number of times that each sample was trained on."""

    @property
    def passes(self) -> tf.Tensor:
        """``float32[]`` samples trained on over n."""
        return tf.cast(self.samples, tf.float32) / self.n

    @property
    def epoch(self) -> tf.Tensor:
        """``int64[]`` whole passes over the data so far: samples trained on over n, rounded down."""
        return self.samples // self.n

    @property
    def rng(self) -> Rng:
        """Random numbers of this run at this step; draws without a name are counted within a call of a selector."""
        return Rng(self.seed, self.step, draws=call_draws())


class TrainAuxiliary(Protocol):
    """A function that trains an auxiliary model, on the clock; an argument of `Selector.prepare`."""

    def __call__(
        self,
        rows: np.ndarray,
        seed: int,
        passes: float,
        *,
        width: float = 1.0,
        every_pass: bool = False,
        scored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Train a fresh model of the same architecture and return the losses of all samples, or of some.

        Args:
            rows: ``int[k]`` samples to train on.
            seed: Seed of the model.
            passes: Passes over them.
            width: Factor of the units and filters of its layers.
            every_pass: Whether to score after every pass rather than only at the end.
            scored: ``int[s]`` samples to score; None for all.

        Returns:
            ``float32[s]`` losses, with s = n for all; ``float32[passes, s]`` with `every_pass`.
        """
        ...
