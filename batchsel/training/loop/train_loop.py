"""The training loop as one traced function: plans and steps run without Python in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from batchsel.core.timestamp import Moment
from batchsel.selectors import Context, Plan, Selector
from batchsel.selectors.base import State
from batchsel.training.loop.batch_transforms import Preparation
from batchsel.training.loop.compilation import Compilation
from batchsel.training.loop.loop_state import EMPTY, FINE, OUTSIDE, SEGMENTS, WEIGHTLESS, Carry, Span, moment
from batchsel.training.loop.schedule_log import Course
from batchsel.training.loop.train_step import Rows, Step
from batchsel.training.loop.turn import Turn, gather, sound
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula


class Loop:
    """Runs a selector and a step over a data set.

    Args:
        step: The optimiser step.
        selector: Chooses the batches.
        n: Samples in the data set.
        batch_size: b.
        compilation: What XLA compiles.
        augmentation: Changes the samples of each batch that is trained on, or None.
        curricula: Change what they look like over time, or None.
    """

    def __init__(
        self,
        step: Step,
        selector: Selector,
        n: int,
        batch_size: int,
        compilation: Compilation,
        augmentation: Pipeline | None = None,
        curricula: Curricula | None = None,
    ) -> None:
        self.step = step
        self.selector = selector
        self.n = n
        self.batch_size = batch_size
        self.xla = compilation.all
        self.width = selector.pool_size(batch_size) or batch_size
        self.choose, self._plan = selector.choose, self._checked_plan
        if compilation.planning:
            self._plan = tf.function(self._plan, jit_compile=True, autograph=False)
        if compilation.choosing:
            self.choose = tf.function(self.choose, jit_compile=True, autograph=False)
        self.augmentation = augmentation
        preparation = Preparation.of(augmentation, curricula, compilation.augmenting)
        self._turn = Turn(step, selector, batch_size, self.choose, preparation)
        names = list(self._turn.shown(Moment.of(0.0)))
        self.course = Course(names) if names else None
        step.after_update = None if self.course is None else self._note
        self.plan_steps = selector.steps_per_plan(n, batch_size)
        self.seed = tf.Variable(0, trainable=False, dtype=tf.int32, name="seed")
        self.carry = tf.nest.map_structure(lambda t: tf.Variable(t, trainable=False), self.first_carry())
        self.run = tf.function(self._run, jit_compile=self.xla, autograph=False)
        self.log_names: list[str] = []
        self.blocks: dict[int, Any] = {}

    def _note(self, now: Moment) -> None:
        self.course.note(now.progress, self._turn.shown(now))

    def first_carry(self) -> Carry:
        """The carry before the first step."""
        zero = tf.zeros([], tf.int64)
        rows = self.plan_steps * self.width
        nothing = Plan(tf.zeros([rows], tf.int32), tf.zeros([rows]), tf.constant(0))
        return Carry(
            state=self.selector.init(self.n),
            plan=nothing,
            cursor=tf.constant(0),
            step=zero,
            samples=zero,
            scored=zero,
            plans=zero,
            fault=tf.constant(FINE),
            last_indices=tf.zeros([self.batch_size], tf.int32),
            last_losses=tf.zeros([self.batch_size]),
            losses=tf.fill([self.n], float("inf")),
            visits=tf.zeros([self.n], tf.int32),
        )

    def reset(self) -> None:
        """Puts everything back to before the first step."""
        self.store(self.first_carry())
        self.begin()

    def begin(self) -> None:
        """Forgets what belongs to the call of fit before: gradients of batches without an update, the course."""
        if self.step.accumulation is not None:
            self.step.accumulation.clear()
        if self.course is not None:
            self.course.clear()

    def forgive(self) -> None:
        """Forgets a fault, and the plan in which it happened."""
        if int(self.carry.fault.numpy()) != FINE:
            self.carry.fault.assign(FINE)
            self.carry.cursor.assign(self.carry.plan.steps)

    def load(self) -> Carry:
        """The carry as tensors."""
        return tf.nest.map_structure(lambda variable: variable.read_value(), self.carry)

    def store(self, carry: Carry) -> None:
        """Writes a carry back to the variables."""
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self.carry, carry)

    def context(self, carry: Carry, span: Span, samples: Rows | None) -> Context:
        """What the selector is told.

        Args:
            carry: The carry.
            span: What progress is measured by.
            samples: All of them, or None if they are streamed.
        """
        return Context(
            step=carry.step,
            samples=carry.samples,
            progress=moment(carry, span).progress,
            plans=carry.plans,
            seed=self.seed.read_value(),
            n=self.n,
            batch_size=self.batch_size,
            losses=carry.losses,
            labels=None if samples is None else samples.y,
            inputs=samples.x if samples is not None and self.selector.sees_inputs else None,
        )

    def plan(self, carry: Carry, context: Context) -> Carry:
        """Makes the next plan, and checks it."""
        plan, fault = self._plan(carry.state, context)
        fault = tf.where(fault == FINE, carry.fault, fault)
        return carry._replace(plan=plan, cursor=tf.constant(0), plans=carry.plans + 1, fault=fault)

    def _checked_plan(self, state: State, context: Context) -> tuple[Plan, tf.Tensor]:
        plan = self.selector.plan(state, context)
        outside = tf.reduce_any((plan.indices < 0) | (plan.indices >= self.n))
        empty = (plan.steps < 1) | (plan.steps > self.plan_steps)
        usable = sound(tf.reshape(plan.weights, [self.plan_steps, self.width]))
        weightless = tf.reduce_any(~usable & (tf.range(self.plan_steps) < plan.steps))
        fault = tf.where(empty, EMPTY, tf.where(outside, OUTSIDE, tf.where(weightless, WEIGHTLESS, FINE)))
        return plan, fault

    def at_cursor(self, rows: tf.Tensor, carry: Carry) -> tf.Tensor:
        """The rows of the plan that belong to the next batch or pool.

        Args:
            rows: ``[m]``, indices or weights of the plan.
            carry: The carry.
        """
        return tf.slice(rows, [carry.cursor * self.width], [self.width])

    def advance(self, carry: Carry, rows: Rows, context: Context, span: Span) -> Carry:
        """One step: the rows of the plan at the cursor are trained on, or only scored.

        Args:
            carry: The carry.
            rows: The batch or pool at the cursor.
            context: What the selector is told.
            span: What progress is measured by.
        """
        indices, weights = self.at_cursor(carry.plan.indices, carry), self.at_cursor(carry.plan.weights, carry)
        return self._turn(carry, rows, indices, weights, context, span)

    def steps(
        self,
        carry: Carry,
        fetch: Callable[[Carry], Rows],
        more: Callable[[Carry], tf.Tensor],
        span: Span,
        samples: Rows | None,
    ) -> Carry:
        """Steps through the plan in use while `more` holds.

        Args:
            carry: The carry.
            fetch: Gives the rows at the cursor.
            more: Whether to go on, besides the end of the plan and faults.
            span: As in `context`.
            samples: As in `context`.
        """

        def unfinished(carry: Carry) -> tf.Tensor:
            return (carry.cursor < carry.plan.steps) & (carry.fault == FINE) & more(carry)

        def body(carry: Carry) -> tuple[Carry]:
            return (self.advance(carry, fetch(carry), self.context(carry, span, samples), span),)

        (carry,) = tf.while_loop(unfinished, body, (carry,), parallel_iterations=1)
        return carry

    def _run(
        self, data: Rows, span: Span, stops: tf.Tensor, segments: tf.Tensor, last_step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Trains on resident data up to the last of the stops.

        Args:
            data: All samples, first axis n.
            span: What progress is measured by.
            stops: ``int64[SEGMENTS]`` samples trained on at which a segment ends; its metrics are logged.
            segments: ``int32[]`` how many of the stops are in use.
            last_step: ``int64[]`` the step after which the call returns in any case.

        Returns:
            ``int32[]`` segments ended, ``float32[SEGMENTS, metrics]`` their logs, and `counters`.
        """

        def going(carry: Carry, segment: tf.Tensor, logs: tf.Tensor) -> tf.Tensor:
            return (segment < segments) & (carry.fault == FINE) & (carry.step < last_step)

        def body(carry: Carry, segment: tf.Tensor, logs: tf.Tensor) -> tuple:
            context = self.context(carry, span, data)
            carry = tf.cond(carry.cursor < carry.plan.steps, lambda: carry, lambda: self.plan(carry, context))
            stop = stops[segment]

            def fetch(carry: Carry) -> Rows:
                return gather(data, self.at_cursor(carry.plan.indices, carry))

            carry = self.steps(
                carry,
                fetch,
                lambda carry: (carry.samples < stop) & (carry.step < last_step),
                span,
                data,
            )
            ended = (carry.samples >= stop) & (carry.fault == FINE)
            logs = tf.cond(ended, lambda: self._logged(logs, segment), lambda: logs)
            return carry, segment + tf.cast(ended, tf.int32), logs

        logs = tf.zeros([SEGMENTS, self.log_size()])
        carry, segment, logs = tf.while_loop(going, body, (self.load(), tf.constant(0), logs), parallel_iterations=1)
        self.store(carry)
        return segment, logs, self.counters(carry)

    def counters(self, carry: Carry) -> tf.Tensor:
        """``int64[5]``: steps, samples, samples scored, plans, and the fault.

        Args:
            carry: The carry.
        """
        fault = tf.cast(carry.fault, tf.int64)
        return tf.stack([carry.step, carry.samples, carry.scored, carry.plans, fault])

    def log_size(self) -> int:
        """Columns of the logs: the metrics and the learning rate."""
        return len(self.log_names)

    def _logged(self, logs: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
        values = self.log_row()
        logs = tf.tensor_scatter_nd_update(logs, [[segment]], values[None])
        self.step.metrics.reset()
        return logs

    def log_row(self) -> tf.Tensor:
        """``float32[metrics]`` in the order of `log_names`."""
        values = self.step.metrics.results()
        values["learning_rate"] = tf.cast(self.step.optimizer.learning_rate, tf.float32)
        return tf.stack([values[name] for name in self.log_names])
