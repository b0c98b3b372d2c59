"""The protocol of a selector: an immutable config with pure functions over explicit state.

Shapes use n = samples in the data set, b = batch size, m = rows of a plan.
"""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from batchsel.core.call_syntax import to_text
from batchsel.selectors.types import Context, Plan, SampleStats, Selection, TrainAuxiliary

State = Any


class Part:
    """What selectors are composed of with ``|``. Subclasses are frozen dataclasses.

    Example:
        >>> from batchsel.selectors import LossEMA, Mix
        >>> LossEMA(0.9) | Mix(uniform=0.1)
        loss_ema(decay=0.9) | mix(uniform=0.1)
    """

    name: ClassVar[str]

    def __or__(self, other: Part) -> Part:
        from batchsel.selectors.pipe import join

        return join(self, other)

    def __repr__(self) -> str:
        return to_text(self)


class Selector(Part):
    """Chooses which samples are trained on next, and with what weight.

    Subclass it as a frozen dataclass, give it a `name`, and define `steps_per_plan` and `plan`; the
    rest has defaults. All methods are traced by TensorFlow once and must be pure: what a selector
    remembers is in the state that it is handed and hands back.

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

    signals: ClassVar[tuple[str, ...]] = ()
    """What `update` reads besides the loss; the names of fields of `SampleStats`."""
    prepares: ClassVar[bool] = False
    """Whether `prepare` is called before the first step."""
    scores_excluded: ClassVar[bool] = False
    """Whether plans may hold batches that are only scored: those whose rows have weight -1."""
    weighs: ClassVar[bool] = False
    """Whether `loss_weights` is called in each step."""
    can_skip_scoring: ClassVar[bool] = False
    """Whether pools may hold no more real rows than a batch has; such a pool is trained on without being scored."""
    requires_nonnegative_losses: ClassVar[bool] = True
    """Whether losses below 0 would mislead it."""
    needs_inputs: ClassVar[bool] = False
    """Whether `Context.inputs` is given."""
    uses_training_losses: ClassVar[bool] = True
    """Whether it goes by what the forward passes of training find out: by `Context.losses`, or by more of
    `SampleStats` in `update` and `loss_weights` than which rows there were. Samples mixed of two (mixup, CutMix)
    would mislead it; it is refused with them unless it says False."""
    traceable: ClassVar[bool] = True
    """False if the selector leaves TensorFlow (NumPy code), which rules out XLA."""

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """How many steps are planned at once, a static number.

        Args:
            n: Samples in the data set.
            batch_size: b.
        """
        raise NotImplementedError

    def pool_size(self, batch_size: int) -> int | None:
        """Rows that are scored to take one batch from them; None if batches are planned directly.

        Args:
            batch_size: b.
        """
        return None

    def init(self, n: int) -> State:
        """The state before the first step, a nest of tensors.

        Args:
            n: Samples in the data set.
        """
        return ()

    def prepare(self, state: State, learn: TrainAuxiliary, seed: int) -> State:
        """What other models have to say first; called outside of the compiled loop, on the clock, if `prepares`.

        Called at the start of each fit: it returns the state as it is where nothing is left to find out.

        Args:
            state: The selector's state.
            learn: Trains a fresh model of the same form, and gives the losses of all samples under it.
            seed: Seed of the run.
        """
        return state

    def plan(self, state: State, context: Context) -> Plan:
        """Which samples next.

        Args:
            state: What `init` or `update` returned last.
            context: Where the run stands.

        Returns:
            A plan of ``steps_per_plan`` batches (or pools) of rows.
        """
        raise NotImplementedError

    def choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        """Takes the batch from a scored pool; called only if `pool_size` is not None.

        Args:
            state: The selector's state.
            candidates: Signals of the pool, arrays of its size.
            context: Where the run stands.
        """
        raise NotImplementedError

    def observe(self, state: State, candidates: SampleStats, context: Context) -> State:
        """What a scored pool taught us, before the batch that was taken from it is trained on.

        Args:
            state: The state before it.
            candidates: Signals of the pool, arrays of its size.
            context: Where the run stands.
        """
        return state

    def loss_weights(self, state: State, losses: tf.Tensor, valid: tf.Tensor, context: Context) -> tf.Tensor:
        """Factors of the losses within a step, when they are known; called only if `weighs` is true.

        Args:
            state: The selector's state.
            losses: ``float32[b]`` losses of the batch.
            valid: ``bool[b]`` false for rows that fill up the batch.
            context: Where the run stands.

        Returns:
            ``float32[b]``, which multiply the weights of the plan.
        """
        raise NotImplementedError

    def update(self, state: State, seen: SampleStats, context: Context) -> State:
        """What the last step taught us.

        Args:
            state: The state before the step.
            seen: Signals of the samples trained on.
            context: Where the run stands, the step included.
        """
        return state

    def rescore(self, state: State, seen: SampleStats, context: Context) -> State:
        """What a batch that was only scored taught us; as `update`, unless it is overridden.

        Args:
            state: The state before it.
            seen: Signals of the samples that were scored.
            context: Where the run stands.
        """
        return self.update(state, seen, context)


class Score(Part):
    """Gives every sample a number that says how much it is wanted; a `Draw` turns it into batches.

    Example:
        >>> from batchsel.selectors import LossEMA
        >>> LossEMA().init(3).shape.as_list()
        [3, 2]
    """

    signals: ClassVar[tuple[str, ...]] = ()
    prepares: ClassVar[bool] = False
    """Whether `prepare` is called before the first step."""
    uses_training_losses: ClassVar[bool] = True
    """As in `Selector`."""

    def init(self, n: int) -> State:
        """The state before the first step, as in `Selector.init`."""
        return ()

    def prepare(self, state: State, learn: TrainAuxiliary, seed: int) -> State:
        """What other models have to say first, as in `Selector.prepare`."""
        return state

    def update(self, state: State, seen: SampleStats, context: Context) -> State:
        """What the last step taught us, as in `Selector.update`."""
        return state

    def score(self, state: State, context: Context) -> tf.Tensor:
        """``float32[n]``, not negative; infinity asks for a sample before all others.

        Args:
            state: The score's state.
            context: Where the run stands.
        """
        raise NotImplementedError


class Modifier(Part):
    """Changes scores on their way to the draw.

    Modifiers compute in float64: compilers differ in the last bits of a formula, and scores are cut to 24
    bits when they are drawn from, so that the plan is the same in every mode.

    Example:
        >>> from batchsel.selectors import LossEMA, Warmup
        >>> LossEMA() | Warmup(passes=1)
        loss_ema(decay=0.9) | warmup(passes=1)
    """

    uses_training_losses: ClassVar[bool] = True
    """As in `Selector`."""

    def init(self, n: int) -> State:
        """What it remembers, as in `Selector.init`; most modifiers remember nothing."""
        return ()

    def update(self, state: State, seen: SampleStats, context: Context) -> State:
        """What the last step taught us, as in `Selector.update`."""
        return state

    def modify(self, scores: tf.Tensor, context: Context, state: State = ()) -> tf.Tensor:
        """New scores.

        Args:
            scores: ``float64[n]``, not negative, infinite for samples that are wanted first.
            context: Where the run stands.
            state: What it remembers.

        Returns:
            ``float64[n]`` of the same kind.
        """
        raise NotImplementedError


class Draw(Part):
    """Turns scores into a plan.

    Example:
        >>> from batchsel.selectors import Proportional
        >>> Proportional().steps_per_plan(60_000, 128)
        32
    """

    uses_training_losses: ClassVar[bool] = True
    """As in `Selector`."""

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """As in `Selector.steps_per_plan`."""
        raise NotImplementedError

    def draw(self, scores: tf.Tensor, context: Context) -> Plan:
        """The next plan.

        Args:
            scores: ``float64[n]``, not negative, infinite for samples that are wanted first.
            context: Where the run stands.
        """
        raise NotImplementedError
