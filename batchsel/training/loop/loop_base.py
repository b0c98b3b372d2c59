"""Base of the training loop: its variables, context of the selector, log, traced functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from batchsel.core.timestamp import Timestamp
from batchsel.selectors import Context, Plan, SampleStats, Selection, Selector
from batchsel.selectors.base import Shapes, State, is_user_code
from batchsel.selectors.validation import planning
from batchsel.selectors.validation.declaration import check_sizes, make_state
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples
from batchsel.training.inputs.rows import ALL_ROWS, PADDED_ROWS, RealRows
from batchsel.training.loop.batch_transforms import BatchTransforms
from batchsel.training.loop.compilation import Compilation
from batchsel.training.loop.loop_state import COUNTS, BudgetWindow, LoopState, LoopStatus
from batchsel.training.loop.plan_checks import check_plan, check_weightless, valid_loss_weights
from batchsel.training.loop.pool_scorer import PoolScorer
from batchsel.training.loop.schedule_log import ScheduleLog
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.optim.lr_controller import read_rate


class Runner(Protocol):
    """Traced functions that run a loop over data of one form."""

    def trace_count(self) -> int:
        """Return how often its functions were traced, at most; 1 is right."""
        ...


class LoopBase:
    """Variables and parts of a training loop over a data set.

    Args:
        step: The optimizer step.
        selector: Chooses the batches.
        n: Samples in the data set.
        batch_size: b.
        compilation: The parts that XLA compiles.
        transforms: Transforms of each training batch, or None.
        shapes: Shapes of the signals that the selector requests.

    Raises:
        UserError: If the selector states impossible sizes, or returns no usable state.
    """

    def __init__(
        self,
        step: TrainStep,
        selector: Selector,
        n: int,
        batch_size: int,
        compilation: Compilation,
        transforms: BatchTransforms | None = None,
        shapes: Shapes | None = None,
    ) -> None:
        check_sizes(selector, n, batch_size)
        self.shapes = shapes
        """Shapes of one sample of each signal, as far as the selector's state may depend on them."""
        self.checks_user_code = is_user_code(selector)
        self._checks_factors = selector.weighs and self.checks_user_code
        self.step = step
        self.selector = selector
        self.transforms = transforms
        self.n = n
        self.batch_size = batch_size
        pool = selector.pool_size(batch_size)
        self.width = pool or batch_size
        """Rows of a pool; b if batches are planned directly."""
        self.plan_steps = int(selector.steps_per_plan(n, batch_size))
        arrays.check_plan_size(self.plan_steps, self.width)
        self.plan_is_pass = selector.plan_is_pass(n, batch_size)
        """True if a plan is an epoch: a pass over the data, or over the part of them that it keeps."""
        self.short = selector.short_batch(n, batch_size)
        """Rows of a batch that is not full: 0 if all are full, None if there is no fixed number."""
        self.xla = compilation.all
        fills_up = (compilation.all and self.short is None) or step.fills_up(batch_size, self.short)
        self.rows = PADDED_ROWS if fills_up else ALL_ROWS
        """The rows of a batch that the step sees, unless the batch is short and `short_rows` has those."""
        self.short_rows = None if self.rows.padded or self.short == 0 else RealRows(batch_size, self.short)
        """The rows of a short batch, or None if `rows` are right for all batches."""
        self.splits = self.short_rows is not None and pool is None
        """True if short batches are known from the plan, so that the loop over full batches has no branch."""
        self.ranking: list[str] = []
        """Lines in which a user's selector puts numbers in order, once it is traced."""
        self.first_plan_checked = False
        self.scorer = PoolScorer(step, selector, batch_size)
        """Scores pools, and batches that are only scored."""
        self.choose = _compile(self._choose, compilation.choosing)
        self._checked_plan = _compile(self._plan_and_check, compilation.planning)
        self.seed = tf.Variable(tf.constant(0), trainable=False, name="seed")
        self.state = tf.nest.map_structure(lambda t: tf.Variable(t, trainable=False), self.initial_state())
        names = list(self._logged_values(Timestamp.from_progress(0.0)))
        self.schedule_log = ScheduleLog(names) if names else None
        self.log_names = [*step.metrics.results(), "learning_rate"]
        """Columns of the log of an interval; known because the metrics are built first."""
        self._metrics = [(value, tf.Variable(value, trainable=False)) for value in step.metrics.variables]
        """Variables of the metrics, and their values when the last interval ended, for `show_metrics`."""
        self.chosen_weights = None if pool is None else tf.Variable(tf.zeros([batch_size]), trainable=False)
        """``float32[b]`` weights of the last batch chosen from a pool, for callbacks; not part of the state."""
        self.runners: dict[Any, Runner] = {}
        """Runners by form of the data; kept here because feeds come and go, and traces stay."""

    def initial_state(self) -> LoopState:
        """Return the state before the first step."""
        zero = tf.zeros([], tf.int64)
        rows = self.plan_steps * self.width
        return LoopState(
            state=make_state(self.selector, self.n, self.shapes),
            plan=Plan(tf.zeros([rows], tf.int32), tf.zeros([rows]), tf.constant(0)),
            cursor=tf.constant(0),
            step=zero,
            samples=zero,
            scored=zero,
            plans=zero,
            status=tf.constant(LoopStatus.OK),
            last_indices=tf.zeros([self.batch_size], tf.int32),
            last_losses=tf.zeros([self.batch_size]),
            losses=tf.fill([self.n], float("inf")),
            visits=tf.zeros([self.n], tf.int32),
        )

    def load(self, window: BudgetWindow | None = None) -> LoopState:
        """Read the state from the variables.

        Args:
            window: The budget of the call under way.
        """
        values = tf.nest.map_structure(lambda variable: variable.read_value(), self.state)
        return self._with_positions(values if window is None else values._replace(window=window))

    def store(self, loop_state: LoopState) -> None:
        """Write a state to the variables, without its window and what follows from the rest."""
        values = loop_state._replace(window=(), positions=(), position=())
        tf.nest.map_structure(lambda variable, value: variable.assign(value), self.state, values)

    def reset(self) -> None:
        """Reset everything to before the first step."""
        self.store(self.initial_state())
        self.begin_fit()

    def begin_fit(self) -> None:
        """Clear accumulated gradients and the schedule log."""
        if self.step.accumulator is not None:
            self.step.accumulator.clear()
        if self.schedule_log is not None:
            self.schedule_log.clear()

    def last_weights(self) -> np.ndarray:
        """Return ``float32[b]``, the planned weights of the last batch; 0 for rows that only fill it up."""
        if self.chosen_weights is not None:
            return self.chosen_weights.numpy()
        end = int(self.state.cursor.numpy()) * self.width
        return self.state.plan.weights.numpy()[end - self.width : end]

    def clear_error(self) -> None:
        """Clear the status after an error, and drop the plan in which it happened."""
        if int(self.state.status.numpy()) != LoopStatus.OK:
            self.state.status.assign(LoopStatus.OK)
            self.drop_plan()

    def drop_plan(self) -> None:
        """Drop what is left of the plan, which may have stated an impossible number of steps."""
        self.state.plan.steps.assign(tf.clip_by_value(self.state.plan.steps, 0, self.plan_steps))
        self.state.cursor.assign(self.state.plan.steps)

    def add_scored(self, count: int) -> None:
        """Add to the samples scored, for forward passes outside of the loop."""
        self.state.scored.assign_add(count)

    def counters(self, loop_state: LoopState) -> tf.Tensor:
        """Return ``int64[6]``: steps, samples, samples scored, plans, the position in the budget, and the status."""
        status = tf.cast(loop_state.status, tf.int64)
        counts = (loop_state.step, loop_state.samples, loop_state.scored, loop_state.plans)
        return tf.stack([*counts, loop_state.position, status])

    def counts(self) -> dict[str, int]:
        """Return the counters by name, without the position and the status."""
        return dict(zip(COUNTS, map(int, self.counters(self.load()).numpy()), strict=False))

    def position(self, window: BudgetWindow) -> int:
        """Return the position of the run, as `LoopState.position` counts it.

        Args:
            window: The budget.
        """
        return int(self.load(window).position.numpy())

    def trace_count(self) -> int:
        """Return how often any function of the loop was traced, at most; 1 is right."""
        return max((runner.trace_count() for runner in self.runners.values()), default=0)

    def context(self, loop_state: LoopState, samples: Samples | None) -> Context:
        """Return the context of a run that a selector receives.

        Args:
            loop_state: The state.
            samples: The whole data set, or None if it is streamed.
        """
        return Context(
            step=loop_state.step,
            samples=loop_state.samples,
            progress=loop_state.timestamp.progress,
            plans=loop_state.plans,
            fit_plans=loop_state.plans - loop_state.window.plans,
            budget=loop_state.window.budget,
            budget_left=loop_state.budget_left,
            counts_epochs=loop_state.window.by_plan,
            seed=self.seed.read_value(),
            n=self.n,
            batch_size=self.batch_size,
            losses=loop_state.losses,
            labels=None if samples is None else samples.y,
            inputs=samples.x if samples is not None and self.selector.needs_inputs else None,
            visits=loop_state.visits,
        )

    def slice_at_cursor(self, rows: tf.Tensor, loop_state: LoopState, in_branch: bool = False) -> tf.Tensor:
        """Return the rows of a plan that belong to the next batch or pool.

        Args:
            rows: ``[m]``, indices or weights of the plan.
            loop_state: The state.
            in_branch: Whether this is in a branch of `tf.cond`, where XLA takes the start of a slice for a constant
                and compiles the whole loop again for each value.
        """
        start = loop_state.cursor * self.width
        return tf.gather(rows, start + tf.range(self.width)) if in_branch else tf.slice(rows, [start], [self.width])

    def _next_is_full(self, loop_state: LoopState, outside: bool) -> tf.Tensor:
        """Return ``bool[]``, whether the next batch of the plan has no rows that only fill it up.

        Args:
            loop_state: The state.
            outside: Whether this is outside of the loop over batches; as for `slice_at_cursor` in a branch.
        """
        last = tf.minimum(loop_state.cursor, self.plan_steps - 1)
        weights = self.slice_at_cursor(loop_state.plan.weights, loop_state._replace(cursor=last), outside)
        return tf.reduce_all(weights != 0)

    def log_row(self) -> tf.Tensor:
        """Return ``float32[metrics]`` in the order of `log_names`."""
        values = self.step.metrics.results()
        rate = read_rate(self.step.optimizer)
        values["learning_rate"] = tf.zeros([]) if rate is None else tf.cast(rate, tf.float32)
        return tf.stack([values[name] for name in self.log_names])

    def end_interval(self) -> tf.Tensor:
        """Reset the metrics, whose values `show_metrics` gives them again, and return `log_row` as it was before."""
        row = self.log_row()
        with tf.control_dependencies([row]):
            for variable, kept in self._metrics:
                kept.assign(variable)
            self.step.metrics.reset()
        return row

    def show_metrics(self) -> None:
        """Give the metrics the values that they had at the end of the last interval; they are reset before the next."""
        for variable, kept in self._metrics:
            variable.assign(kept)

    def _plan_and_check(self, state: State, context: Context) -> tuple[Plan, tf.Tensor]:
        plan = planning.make_plan(self.selector, state, context, self.ranking)
        sizes = self.plan_steps, self.width, self.selector.scores_excluded, self.short
        status = check_plan(plan, self.n, *sizes)
        return plan, status if self.step.takes_weights else check_weightless(plan, self.width, status)

    def _choose(self, state: State, candidates: SampleStats, context: Context) -> Selection:
        return planning.choose(self.selector, state, candidates, context, self.ranking)

    def _with_positions(self, loop_state: LoopState) -> LoopState:
        """Return a state whose plan is new with its position, and those of the plan if the budget may count plans."""
        if self.plan_is_pass and loop_state.window:
            weights = tf.reshape(loop_state.plan.weights, [self.plan_steps, self.width])
            rows = tf.math.count_nonzero(weights > 0, axis=1)
            loop_state = loop_state.with_positions(tf.where(tf.range(self.plan_steps) < loop_state.plan.steps, rows, 0))
        return loop_state.with_position()

    def _loss_weights(
        self, state: State, context: Context, usable: list[tf.Tensor]
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
        """Return the selector's factors of losses, as a function of the losses and of which rows are real.

        Those of users are checked: unusable ones become 0, and ``bool[]`` is appended to `usable`.
        """
        if not self.selector.weighs:
            return None

        def factors(losses: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
            found = self.selector.loss_weights(state, losses, valid, context)
            if not self._checks_factors:
                return found
            usable.append(valid_loss_weights(found))
            return tf.where(usable[-1], found, tf.zeros_like(found))

        return factors

    def _log_update(self, counts_samples: tf.Tensor, timestamp: Timestamp) -> None:
        """Log the schedules after an update."""
        if self.schedule_log is not None:
            time = tf.where(counts_samples, timestamp.progress, timestamp.passes)
            self.schedule_log.record(timestamp.progress, self._logged_values(timestamp), time)

    def _logged_values(self, timestamp: Timestamp) -> dict[str, tf.Tensor]:
        values = self.step.logged_values(timestamp)
        return values if self.transforms is None else values | self.transforms.logged_values(timestamp)


def _compile(function: Callable[..., Any], compiled: bool) -> Callable[..., Any]:
    return tf.function(function, jit_compile=True, autograph=False) if compiled else function
