"""A falling random subset of the data: the mirror of a growing one."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.core.parameters import PositiveShare
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.last_phase import last_pass
from batchsel.selectors.ops.sampling import padded_plan
from batchsel.selectors.types import Context, Plan


@dataclass(frozen=True, repr=False)
class Falling(Selector):
    """A new random subset each pass that shrinks from all data, and a last pass over all of them.

    Formula: pass t = 1, 2, ... holds ⌈γ^(t − 1) n⌉ samples, drawn at random each time; the last pass holds all. With a
    budget in samples, the pass before the last is cut short, so that n samples are left for the last.
    Cost: O(n) a pass, no state, no extra forward pass. Unbiased over a pass: whatever it gains is due to the shares,
    not to a choice of samples, which makes it a control of methods that prune more and more.
    Source: the scalar random dropout of Shriram M. S. et al., *Progressive Data Dropout: An Embarrassingly Simple
    Approach to Faster Training*, NeurIPS 2025, https://arxiv.org/abs/2505.22342; their code draws a share of each batch
    and makes that step with it, so that batches shrink and steps stay as many; here batches are full and fewer. γ is
    0.99 or 0.95 there. Reported there: 12 % to half of the epochs at the same accuracy or better, against a baseline
    that was not cut to as many samples.

    Args:
        gamma: γ, in (0, 1].

    Raises:
        UsageError: If `gamma` lies outside its range.

    Example:
        >>> Falling(gamma=0.9)
        falling(gamma=0.9)
    """

    name = "falling"
    requires_nonnegative_losses = False
    uses_training_losses = False
    gamma: PositiveShare = 0.95

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the steps of a pass over all data."""
        return -(-n // batch_size)

    def plan(self, state: State, context: Context) -> Plan:
        """Plan a pass over a random subset, or over all data if it is the last."""
        share = tf.pow(tf.constant(self.gamma, tf.float64), tf.cast(context.fit_plans, tf.float64))
        phase = last_pass(context)
        share = tf.where(phase.reached, tf.ones_like(share), share)
        count = tf.cast(tf.math.ceil(share * context.n - 1e-6), tf.int32)
        plan = padded_plan(context.rng.permutation(context.n, "falling"), count, context.batch_size)
        return plan._replace(steps=tf.minimum(plan.steps, phase.steps))
