"""Composition of a selector from parts: score | modifiers | draw."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from batchsel.errors import UsageError
from batchsel.selectors.base import Part, Selector, Shapes, State, initial_state, is_user_code
from batchsel.selectors.ops.plan_interval import interval_in_steps
from batchsel.selectors.ops.sampling import plan_in_proportion
from batchsel.selectors.ops.score_log import note_scores, pause_log
from batchsel.selectors.types import Context, Plan, SampleStats, TrainAuxiliary


class Score(Part):
    """The first part of a pipe: assigns every sample a score, from which a `Draw` samples batches.

    Example:
        >>> from batchsel.selectors import LossEMA
        >>> LossEMA().init(3).shape.as_list()
        [3, 2]
    """

    signals: tuple[str, ...] = ()
    """As in `Selector`."""
    needs_inputs: bool = False
    """As in `Selector`."""
    requires_nonnegative_losses: bool = True
    """As in `Selector`."""
    traceable: bool = True
    """As in `Selector`."""
    uses_training_losses: bool = True
    """As in `Selector`."""

    def __or__(self, other: Part) -> Pipe:
        return Pipe(self) | other

    def init(self, n: int) -> State:
        """Return the state before the first step, as `Selector.init` does."""
        return ()

    def prepare(self, state: State, train_auxiliary: TrainAuxiliary, seed: int) -> State:
        """Train auxiliary models before the first step, as `Selector.prepare` does."""
        return state

    def update(self, state: State, stats: SampleStats, context: Context) -> State:
        """Update the state from the batch that was trained on, as `Selector.update` does."""
        return state

    def score(self, state: State, context: Context) -> tf.Tensor:
        """Return ``float32[n]`` scores, not negative; samples with an infinite score are drawn before all others."""
        raise NotImplementedError


class Modifier(Part):
    """A middle part of a pipe: changes scores on their way to the draw.

    Modifiers compute in float64: compilers differ in the last bits of a formula, and the draw rounds scores to 24
    bits, so that the plan is the same in every mode.

    Example:
        >>> from batchsel.selectors import LossEMA, Warmup
        >>> LossEMA() | Warmup(passes=1)
        loss_ema(decay=0.9) | warmup(passes=1.0, most=1.0)
    """

    def init(self, n: int) -> State:
        """Return the state before the first step, as `Selector.init` does; most modifiers have none."""
        return ()

    def update(self, state: State, stats: SampleStats, context: Context) -> State:
        """Update the state from the batch that was trained on, as `Selector.update` does."""
        return state

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """Return modified scores.

        Args:
            scores: ``float64[n]``, not negative, infinite for samples that come first.
            context: The run at this step.
            state: The modifier's state.

        Returns:
            ``float64[n]`` of the same kind.
        """
        raise NotImplementedError


class Draw(Part):
    """The last part of a pipe: samples a plan from scores.

    Example:
        >>> from batchsel.selectors import Proportional
        >>> Proportional().steps_per_plan(60_000, 128)
        32
    """

    plans_passes: bool | None = None
    """As in `Selector`."""

    @property
    def plans_weights(self) -> bool:
        """True if its plans may weigh samples by other factors than 1."""
        return False

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the number of steps that are planned at once, as `Selector.steps_per_plan` does."""
        raise NotImplementedError

    def short_batch(self, n: int, batch_size: int) -> int | None:
        """Return the rows of batches that are not full, as `Selector.short_batch` does."""
        return None

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """Sample the next plan.

        Args:
            scores: ``float64[n]``, not negative, infinite for samples that come first.
            context: The run at this step.
        """
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Pipe(Selector):
    """A selector composed of a score, modifiers and a draw.

    Args:
        score: The score.
        modifiers: Applied to the scores from left to right.
        draw: The draw; None draws as `Proportional()` does.

    Example:
        >>> from batchsel.selectors import LossEMA, Mix, Warmup
        >>> LossEMA(0.9) | Warmup(1) | Mix(0.1)
        loss_ema(decay=0.9) | warmup(passes=1.0, most=1.0) | mix(uniform=0.1)
    """

    name = "pipe"
    score: Score
    modifiers: tuple[Modifier, ...] = ()
    draw: Draw | None = None

    def __post_init__(self) -> None:
        signals = (name for part in self.list_parts() for name in getattr(part, "signals", ()))
        object.__setattr__(self, "signals", tuple(dict.fromkeys(signals)))
        object.__setattr__(
            self, "needs_inputs", any(getattr(part, "needs_inputs", False) for part in self.list_parts())
        )
        object.__setattr__(self, "requires_nonnegative_losses", self.score.requires_nonnegative_losses)
        object.__setattr__(self, "traceable", all(getattr(part, "traceable", True) for part in self.list_parts()))
        object.__setattr__(self, "uses_training_losses", any(part.uses_training_losses for part in self.list_parts()))
        object.__setattr__(self, "plans_passes", False if self.draw is None else self.draw.plans_passes)

    def __or__(self, other: Part) -> Pipe:
        """Append a modifier or a draw.

        Raises:
            UsageError: If `other` is neither, or the pipe has a draw already.
        """
        if other.follows_selectors:
            other.follow(self)  # raises, because a pipe has no pools
        text = f"{self!r} | {other!r}"
        if self.draw is not None:
            raise UsageError(f"{text}: nothing can follow a draw ({self.draw.name!r}); put it last.")
        if isinstance(other, Modifier):
            return Pipe(self.score, (*self.modifiers, other))
        if isinstance(other, Draw):
            return Pipe(self.score, self.modifiers, other)
        raise UsageError(
            f"{text}: {other.name!r} is neither a modifier nor a draw; a pipe is score | modifiers | draw."
        )

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.list_parts()))

    def list_parts(self) -> tuple[Score | Modifier | Draw, ...]:
        """Return the score, the modifiers and the draw, if it has one."""
        return (self.score, *self.modifiers, *(() if self.draw is None else (self.draw,)))

    @property
    def prepares(self) -> bool:
        """True if the score overrides `prepare`."""
        return type(self.score).prepare is not Score.prepare

    def prepare(self, state: State, train_auxiliary: TrainAuxiliary, seed: int) -> State:
        """Train the auxiliary models of the score."""
        return (self.score.prepare(state[0], train_auxiliary, seed), *state[1:])

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the number of steps that the draw plans."""
        if self.draw is None:
            return interval_in_steps(None, n, batch_size)
        return self.draw.steps_per_plan(n, batch_size)

    def short_batch(self, n: int, batch_size: int) -> int | None:
        """Return the rows of batches of the draw that are not full."""
        return 0 if self.draw is None else self.draw.short_batch(n, batch_size)

    def init(self, n: int, shapes: Shapes | None = None) -> State:
        """Return the states of the score and of each modifier."""
        return tuple(initial_state(part, n, shapes) for part in (self.score, *self.modifiers))

    def update(self, state: State, stats: SampleStats, context: Context) -> State:
        """Update the states of the score and of each modifier."""
        parts = zip((self.score, *self.modifiers), state, strict=True)
        return tuple(part.update(own, stats, context) for part, own in parts)

    def scores(self, state: State, context: Context) -> tf.Tensor:
        """Return the ``float64[n]`` scores after all modifiers, from which the draw samples."""
        scores = tf.cast(self.score.score(state[0], context), tf.float64)
        if is_user_code(self.score):
            note_scores(scores)
        for modifier, own in zip(self.modifiers, state[1:], strict=True):
            scores = modifier.modify(scores, context, own)
            if is_user_code(modifier):
                note_scores(scores, may_be_zero=True)
        return scores

    def plan(self, state: State, context: Context) -> Plan:
        """Score, modify, draw."""
        scores = self.scores(state, context)
        if self.draw is not None and is_user_code(self.draw):
            return self.draw.draw(scores, context)
        with pause_log():
            if self.draw is not None:
                return self.draw.draw(scores, context)
            steps = self.steps_per_plan(context.n, context.batch_size)
            return plan_in_proportion(scores, steps, context.batch_size, context.rng)
