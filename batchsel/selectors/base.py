"""The selector protocol: an immutable config with pure functions over explicit state.

Shapes use n = samples in the data set, b = batch size, m = rows of a plan.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.core.parameters import check_fields
from batchsel.core.rng import count_draws
from batchsel.errors import UsageError
from batchsel.selectors.types import Context, Plan, SampleStats, Selection, TrainAuxiliary

State = Any
Shapes = Mapping[str, tuple[int, ...]]
"""Shape of one sample, by name: of each signal that a selector requests, of the labels and the inputs."""

_METHODS = dict.fromkeys(("plan", "score", "modify", "draw", "active"), "") | {
    name: f"{name}/" for name in ("choose", "observe", "loss_weights", "update", "rescore")
}
"""Methods with a context, and in each the prefix of the streams of random numbers that have no name."""


class _ClassName:
    """The name of a part that states none: that of its class, in small letters with underscores."""

    def __get__(self, instance: Any, owner: type) -> str:
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", owner.__name__).lower()


class Part:
    """A selector, or a piece of one, that has a text form. Subclasses are frozen dataclasses.

    A class that is no dataclass keeps each parameter of its constructor under its own name (``self.share = share``),
    from which its text form is made, and changes nothing after that.

    Example:
        >>> from batchsel.selectors import LossEMA, Mix
        >>> LossEMA(0.9) | Mix(uniform=0.1)
        loss_ema(decay=0.9) | mix(uniform=0.1)
    """

    name: ClassVar[Any] = _ClassName()
    """Name in texts and records; if a class states none, its own name in small letters."""
    scoring: ClassVar[Any] = None
    """The `Scoring` that was appended to a selector, or None."""
    follows_selectors: bool = False
    """True if it follows a whole selector in a pipe, which `follow` then changes."""
    uses_training_losses: bool = False
    """True if it reads training losses other than through scores; see `Selector.uses_training_losses`."""
    accepts_batch_losses: bool = False
    """As in `Selector`."""
    calls_user_code: bool = False
    """True if it calls a function that was written outside of batchsel."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for method, scope in _METHODS.items():
            function = cls.__dict__.get(method)
            if inspect.isfunction(function):
                setattr(cls, method, count_draws(function, scope))

    def __post_init__(self) -> None:
        """Check the parameters by their annotations; a subclass that overrides it calls it."""
        check_fields(self)

    def __or__(self, other: Part) -> Part:
        """Append a modifier or a draw, if this is a score or a pipe; or the manner of scoring, if it scores pools.

        Raises:
            UsageError: If the two do not fit.
        """
        if other.follows_selectors:
            return other.follow(self)
        raise UsageError(
            f"{self!r} | {other!r}: {self.name!r} has no scores, so nothing can follow it. A pipe starts with a"
            " score, as in 'loss_ema(0.9) | warmup(1)'."
        )

    def follow(self, selector: Part) -> Part:
        """Return a selector that this follows in a pipe, as it then is; only for parts with `follows_selectors`.

        Args:
            selector: The selector before it.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return to_text(self) if self.scoring is None else f"{to_text(self)} | {self.scoring!r}"

    def list_parts(self) -> tuple[Any, ...]:
        """Return the parts that it is composed of: itself, unless it is a pipe, and its manner of scoring."""
        if self.scoring is None:
            return (self,)
        plain = copy.copy(self)
        object.__setattr__(plain, "scoring", None)
        return (plain, self.scoring)


def is_user_code(part: Part) -> bool:
    """Return whether a selector, or a part of it, was written outside of batchsel.

    Args:
        part: A selector or a part.

    Example:
        >>> from batchsel.selectors import LossEMA
        >>> is_user_code(LossEMA())
        False
    """
    own = __name__.partition(".")[0]
    return any(type(one).__module__.partition(".")[0] != own or one.calls_user_code for one in part.list_parts())


def wants_shapes(part: Any) -> bool:
    """Return whether `init` of a part takes the shapes of signals, as its second parameter.

    Args:
        part: A selector or a part.
    """
    return len(positional_parameters(part.init)) > 1


def positional_parameters(function: Any) -> list[inspect.Parameter]:
    """Return the parameters of a function that may be given by their places.

    Args:
        function: Anything that can be called.

    Raises:
        TypeError: If it cannot be called.
        ValueError: If it does not state them, as some functions in C.

    Example:
        >>> [each.name for each in positional_parameters(lambda a, b=1, *, c: None)]
        ['a', 'b']
    """
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in inspect.signature(function).parameters.values() if each.kind in kinds]


def initial_state(part: Any, n: int, shapes: Shapes | None = None) -> State:
    """Return the state of a part before the first step.

    Args:
        part: A selector or a part.
        n: Samples in the data set.
        shapes: Shapes of its signals; None for none.
    """
    return part.init(n, shapes or {}) if wants_shapes(part) else part.init(n)


class Selector(Part):
    """A rule that chooses the samples of the next batches and their weights.

    Subclass it as a frozen dataclass, give it a `name`, and define `steps_per_plan` and `plan`; the
    rest has defaults. TensorFlow traces all methods once. They must be pure: everything that a selector
    remembers is in the state that it receives and returns. `batchsel.testing.check_selector` checks a selector.

    Example:
        >>> import dataclasses, tensorflow as tf
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class FirstSamples(Selector):
        ...     name = "first_samples"
        ...     def steps_per_plan(self, n, batch_size):
        ...         return 1
        ...     def plan(self, state, context):
        ...         b = context.batch_size
        ...         return Plan(tf.range(b), tf.ones([b]), tf.constant(1))
        >>> FirstSamples()
        first_samples
    """

    signals: tuple[str, ...] = ()
    """Fields of `SampleStats`, other than the loss, that it reads."""
    scores_excluded: bool = False
    """True if plans may hold batches that are only scored: their rows have weight -1."""
    can_skip_scoring: bool = False
    """True if a pool may hold no more real rows than a batch has; such a pool is trained on without being scored."""
    requires_nonnegative_losses: bool = True
    """False if losses below 0 are fine."""
    needs_inputs: bool = False
    """True if it reads `Context.inputs`."""
    uses_training_losses: bool = True
    """False if it ignores the results of training: it reads neither `Context.losses` nor anything but the indices of
    `SampleStats` in `update` and `loss_weights`. Only such a selector may be combined with augmentations that mix two
    samples (mixup, CutMix), whose common loss says little about either."""
    accepts_batch_losses: bool = False
    """True if it reads losses, and works where those of samples are unknown: each is then the loss of its batch, as for
    a model with a `train_step` of its own."""
    traceable: bool = True
    """False if it calls NumPy code, which rules out XLA."""
    plans_passes: bool | None = None
    """True if a plan is a pass over the data, or over the part of them that it keeps: an epoch in `fit(epochs=)`. False
    if it is a shorter or longer stretch of training: an epoch is then n samples trained on. None if that is to be told
    from the size of a plan: one with room for all samples, and no pools, is a pass."""

    @property
    def prepares(self) -> bool:
        """True if it overrides `prepare`."""
        return type(self).prepare is not Selector.prepare

    @property
    def weighs(self) -> bool:
        """True if it overrides `loss_weights`."""
        return type(self).loss_weights is not Selector.loss_weights

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return the number of steps that are planned at once, a static number."""
        raise NotImplementedError

    def short_batch(self, n: int, batch_size: int) -> int | None:
        """Return the rows of its batches that are not full: 0 if all are, None if they have no fixed number.

        XLA needs to know it to compile a step on short batches; a wrong number is an error.
        """
        return None

    def pool_size(self, batch_size: int) -> int | None:
        """Return the number of rows that are scored to take one batch from; None if it plans batches directly."""
        return None

    def plan_is_pass(self, n: int, batch_size: int) -> bool:
        """Return whether a plan counts as an epoch; see `plans_passes`.

        Args:
            n: Samples in the data set.
            batch_size: b.
        """
        if self.plans_passes is not None:
            return self.plans_passes
        full = -(-n // batch_size)
        # One step more is for those who train on a part of the data and score the rest in batches of its own.
        return self.pool_size(batch_size) is None and full <= self.steps_per_plan(n, batch_size) <= full + 1

    def init(self, n: int) -> State:
        """Return the state before the first step, a nest of tensors with static shapes.

        Written as ``init(self, n, shapes)``, it also receives the shape of one sample of each signal of `signals`, and
        of "labels" and "inputs": ``tf.zeros([n, *shapes["features"]])``.
        """
        return ()

    def prepare(self, state: State, train_auxiliary: TrainAuxiliary, seed: int) -> State:
        """Train auxiliary models before the first step (eager, timed).

        Called at the start of each fit; return the state unchanged if there is nothing left to prepare.

        Args:
            state: The selector's state.
            train_auxiliary: Trains a fresh model of the same architecture, and returns the losses of all samples.
            seed: Seed of the run.
        """
        return state

    def plan(self, state: State, context: Context) -> Plan:
        """Choose the next samples.

        Args:
            state: The state that `init` or `update` returned last.
            context: The run at this step.

        Returns:
            A plan of ``steps_per_plan`` batches (or pools) of rows.
        """
        raise NotImplementedError

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Choose a batch from a scored pool; called only if `pool_size` is not None.

        Args:
            state: The selector's state.
            candidates: Statistics of the pool, arrays of its size.
            context: The run at this step.
        """
        raise NotImplementedError

    def observe(self, state: State, candidates: SampleStats, context: Context) -> State:
        """Update the state from a scored pool, before the chosen batch is trained on.

        Args:
            state: The selector's state.
            candidates: Statistics of the pool, arrays of its size.
            context: The run at this step.
        """
        return state

    def loss_weights(self, state: State, losses: tf.Tensor, valid: tf.Tensor, context: Context) -> tf.Tensor:
        """Weigh the losses within a step, when they are known; called only if it is overridden.

        Args:
            state: The selector's state.
            losses: ``float32[b]`` losses of the batch.
            valid: ``bool[b]`` false for padding rows.
            context: The run at this step.

        Returns:
            ``float32[b]``, which multiply the weights of the plan.
        """
        raise NotImplementedError

    def update(self, state: State, stats: SampleStats, context: Context) -> State:
        """Update the state from the batch that was trained on.

        Args:
            state: The state before the step.
            stats: Statistics of the samples trained on.
            context: The run after the step.
        """
        return state

    def rescore(self, state: State, stats: SampleStats, context: Context) -> State:
        """Update the state from a batch that was only scored; the same as `update` by default.

        Args:
            state: The state before it.
            stats: Statistics of the scored samples.
            context: The run at this step.
        """
        return self.update(state, stats, context)
