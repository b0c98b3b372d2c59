"""Schedules outside of training: what they need to know besides progress is given, or asked for."""

from __future__ import annotations

from typing import NamedTuple

from batchsel.core.timestamp import Timestamp, longest_passes
from batchsel.errors import UserError
from batchsel.schedules.base import Product, Schedule
from batchsel.schedules.methods.scale import Scale


class Curve(NamedTuple):
    """Points of a schedule over the budget."""

    progress: list[float]
    """Shares of the budget."""
    rates: list[float]
    """Learning rates at each, or factors of one."""
    momenta: list[float] | None
    """Momentum at each, or None if it is left alone."""


def bound(schedule: Schedule, batch_size: int | None = None, passes: float | None = None) -> Schedule:
    """The schedule with the batch size filled in, if it has a factor then.

    Args:
        schedule: The schedule.
        batch_size: Samples of an update, or None if nothing depends on them.
        passes: Passes of the budget, or None if nothing depends on them.

    Raises:
        UserError: If something depends on what is not given, or layers differ.

    Example:
        >>> from batchsel.schedules import schedule
        >>> float(bound(schedule("linear | scale"), batch_size=512)(0.5))
        1.0
    """
    if schedule.by_layer:
        raise UserError(f"{schedule!r} has no single factor: layers differ in it. Train with batchsel, schedule=.")
    if passes is None and longest_passes(parts_of(schedule)):
        raise UserError(f"{schedule!r} counts passes: say how many the whole budget has, as in passes=20.")
    if batch_size is not None:
        return schedule.bound(batch_size, schedule.multiple(batch_size))
    if any(isinstance(part, Scale) for part in parts_of(schedule)):
        raise UserError(f"{schedule!r} depends on the batch size: say it, as in batch_size=32 (samples of an update).")
    return schedule


def parts_of(schedule: Schedule) -> tuple[Schedule, ...]:
    """The factors of a product; a schedule that is none is its only factor.

    Args:
        schedule: The schedule.
    """
    return schedule.parts if isinstance(schedule, Product) else (schedule,)


def curve(schedule: Schedule, points: int = 401, passes: float | None = None) -> Curve:
    """What a schedule gives over the whole budget.

    Args:
        schedule: The schedule, bound.
        points: How many, evenly spaced.
        passes: Passes of the budget, where the schedule counts them.

    Returns:
        Its rates, or factors where it states no rate, and momenta.

    Example:
        >>> from batchsel.schedules import schedule
        >>> curve(schedule("one_cycle(peak=0.5, div=4.0, final_div=1.0)"), points=2)
        Curve(progress=[0.0, 1.0], rates=[0.125, 0.125], momenta=None)
    """
    progress = [point / (points - 1) for point in range(points)]
    moments = [Timestamp.from_progress(share, None if passes is None else share * passes) for share in progress]
    rate = 1.0 if schedule.base_learning_rate is None else schedule.base_learning_rate
    momenta = [schedule.momentum(timestamp) for timestamp in moments]
    return Curve(
        progress,
        [rate * float(schedule.factor(timestamp)) for timestamp in moments],
        None if None in momenta else [float(momentum) for momentum in momenta],
    )
