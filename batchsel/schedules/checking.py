"""Schedules of the user's are tried before anything is trained with them."""

from __future__ import annotations

import math

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import Function, Product, Schedule

_POINTS = 101


def check_factors(schedule: Schedule) -> None:
    """Makes sure that the parts of a schedule that batchsel did not write can be traced, and give factors.

    Args:
        schedule: The schedule, bound to a batch size.

    Raises:
        UserError: If a part is no TensorFlow code, gives something else than one number, or one below 0.

    Example:
        >>> check_factors(Function(lambda progress: 1 - 2 * progress))
        Traceback (most recent call last):
        batchsel.errors.UserError: function(<lambda>) gives the factor -0.02 at 51% of the budget; expected 0 or more.
    """
    for part in schedule.parts if isinstance(schedule, Product) else (schedule,):
        if isinstance(part, Function) or not type(part).__module__.startswith("batchsel."):
            _check(part)


def _check(part: Schedule) -> None:
    @tf.function(autograph=False)
    def factors(progress: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(lambda p: tf.reshape(tf.cast(part.factor(Timestamp(p, p)), tf.float32), []), progress)

    shares = [place / (_POINTS - 1) for place in range(_POINTS)]
    try:
        found = factors(tf.constant(shares)).numpy()
    except Exception as error:  # whatever the user's own code raises
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{part!r} cannot be used as a schedule: {type(error).__name__}: {reason} Expected TensorFlow code that"
            " gives one factor, float32[], for a progress in [0, 1]; tf.where in place of if."
        ) from error
    for share, factor in zip(shares, found, strict=True):
        if not (math.isfinite(factor) and factor >= 0):
            raise UserError(f"{part!r} gives the factor {factor:.2g} at {share:.0%} of the budget; expected 0 or more.")
