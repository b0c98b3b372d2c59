"""Keras learning-rate schedules made from batchsel schedules, for `model.fit` without batchsel."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.schedules.base import Schedule
from batchsel.schedules.resolver import schedule as resolve
from batchsel.schedules.schedule_curve import bind


@keras.saving.register_keras_serializable(package="batchsel")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A Keras learning-rate schedule: a rate times the factor of a batchsel schedule.

    Progress is step/steps, at most 1. The schedule is saved and loaded with the model, as text.

    Args:
        schedule: A text as in "cosine | warmup(0.05)", a `Schedule`, or a function of progress.
        learning_rate: The rate at a factor of 1; None if the schedule sets it, as in "one_cycle(peak=0.1)".
        steps: Optimizer steps in the whole run.
        batch_size: Samples of an update, if the schedule depends on them.
        passes: Passes over the data in the whole run, if the schedule counts them.

    Raises:
        UsageError: If the rate or the steps are missing or not positive, or the rate is given twice.
        UserError: If the schedule sets the momentum or rates by layer, which a Keras schedule cannot; or if it needs
            `batch_size` or `passes`, and they are None.

    Example:
        >>> rate = KerasSchedule("linear | warmup(0.5)", 0.1, steps=100)
        >>> optimizer = keras.optimizers.SGD(rate)
        >>> [round(float(rate(step)), 6) for step in (0, 25, 50, 100)]
        [0.0, 0.0375, 0.05, 0.0]
    """

    def __init__(
        self,
        schedule: Any,
        learning_rate: float | None,
        steps: int,
        *,
        batch_size: int | None = None,
        passes: float | None = None,
    ) -> None:
        self.schedule = _check_rate_only(resolve(schedule))
        self.learning_rate, self.steps, self.batch_size, self.passes = learning_rate, steps, batch_size, passes
        for name in ("learning_rate", "steps", "batch_size", "passes"):
            _check_positive(name, getattr(self, name))
        stated = self.schedule.base_learning_rate
        rate = learning_rate if stated is None else stated
        if rate is None or steps is None:
            raise UsageError("KerasSchedule needs steps, and a learning_rate unless the schedule sets one.")
        if stated is not None and learning_rate is not None:
            raise UsageError(f"{self.schedule!r} sets the learning rate: pass None instead of {learning_rate!r}.")
        self._rate = rate
        self._bound = bind(self.schedule, batch_size, passes)

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate, ``float32[]``.

        Args:
            step: Number of optimizer steps so far.
        """
        share = tf.minimum(
            tf.cast(step, tf.float64) / self.steps, 1.0
        )  # in float32, milestones may be missed by rounding
        passes = None if self.passes is None else share * self.passes
        return self._rate * self._bound.factor(Timestamp.from_progress(share, passes))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments as Keras saves them.

        Raises:
            UserError: If the schedule cannot be read from its text, as a function or a class from a file cannot.
        """
        text = repr(self.schedule)
        if not _readable(text, self.schedule):
            raise UserError(
                f"{text} cannot be saved: its text does not contain a function or a class from a file. Build the"
                " model again, load the weights, and set the optimizer's schedule again."
            )
        own = {name: getattr(self, name) for name in ("learning_rate", "steps", "batch_size", "passes")}
        return {"schedule": text, **own}


def _check_rate_only(schedule: Schedule | None) -> Schedule:
    if schedule is None:
        raise UsageError("KerasSchedule needs a schedule, such as 'cosine | warmup(0.05)'; got None.")
    if schedule.momentum(Timestamp.from_progress(0.0)) is not None:
        raise UserError(
            f"{schedule!r} sets the momentum too, which a Keras learning-rate schedule cannot. Leave it out, or train"
            " with batchsel, schedule=."
        )
    return schedule


def _check_positive(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 < value < math.inf):
        raise UsageError(f"KerasSchedule: {name} must be a number above 0, got {value!r}.")


def _readable(text: str, schedule: Schedule) -> bool:
    try:
        return resolve(text) == schedule
    except UserError:
        return False
