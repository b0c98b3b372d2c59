"""Learning-rate curriculum: layers start the slower, the nearer they are to the outputs, and meet at one rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from batchsel.core.checks import check_choice, check_integer, check_range
from batchsel.core.timestamp import Timestamp, check_duration, elapsed_share
from batchsel.schedules.base import Schedule

FORMS = ("geometric", "multiplicative")
_LEAST = 1e-30
"""Smaller rates and factors would be no ordinary float32 any more."""
_STOP = 1.1
"""How far above the common rate the authors' code lets a product come; it is cut to the common rate here."""
_ROUNDING = 1e-4
"""So that passes counted in float32 do not miss an update by a hair."""


@dataclass(frozen=True, repr=False)
class LeRaC(Schedule):
    """The inputs' layers learn at the common rate η from the start, those behind them at less, all at η after `k`.

    Group j of n, counted from 0 at the inputs, lies at place p = j / (n - 1), and starts at the rate η_j(0). Its rate
    is η times the factor that this gives; other schedules multiply that as ever. With t the share of `k` that is over:

    * `geometric`, equation 9 of the paper: η_j(t) = η_j(0) c^(t (log_c η - log_c η_j(0))) = η_j(0)^(1 - t) η^t. What c
      is makes no difference, it cancels. Start rates are spaced evenly in their logarithm, from η at the inputs to
      `eta_min` at the outputs. So the factor is (min(eta_min, η) / η)^(p (1 - t)): a rate rises with every step.
    * `multiplicative`, the authors' code: η_j(0) = max(η c^-j, min(eta_min, η)). At each of the `updates` of a pass,
      the first after 1 / `updates` of a pass, each rate is multiplied by c, unless the product would be more than a
      tenth above η. A rate that has not come to η by the end of `k` jumps there.

    After `k`, every factor is exactly 1. Passes are counted in samples trained on over samples in the data, so a
    selector that prunes runs through the curriculum later, not differently.

    A `k` of 0.05 is 5 of 100 passes. In the authors' settings for CIFAR the last group arrives after 1 to 6 of 200, so
    long budgets want a smaller share, or a number of passes. Start rates go down to between 1e-7 and 1e-5 in those
    settings, for an η of 0.1.

    Cost: a few operations on n numbers a step, and one multiplication more for each variable.

    Source: F.-A. Croitoru, N.-C. Ristea, R. T. Ionescu and N. Sebe, *Learning Rate Curriculum*, International Journal
    of Computer Vision, 2024, https://arxiv.org/abs/2205.09180.

    Args:
        k: How long the curriculum lasts: a share of the budget in (0, 1], or a text such as "5 passes".
        eta_min: The rate at which the outputs' layers start, above 0; at η where η is less.
        form: "geometric" or "multiplicative".
        c: Base of the multiplicative form, above 1.
        head: The factor at which the last group starts, in (0, 1], or None for what its place says. The authors' code
            has one for the classifier, 1e-6 to 1.
        updates: Updates in a pass, of the multiplicative form.

    Raises:
        UsageError: If a parameter lies outside.

    Example:
        >>> lerac, places, rate = LeRaC("5 passes", 1e-5), tf.constant([0.0, 0.5, 1.0]), tf.constant(0.1)
        >>> [f"{factor:.0e}" for factor in lerac.layers(Timestamp.from_progress(0.0), places, rate).numpy()]
        ['1e+00', '1e-02', '1e-04']
        >>> [f"{factor:.0e}" for factor in lerac.layers(Timestamp.from_progress(0.1, passes=2.5), places, rate).numpy()]
        ['1e+00', '1e-01', '1e-02']
        >>> lerac.layers(Timestamp.from_progress(0.2, passes=5), places, rate).numpy().tolist()
        [1.0, 1.0, 1.0]
    """

    name: ClassVar[str] = "lerac"
    by_layer: ClassVar[bool] = True
    k: float | str = 0.05
    eta_min: float = 1e-8
    form: str = "geometric"
    c: float = 10.0
    head: float | None = None
    updates: int = 1

    def __post_init__(self) -> None:
        check_duration(self, "k")
        check_range(self, "eta_min", _LEAST, 1)
        check_choice(self, "form", FORMS)
        check_range(self, "c", 1, math.inf, lower_open=True, upper_open=True)
        if self.head is not None:
            check_range(self, "head", _LEAST, 1)
        check_integer(self, "updates", 1)

    def factor(self, timestamp: Timestamp) -> tf.Tensor:
        """1: what all layers have in common does not change."""
        return tf.ones_like(timestamp.progress)

    def layers(self, timestamp: Timestamp, places: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        """The factors by layer.

        Args:
            timestamp: Where the run stands.
            places: ``float32[n]`` of the groups: 0, 1 / (n - 1), ... 1; the number of groups is read off their shape.
            rate: ``float32[]`` η.

        Returns:
            ``float32[n]`` in (0, 1].
        """
        done = elapsed_share(self.k, timestamp)
        # Where the rate is at most eta_min there is nothing to start lower; at a rate of 0 the quotient is no number.
        least = tf.where(rate > self.eta_min, self.eta_min / rate, 1.0)
        form = self._geometric if self.form == "geometric" else self._multiplicative
        return tf.where(done < 1.0, form(done, timestamp, places, least), 1.0)

    def _geometric(self, done: tf.Tensor, timestamp: Timestamp, places: tf.Tensor, least: tf.Tensor) -> tf.Tensor:
        return tf.exp(self._starts(places * tf.math.log(least), places) * (1.0 - done))

    def _multiplicative(self, done: tf.Tensor, timestamp: Timestamp, places: tf.Tensor, least: tf.Tensor) -> tf.Tensor:
        """In powers of c, which are whole numbers except where `eta_min` or `head` cut in, so that rungs are exact."""
        base = math.log(self.c)
        number = tf.round(places * (places.shape[0] - 1))
        starts = self._starts(tf.maximum(-number, tf.math.log(least) / base), places, base)
        updates = tf.floor(timestamp.passes * self.updates + _ROUNDING)
        rungs = tf.minimum(updates, tf.floor(math.log(_STOP) / base - starts))
        return tf.minimum(tf.pow(tf.constant(self.c), starts + rungs), 1.0)

    def _starts(self, logarithms: tf.Tensor, places: tf.Tensor, base: float = 1.0) -> tf.Tensor:
        """Logarithms of the first factors; that of the outputs is `head`, if given."""
        return logarithms if self.head is None else tf.where(places == 1.0, math.log(self.head) / base, logarithms)
