"""Composition: score | modifiers | draw."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Draw, Modifier, Part, Score, Selector, State
from batchsel.selectors.draws.proportional import Proportional
from batchsel.selectors.types import Context, Plan, SampleStats, TrainAuxiliary


@dataclass(frozen=True, repr=False)
class Pipe(Selector):
    """A score, changed by modifiers, drawn from by a draw.

    Args:
        score: What a sample is worth.
        modifiers: Applied to the scores from left to right.
        draw: How the plan is drawn; `Proportional` if None.

    Example:
        >>> from batchsel.selectors import LossEMA, Mix, Warmup
        >>> LossEMA(0.9) | Warmup(1) | Mix(0.1)
        loss_ema(decay=0.9) | warmup(passes=1) | mix(uniform=0.1)
    """

    name = "pipe"
    score: Score
    modifiers: tuple[Modifier, ...] = ()
    draw: Draw | None = None

    def __repr__(self) -> str:
        drawn = () if self.draw is None else (self.draw,)
        return " | ".join(map(repr, (self.score, *self.modifiers, *drawn)))

    @property
    def signals(self) -> tuple[str, ...]:
        """What the score reads besides the loss."""
        return self.score.signals

    @property
    def uses_training_losses(self) -> bool:
        """Whether any of its parts does."""
        return any(part.uses_training_losses for part in (self.score, *self.modifiers, self.draw or Proportional()))

    @property
    def prepares(self) -> bool:
        """Whether the score wants other models to be trained first."""
        return self.score.prepares

    def prepare(self, state: State, learn: TrainAuxiliary, seed: int) -> State:
        """What the score finds out before the first step."""
        return (self.score.prepare(state[0], learn, seed), *state[1:])

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """As the draw wants it."""
        return (self.draw or Proportional()).steps_per_plan(n, batch_size)

    def init(self, n: int) -> State:
        """The states of the score and of each modifier."""
        return tuple(part.init(n) for part in (self.score, *self.modifiers))

    def update(self, state: State, seen: SampleStats, context: Context) -> State:
        """The updates of the score and of each modifier."""
        parts = zip((self.score, *self.modifiers), state, strict=True)
        return tuple(part.update(own, seen, context) for part, own in parts)

    def scores(self, state: State, context: Context) -> tf.Tensor:
        """``float64[n]`` what is drawn from: the scores behind all modifiers."""
        scores = tf.cast(self.score.score(state[0], context), tf.float64)
        for modifier, own in zip(self.modifiers, state[1:], strict=True):
            scores = modifier.modify(scores, context, own)
        return scores

    def plan(self, state: State, context: Context) -> Plan:
        """Scores, modifies, draws."""
        return (self.draw or Proportional()).draw(self.scores(state, context), context)


def join(left: Part, right: Part) -> Pipe:
    """What ``left | right`` means.

    Args:
        left: A score, or a pipe without a draw.
        right: A modifier or a draw.

    Raises:
        UsageError: If the two do not fit, saying what may stand where.

    Example:
        >>> from batchsel.selectors import Mix, Random
        >>> Random() | Mix()
        Traceback (most recent call last):
        batchsel.errors.UsageError: random | mix(uniform=0.1): 'random' gives no scores, so nothing can ...
    """
    pipe = Pipe(left) if isinstance(left, Score) else left
    words = f"{left!r} | {right!r}"
    if not isinstance(pipe, Pipe):
        raise UsageError(
            f"{words}: {left.name!r} gives no scores, so nothing can follow it. A pipe starts with a score,"
            " as in 'loss_ema(0.9) | warmup(1)'."
        )
    if pipe.draw is not None:
        raise UsageError(f"{words}: nothing can follow a draw ({pipe.draw.name!r}); put it last.")
    if isinstance(right, Modifier):
        return Pipe(pipe.score, (*pipe.modifiers, right), None)
    if isinstance(right, Draw):
        return Pipe(pipe.score, pipe.modifiers, right)
    raise UsageError(f"{words}: {right.name!r} is no modifier and no draw; a pipe is score | modifiers | draw.")
