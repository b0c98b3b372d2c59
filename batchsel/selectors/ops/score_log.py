"""A log of the scores that are drawn from while a user's selector plans, so that unusable ones are reported."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import tensorflow as tf


class ScoreLog:
    """Scores that the sampling primitives received, as flags that are computed with the plan.

    Example:
        >>> with log_scores() as log:
        ...     note_scores(tf.constant([-1.0, 2.0]))
        >>> [bool(flag) for flag in log.invalid], [bool(flag) for flag in log.zero]
        ([True], [False])
    """

    def __init__(self) -> None:
        self.invalid: list[tf.Tensor] = []
        """``bool[]`` each: true if a score is negative or NaN."""
        self.zero: list[tf.Tensor] = []
        """``bool[]`` each: true if no score is positive."""
        self._drawn: list[tuple[Any, int]] = []
        self._graph = _current_graph()

    @property
    def is_here(self) -> bool:
        """True in the graph that the log was opened in: tensors of a branch or a loop cannot be used outside of it."""
        return self._graph is _current_graph()

    def add_drawn(self, indices: Any, count: int) -> None:
        """Note the number of scores that indices were drawn from."""
        self._drawn.append((indices, count))

    def count_behind(self, indices: Any) -> int | None:
        """Return the number of scores that indices were drawn from; None for other indices.

        Args:
            indices: The very tensor that a sampling primitive returned, or anything else.
        """
        return next((count for drawn, count in self._drawn if drawn is indices), None)


_open: ContextVar[ScoreLog | None] = ContextVar("_open", default=None)


@contextlib.contextmanager
def log_scores() -> Iterator[ScoreLog]:
    """Log the scores that are drawn from in the block."""
    with _opened(ScoreLog()) as log:
        yield log


@contextlib.contextmanager
def pause_log() -> Iterator[None]:
    """Log nothing in the block: parts of batchsel may draw from scores that users' code may not."""
    with _opened(None):
        yield


@contextlib.contextmanager
def _opened(log: Any) -> Iterator[Any]:
    token = _open.set(log)
    try:
        yield log
    finally:
        _open.reset(token)


def note_scores(scores: tf.Tensor, may_be_zero: bool = False) -> None:
    """Note scores that are drawn from, if they are logged.

    Args:
        scores: ``float[n]``.
        may_be_zero: Whether it is fine that none is positive.
    """
    log = _open.get()
    if log is None or not log.is_here:
        return
    scores = tf.convert_to_tensor(scores)
    zero = tf.zeros([], scores.dtype)
    log.invalid.append(tf.logical_not(tf.reduce_all(scores >= zero)))  # NaN is not
    if not may_be_zero:
        log.zero.append(tf.reduce_all(scores <= zero))


def note_drawn(indices: tf.Tensor, count: int) -> tf.Tensor:
    """Note the number of scores that indices were drawn from, if that is logged, and return the indices.

    Args:
        indices: The indices.
        count: Number of scores.
    """
    log = _open.get()
    if log is not None:
        log.add_drawn(indices, count)
    return indices


def count_behind(indices: Any) -> int | None:
    """Return the number of scores that indices were drawn from, as far as it was logged.

    Args:
        indices: As for `ScoreLog.count_behind`.
    """
    log = _open.get()
    return None if log is None else log.count_behind(indices)


def _current_graph() -> Any:
    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
