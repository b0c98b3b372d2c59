"""The training loop as one traced function: plans and steps run without Python in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.selectors import Context, Plan, Selector
from batchsel.selectors.base import State
from batchsel.training.loop.batch_transforms import BatchTransforms
from batchsel.training.loop.compilation import Compilation
from batchsel.training.loop.loop_state import (
    EMPTY,
    FINE,
    OUTSIDE,
    SEGMENTS,
    WEIGHTLESS,
    BudgetWindow,
    LoopState,
    timestamp,
)
from batchsel.training.loop.schedule_log import ScheduleLog
from batchsel.training.loop.train_step import Rows, Step
from batchsel.training.loop.turn import BatchTurn, gather_rows, valid_weights
from batchsel.transforms.augmentation import Pipeline
from batchsel.transforms.curricula import Curricula


class Loop:
    """Runs a selector and a step over a data set.

    Args:
        step: The optimizer step.
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
        preparation = BatchTransforms.of(augmentation, curricula, compilation.augmenting)
        self._turn = BatchTurn(step, selector, batch_size, self.choose, preparation)
        names = list(self._turn.logged_values(Timestamp.from_progress(0.0)))
        self.schedule_log = ScheduleLog(names) if names else None
        step.after_update = None if self.schedule_log is None else self._note
        self.plan_steps = selector.steps_per_plan(n, batch_size)
        self.seed = tf.Variable(0, trainable=False, dtype=tf.int32, name="seed")
        self.state = tf.nest.map_structure(lambda t: tf.Variable(t, trainable=False), self.first_carry())
        self.run = tf.function(self._run, jit_compile=self.xla, autograph=False)
        self.log_names: list[str] = []
        self.blocks: dict[int, Any] = {}

    def _note(self, now: Timestamp) -> None:
        self.schedule_log.note(now.progress, self._turn.logged_values(now))

    def first_carry(self) -> LoopState:
        """The carry before the first step."""
        zero = tf.zeros([], tf.int64)
        rows = self.plan_steps * self.width
        nothing = Plan(tf.zeros([rows], tf.int32), tf.zeros([rows]), tf.constant(0))
        return LoopState(
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
        self.begin_fit()

    def begin_fit(self) -> None:
        """Forgets what belongs to the call of fit before: gradients of batches without an update, the course."""
        if self.step.accumulation is not None:
            self.step.accumulation.clear()
        if self.schedule_log is not None:
            self.schedule_log.clear()

    def clear_error(self) -> None:
        """Forgets a fault, and the plan in which it happened."""
        if int(self.state.fault.numpy()) != FINE:
            self.state.fault.assign(FINE)
            self.state.cursor.assign(self.state.plan.steps)

    def load(self) -> LoopState:
        """The carry as tensors."""
        return tf.nest.map_structure(lambda variable: variable.read_value(), self.state)

    def store(self, loop_state: LoopState) -> None:
        """Writes a carry back to the variables."""
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self.state, loop_state)

    def context(self, loop_state: LoopState, window: BudgetWindow, samples: Rows | None) -> Context:
        """What the selector is told.

        Args:
            loop_state: The carry.
            window: What progress is measured by.
            samples: All of them, or None if they are streamed.
        """
        return Context(
            step=loop_state.step,
            samples=loop_state.samples,
            progress=timestamp(loop_state, window).progress,
            plans=loop_state.plans,
            seed=self.seed.read_value(),
            n=self.n,
            batch_size=self.batch_size,
            losses=loop_state.losses,
            labels=None if samples is None else samples.y,
            inputs=samples.x if samples is not None and self.selector.needs_inputs else None,
        )

    def plan(self, loop_state: LoopState, context: Context) -> LoopState:
        """Makes the next plan, and checks it."""
        plan, fault = self._plan(loop_state.state, context)
        fault = tf.where(fault == FINE, loop_state.fault, fault)
        return loop_state._replace(plan=plan, cursor=tf.constant(0), plans=loop_state.plans + 1, fault=fault)

    def _checked_plan(self, state: State, context: Context) -> tuple[Plan, tf.Tensor]:
        plan = self.selector.plan(state, context)
        outside = tf.reduce_any((plan.indices < 0) | (plan.indices >= self.n))
        empty = (plan.steps < 1) | (plan.steps > self.plan_steps)
        usable = valid_weights(tf.reshape(plan.weights, [self.plan_steps, self.width]))
        weightless = tf.reduce_any(~usable & (tf.range(self.plan_steps) < plan.steps))
        fault = tf.where(empty, EMPTY, tf.where(outside, OUTSIDE, tf.where(weightless, WEIGHTLESS, FINE)))
        return plan, fault

    def slice_at_cursor(self, rows: tf.Tensor, loop_state: LoopState) -> tf.Tensor:
        """The rows of the plan that belong to the next batch or pool.

        Args:
            rows: ``[m]``, indices or weights of the plan.
            loop_state: The carry.
        """
        return tf.slice(rows, [loop_state.cursor * self.width], [self.width])

    def advance(self, loop_state: LoopState, rows: Rows, context: Context, window: BudgetWindow) -> LoopState:
        """One step: the rows of the plan at the cursor are trained on, or only scored.

        Args:
            loop_state: The carry.
            rows: The batch or pool at the cursor.
            context: What the selector is told.
            window: What progress is measured by.
        """
        indices, weights = (
            self.slice_at_cursor(loop_state.plan.indices, loop_state),
            self.slice_at_cursor(loop_state.plan.weights, loop_state),
        )
        return self._turn(loop_state, rows, indices, weights, context, window)

    def steps(
        self,
        loop_state: LoopState,
        fetch: Callable[[LoopState], Rows],
        more: Callable[[LoopState], tf.Tensor],
        window: BudgetWindow,
        samples: Rows | None,
    ) -> LoopState:
        """Steps through the plan in use while `more` holds.

        Args:
            loop_state: The carry.
            fetch: Gives the rows at the cursor.
            more: Whether to go on, besides the end of the plan and faults.
            window: As in `context`.
            samples: As in `context`.
        """

        def unfinished(loop_state: LoopState) -> tf.Tensor:
            return (loop_state.cursor < loop_state.plan.steps) & (loop_state.fault == FINE) & more(loop_state)

        def body(loop_state: LoopState) -> tuple[LoopState]:
            return (self.advance(loop_state, fetch(loop_state), self.context(loop_state, window, samples), window),)

        (loop_state,) = tf.while_loop(unfinished, body, (loop_state,), parallel_iterations=1)
        return loop_state

    def _run(
        self, data: Rows, window: BudgetWindow, stops: tf.Tensor, segments: tf.Tensor, last_step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Trains on resident data up to the last of the stops.

        Args:
            data: All samples, first axis n.
            window: What progress is measured by.
            stops: ``int64[SEGMENTS]`` samples trained on at which a segment ends; its metrics are logged.
            segments: ``int32[]`` how many of the stops are in use.
            last_step: ``int64[]`` the step after which the call returns in any case.

        Returns:
            ``int32[]`` segments ended, ``float32[SEGMENTS, metrics]`` their logs, and `counters`.
        """

        def going(loop_state: LoopState, segment: tf.Tensor, logs: tf.Tensor) -> tf.Tensor:
            return (segment < segments) & (loop_state.fault == FINE) & (loop_state.step < last_step)

        def body(loop_state: LoopState, segment: tf.Tensor, logs: tf.Tensor) -> tuple:
            context = self.context(loop_state, window, data)
            loop_state = tf.cond(
                loop_state.cursor < loop_state.plan.steps, lambda: loop_state, lambda: self.plan(loop_state, context)
            )
            stop = stops[segment]

            def fetch(loop_state: LoopState) -> Rows:
                return gather_rows(data, self.slice_at_cursor(loop_state.plan.indices, loop_state))

            loop_state = self.steps(
                loop_state,
                fetch,
                lambda loop_state: (loop_state.samples < stop) & (loop_state.step < last_step),
                window,
                data,
            )
            ended = (loop_state.samples >= stop) & (loop_state.fault == FINE)
            logs = tf.cond(ended, lambda: self._logged(logs, segment), lambda: logs)
            return loop_state, segment + tf.cast(ended, tf.int32), logs

        logs = tf.zeros([SEGMENTS, self.log_size()])
        loop_state, segment, logs = tf.while_loop(
            going, body, (self.load(), tf.constant(0), logs), parallel_iterations=1
        )
        self.store(loop_state)
        return segment, logs, self.counters(loop_state)

    def counters(self, loop_state: LoopState) -> tf.Tensor:
        """``int64[5]``: steps, samples, samples scored, plans, and the fault.

        Args:
            loop_state: The carry.
        """
        fault = tf.cast(loop_state.fault, tf.int64)
        return tf.stack([loop_state.step, loop_state.samples, loop_state.scored, loop_state.plans, fault])

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
