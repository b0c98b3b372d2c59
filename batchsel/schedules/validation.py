"""Validation of user-defined schedules before training."""

from __future__ import annotations

import math

import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.core.timestamp import Timestamp
from batchsel.errors import UserError
from batchsel.schedules.base import FunctionSchedule, Schedule, list_parts

_POINTS = 101


def check_factors(schedule: Schedule) -> None:
    """Check that the user-defined parts of a schedule can be traced and return factors.

    Args:
        schedule: The schedule, bound to a batch size.

    Raises:
        UserError: If a part is not TensorFlow code, or does not return one number of at least 0.

    Example:
        >>> check_factors(FunctionSchedule(lambda progress: 1 - 2 * progress))
        Traceback (most recent call last):
        batchsel.errors.UserError: function(<lambda>) returns the factor -0.02 at 51% of the budget; expected ...
    """
    for part in list_parts(schedule):
        if isinstance(part, FunctionSchedule) or not type(part).__module__.startswith("batchsel."):
            _check(part)


def _check(part: Schedule) -> None:
    def factors(progress: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(lambda p: tf.reshape(tf.cast(part.factor(Timestamp(p, p)), tf.float32), []), progress)

    shares = [point / (_POINTS - 1) for point in range(_POINTS)]
    try:
        found = own_function(factors)(tf.constant(shares)).numpy()
    except Exception as error:  # user code may raise anything
        reason = (str(error).splitlines() or [""])[0]
        raise UserError(
            f"{part!r} cannot be used as a schedule: {type(error).__name__}: {reason} Expected TensorFlow code that"
            " returns one factor, float32[], for a progress in [0, 1]; use tf.where instead of if."
        ) from error
    for share, factor in zip(shares, found, strict=True):
        if not (math.isfinite(factor) and factor >= 0):
            raise UserError(
                f"{part!r} returns the factor {factor:.2g} at {share:.0%} of the budget; expected 0 or more."
            )
