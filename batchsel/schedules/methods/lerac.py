"""Learning-rate curriculum: layers near the outputs start with lower rates, and all end with the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import tensorflow as tf

from batchsel.core.parameters import LARGEST, Between, Duration
from batchsel.core.timestamp import Timestamp, elapsed_share
from batchsel.schedules.base import Schedule

_OVERSHOOT = 1.1
"""Largest product, relative to the common rate, that the authors' code allows; here it is cut to the common rate."""
_TOLERANCE = 1e-4
"""Tolerance for passes counted in float32."""


@dataclass(frozen=True, repr=False)
class LeRaC(Schedule):
    """Learning-rate curriculum: the input layers learn at the common rate η from the start, later ones below it.

    Group j of n, counted from 0 at the inputs, has position p = j / (n - 1) and the initial rate η_j(0). Its rate is η
    times a factor of its own, and times the factors of other schedules. With t the share of `k` that has passed:

    * `geometric`, equation 9 of the paper: η_j(t) = η_j(0) c^(t (log_c η - log_c η_j(0))) = η_j(0)^(1 - t) η^t. The
      base c cancels. Initial rates are spaced evenly on a logarithmic scale, from η at the inputs to `eta_min` at the
      outputs. So the factor is (min(eta_min, η) / η)^(p (1 - t)), and each rate rises with every step.
    * `multiplicative`, the authors' code: η_j(0) = max(η c^-j, min(eta_min, η)). At each of the `updates` of a pass,
      the first after 1 / `updates` of a pass, each rate is multiplied by c, unless the product would exceed η by more
      than a tenth. A rate that has not reached η by the end of `k` jumps to it.

    After `k`, every factor is exactly 1. Passes are samples trained on over samples in the data, so a selector that
    prunes delays the curriculum but does not change it.

    A `k` of 0.05 is 5 of 100 passes. In the authors' settings for CIFAR, the last group reaches η after 1 to 6 of 200
    passes, so long budgets need a smaller share, or a number of passes. Initial rates in those settings go down to
    between 1e-7 and 1e-5, for an η of 0.1.

    Cost: a few operations on n numbers a step, and one more multiplication for each variable.

    Source: F.-A. Croitoru, N.-C. Ristea, R. T. Ionescu and N. Sebe, *Learning Rate Curriculum*, International Journal
    of Computer Vision, 2024, https://arxiv.org/abs/2205.09180.

    Args:
        k: Duration of the curriculum: a share of the budget in (0, 1], or a text such as "5 passes".
        eta_min: Initial rate of the output layers, above 0; at most η.
        form: "geometric" or "multiplicative".
        c: Base of the multiplicative form, above 1.
        head: Initial factor of the last group, in (0, 1], or None for that of its position. The authors' code has one
            for the classifier, 1e-6 to 1.
        updates: Updates in a pass, for the multiplicative form.
        groups: Groups of layers: "blocks" or "stages" by the names of layers, with those before and after them in
            groups of their own; a number of groups of about as many depths each; or None for one a depth. The authors'
            code groups ResNet-18 by blocks.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> lerac, positions, rate = LeRaC("5 passes", 1e-5), tf.constant([0.0, 0.5, 1.0]), tf.constant(0.1)
        >>> [f"{factor:.0e}" for factor in lerac.layer_factors(Timestamp.from_progress(0.0), positions, rate).numpy()]
        ['1e+00', '1e-02', '1e-04']
        >>> half = Timestamp.from_progress(0.1, passes=2.5)
        >>> [f"{factor:.0e}" for factor in lerac.layer_factors(half, positions, rate).numpy()]
        ['1e+00', '1e-01', '1e-02']
        >>> lerac.layer_factors(Timestamp.from_progress(0.2, passes=5), positions, rate).numpy().tolist()
        [1.0, 1.0, 1.0]
    """

    name: ClassVar[str] = "lerac"
    by_layer: ClassVar[bool] = True
    k: Duration = 0.05
    eta_min: Annotated[float, Between(1e-30, 1)] = 1e-8
    form: Literal["geometric", "multiplicative"] = "geometric"
    c: Annotated[float, Between(1, LARGEST, lower_open=True)] = 10.0
    head: Annotated[float, Between(1e-30, 1)] | None = None
    updates: Annotated[int, Between(1, 2**20)] = 1
    groups: Literal["blocks", "stages"] | Annotated[int, Between(1, 2**20)] | None = None

    @property
    def layer_grouping(self) -> int | str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The groups of layers."""
        return self.groups

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """Return 1: only the factors by layer change."""
        return tf.ones_like(timestamp.progress)

    def layer_factors(self, timestamp: Timestamp, positions: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """Return the factors by layer, ``float32[n]`` in (0, 1].

        Args:
            timestamp: Time of the update.
            positions: ``float32[n]`` of the groups: 0, 1 / (n - 1), ... 1; n is the length of this tensor.
            rate: ``float32[]`` η.
        """
        done = elapsed_share(self.k, timestamp)
        # At a rate of 0, the quotient would be NaN.
        least = tf.where(rate > self.eta_min, self.eta_min / rate, 1.0)
        form = self._geometric if self.form == "geometric" else self._multiplicative
        return tf.where(done < 1.0, form(done, timestamp, positions, least), 1.0)

    def _geometric(self, done: tf.Tensor, timestamp: Timestamp, positions: tf.Tensor, least: tf.Tensor) -> tf.Tensor:
        return tf.exp(self._initial_logs(positions * tf.math.log(least), positions) * (1.0 - done))

    def _multiplicative(
        self, done: tf.Tensor, timestamp: Timestamp, positions: tf.Tensor, least: tf.Tensor
    ) -> tf.Tensor:
        """Count in powers of c, which are exact integers except where `eta_min` or `head` limits a rate."""
        base = math.log(self.c)
        groups: Any = positions.shape[0]
        number = tf.round(positions * (groups - 1))
        starts = self._initial_logs(tf.maximum(-number, tf.math.log(least) / base), positions, base)
        updates = tf.floor(timestamp.passes * self.updates + _TOLERANCE)
        powers = tf.minimum(updates, tf.floor(math.log(_OVERSHOOT) / base - starts))
        return tf.minimum(tf.pow(tf.constant(self.c), starts + powers), 1.0)

    def _initial_logs(self, logarithms: tf.Tensor, positions: tf.Tensor, base: float = 1.0) -> tf.Tensor:
        """Replace the logarithm of the last group's initial factor by that of `head`, if given."""
        return logarithms if self.head is None else tf.where(positions == 1.0, math.log(self.head) / base, logarithms)
