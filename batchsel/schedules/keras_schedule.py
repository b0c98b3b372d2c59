"""Schedules as schedules of Keras, for `model.fit` without batchsel."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.errors import UsageError, UserError
from batchsel.schedules.base import Schedule
from batchsel.schedules.binding import bound
from batchsel.schedules.resolver import schedule as resolve


@keras.saving.register_keras_serializable(package="batchsel")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate at each step of an optimizer: a rate times the factor of a schedule.

    Progress is step/steps, and stays at 1 after that. It is saved and loaded with the model, as text.

    Args:
        schedule: A text as in "cosine | warmup(0.05)", a `Schedule`, or a function of progress.
        learning_rate: What the factor 1 stands for; None if the schedule states it, as in "one_cycle(peak=0.1)".
        steps: Steps of the optimizer in the whole run.
        batch_size: Samples of an update, where the schedule depends on them.
        passes: Passes over the data in the whole run, where the schedule counts them.

    Raises:
        UsageError: If the rate or the steps cannot be, or the rate is given twice.
        UserError: If the schedule sets the momentum, which a schedule of Keras cannot, or differs by layer; or if it
            needs the batch size or the passes, and they are not given.

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
        self.schedule = _single(resolve(schedule))
        self.learning_rate, self.steps, self.batch_size, self.passes = learning_rate, steps, batch_size, passes
        for name in ("learning_rate", "steps", "batch_size", "passes"):
            _check_positive(name, getattr(self, name))
        stated = self.schedule.base_learning_rate
        self._rate = learning_rate if stated is None else stated
        if self._rate is None or steps is None:
            raise UsageError("KerasSchedule needs steps, and a learning_rate unless the schedule states one.")
        if stated is not None and learning_rate is not None:
            raise UsageError(f"{self.schedule!r} states the learning rate: give None in place of {learning_rate!r}.")
        self._bound = bound(self.schedule, batch_size, passes)

    def __call__(self, step: Any) -> tf.Tensor:
        """The learning rate.

        Args:
            step: Steps that the optimizer has made.

        Returns:
            ``float32[]``.
        """
        share = tf.minimum(tf.cast(step, tf.float64) / self.steps, 1.0)  # float64, so that no point is missed by a hair
        passes = None if self.passes is None else share * self.passes
        return self._rate * self._bound.factor(Timestamp.from_progress(share, passes))

    def get_config(self) -> dict[str, Any]:
        """What Keras saves.

        Raises:
            UserError: If the schedule cannot be read from its text: a function, or a class of one's own.
        """
        text = repr(self.schedule)
        if not _readable(text, self.schedule):
            raise UserError(
                f"{text} cannot be saved: a function, or a class from a file, is not in its text. Build the model"
                " without it, load the weights, and set the optimizer's schedule again."
            )
        own = {name: getattr(self, name) for name in ("learning_rate", "steps", "batch_size", "passes")}
        return {"schedule": text, **own}


def _single(schedule: Schedule | None) -> Schedule:
    if schedule is None:
        raise UsageError("KerasSchedule needs a schedule, such as 'cosine | warmup(0.05)'; got None.")
    if schedule.momentum(Timestamp.from_progress(0.0)) is not None:
        raise UserError(
            f"{schedule!r} sets the momentum too, which a learning-rate schedule of Keras cannot. Leave that out, or"
            " train with batchsel, schedule=."
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
