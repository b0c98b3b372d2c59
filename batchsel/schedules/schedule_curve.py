"""Schedules outside of training: bound to a batch size, and sampled over the budget."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from batchsel.core.timestamp import Timestamp, longest_passes
from batchsel.errors import UserError
from batchsel.schedules.base import Schedule, list_parts
from batchsel.schedules.methods.scale import Scale


class ScheduleCurve(NamedTuple):
    """Values of a schedule over the budget."""

    progress: list[float]
    """Shares of the budget."""
    rates: list[float]
    """Learning rates, or factors of the optimizer's rate."""
    momenta: list[float] | None
    """Momentum, or None if the schedule leaves it alone."""


def bind(
    schedule: Schedule, batch_size: int | None = None, passes: float | None = None, by_layer: bool = False
) -> Schedule:
    """Return a schedule that has a factor without training, with the batch size filled in.

    Args:
        schedule: The schedule.
        batch_size: Samples of an update, or None if the schedule does not depend on them.
        passes: Passes of the budget, or None if the schedule does not depend on them.
        by_layer: Whether layers may have different rates.

    Raises:
        UserError: If the schedule depends on what is None, or layers have different rates.

    Example:
        >>> from batchsel.schedules import schedule
        >>> float(bind(schedule("linear | scale"), batch_size=512)(0.5))
        1.0
    """
    if schedule.by_layer and not by_layer:
        raise UserError(
            f"{schedule!r} gives layers different rates, which a schedule of Keras cannot. Pass it to"
            " batchsel.fit(schedule=...), or leave out the part with rates by layer."
        )
    if passes is None and longest_passes(list_parts(schedule)):
        raise UserError(f"{schedule!r} counts passes: give the passes of the whole budget, as in passes=20.")
    if batch_size is not None:
        return schedule.bind(batch_size, schedule.multiple(batch_size))
    if any(isinstance(part, Scale) for part in list_parts(schedule)):
        raise UserError(f"{schedule!r} depends on the batch size: give the samples of an update, as in batch_size=32.")
    return schedule


def sample_curve(schedule: Schedule, points: int = 401, passes: float | None = None) -> ScheduleCurve:
    """Evaluate a schedule over the whole budget.

    Args:
        schedule: The schedule, from `bind`.
        points: Number of values, evenly spaced.
        passes: Passes of the budget, if the schedule counts them.

    Example:
        >>> from batchsel.schedules import schedule
        >>> sample_curve(schedule("one_cycle(peak=0.5, div=4.0, final_div=1.0)"), points=2)
        ScheduleCurve(progress=[0.0, 1.0], rates=[0.125, 0.125], momenta=None)
    """
    progress = [point / (points - 1) for point in range(points)]
    timestamps = [Timestamp.from_progress(share, None if passes is None else share * passes) for share in progress]
    rate = 1.0 if schedule.base_learning_rate is None else schedule.base_learning_rate
    momenta = [momentum for timestamp in timestamps if (momentum := schedule.momentum(timestamp)) is not None]
    return ScheduleCurve(
        progress,
        [rate * float(schedule.factor(timestamp)) for timestamp in timestamps],
        [float(momentum) for momentum in momenta] or None,
    )


def sample_layer_curves(
    schedule: Schedule, groups: int, rate: float, points: int = 401, passes: float | None = None
) -> list[list[float]]:
    """Return the rates of groups of layers over the whole budget, from the inputs to the outputs.

    Args:
        schedule: The schedule, from `bind`.
        groups: Number of groups.
        rate: The learning rate at a factor of 1, unless the schedule sets one.
        points: Number of values, evenly spaced.
        passes: Passes of the budget, if the schedule counts them.

    Example:
        >>> from batchsel.schedules import schedule
        >>> curves = sample_layer_curves(schedule("lerac(1.0, eta_min=1e-4)"), groups=2, rate=0.1, points=2)
        >>> np.round(curves, 6).tolist()
        [[0.1, 0.1], [0.0001, 0.1]]
    """
    base = rate if schedule.base_learning_rate is None else schedule.base_learning_rate
    curve = sample_curve(schedule, points, passes)
    positions = tf.constant([group / max(groups - 1, 1) for group in range(groups)], tf.float32)
    rows = []
    for share, own in zip(curve.progress, curve.rates, strict=True):
        timestamp = Timestamp.from_progress(share, None if passes is None else share * passes)
        common = own if schedule.base_learning_rate is not None else own * base
        rows.append(common * schedule.layer_factors(timestamp, positions, tf.constant(base, tf.float32)).numpy())
    return np.transpose(rows).tolist()
