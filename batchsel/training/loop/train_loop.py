"""The training loop: plan, gather a batch, transform it, train on it, update the selector."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from batchsel.core.tf_support.static_shapes import static_size
from batchsel.selectors import Context, SampleStats
from batchsel.selectors.ops.sampling import scatter_update
from batchsel.training.inputs.batch import Batch, Samples, gather_rows
from batchsel.training.inputs.rows import PADDED_ROWS, Rows
from batchsel.training.loop.loop_base import LoopBase
from batchsel.training.loop.loop_state import LoopState, LoopStatus
from batchsel.training.loop.plan_checks import check_losses, check_selection

Gather = Callable[[tf.Tensor, LoopState], Samples]
"""Fetches the rows at the cursor of a plan: their sample numbers ``int32[b]``, the state -> the rows."""


class TrainLoop(LoopBase):
    """Training on the batches that a selector plans. All methods are traced, and return the next state."""

    def steps(
        self,
        loop_state: LoopState,
        gather: Gather,
        unfinished: Callable[[LoopState], tf.Tensor],
        samples: Samples | None,
    ) -> LoopState:
        """Step through the plan in use.

        Args:
            loop_state: The state.
            gather: Fetches the rows of a batch.
            unfinished: Whether to continue, unless the plan is used up or there is an error.
            samples: The whole data set, or None if it is streamed.
        """

        def due(loop_state: LoopState) -> tf.Tensor:
            in_plan = loop_state.cursor < loop_state.plan.steps
            return in_plan & (loop_state.status == LoopStatus.OK) & unfinished(loop_state)

        def advance(loop_state: LoopState, rows: Rows) -> LoopState:
            return self.advance(loop_state, gather, self.context(loop_state, samples), rows)

        def goes_on(loop_state: LoopState, outside: bool = False) -> tf.Tensor:
            return due(loop_state) & self._next_is_full(loop_state, outside) if self.splits else due(loop_state)

        def body(loop_state: LoopState, more: tf.Tensor) -> tuple[LoopState, tf.Tensor]:
            loop_state = advance(loop_state, self.rows)
            return loop_state, goes_on(loop_state)

        # The body computes whether to go on, with what else it computes: a condition of its own costs XLA more.
        start = loop_state, goes_on(loop_state, outside=True)
        loop_state, _ = tf.while_loop(lambda _, more: more, body, start, parallel_iterations=1)
        short = self.short_rows
        if short is None or not self.splits:
            return loop_state
        # What is still due is a short batch, a separate trace: without it, there is no branch in the loop above.
        return tf.cond(due(loop_state), lambda: advance(loop_state, short), lambda: loop_state)

    def plan(self, loop_state: LoopState, context: Context) -> LoopState:
        """Make the next plan, and check it."""
        plan, status = self._checked_plan(loop_state.state, context)
        status = tf.where(status == LoopStatus.OK, loop_state.status, status)
        loop_state = loop_state._replace(plan=plan, cursor=tf.constant(0), plans=loop_state.plans + 1, status=status)
        return self._with_positions(loop_state)

    def plan_if_due(self, loop_state: LoopState, context: Context) -> LoopState:
        """Make the next plan if that in use is used up."""
        # Branches return what plans change and no more: TensorFlow traces several operations for each tensor returned.
        changed = ("plan", "cursor", "plans", "status", "positions", "position")

        def pick(loop_state: LoopState) -> list:
            return [getattr(loop_state, name) for name in changed]

        values = tf.cond(
            loop_state.cursor < loop_state.plan.steps,
            lambda: pick(loop_state),
            lambda: pick(self.plan(loop_state, context)),
        )
        return loop_state._replace(**dict(zip(changed, values, strict=True)))

    def advance(self, loop_state: LoopState, gather: Gather, context: Context, rows: Rows = PADDED_ROWS) -> LoopState:
        """Train on the batch at the cursor of the plan, on one chosen from it if it is a pool, or only score it."""
        in_branch = self.splits and rows is self.short_rows
        indices = self.slice_at_cursor(loop_state.plan.indices, loop_state, in_branch)
        weights = self.slice_at_cursor(loop_state.plan.weights, loop_state, in_branch)
        batch = Batch(indices, weights, *gather(indices, loop_state))
        if not self.selector.scores_excluded:
            return self._train(loop_state, batch, context, rows)
        return tf.cond(
            weights[0] < 0,
            lambda: self._score(loop_state, batch, context),
            lambda: self._train(loop_state, batch, context, rows),
        )

    def _train(self, loop_state: LoopState, batch: Batch, context: Context, rows: Rows) -> LoopState:
        """Transform a batch, update the model on it, then the selector."""
        if self.chosen_weights is not None:
            loop_state, batch = self._select(loop_state, batch, context)
            self.chosen_weights.assign(batch.weights)
        if self.transforms is not None:
            time = {"seed": context.seed, "step": context.step, "timestamp": loop_state.timestamp}
            batch = self.step.transform(batch, partial(self.transforms, **time))
        short = self.short_rows
        if short is None or self.splits:
            return self._update(loop_state, batch, context, rows)
        return tf.cond(
            tf.reduce_all(batch.valid),
            lambda: self._update(loop_state, batch, context, rows),
            lambda: self._update(loop_state, batch, context, short),
        )

    def _update(self, loop_state: LoopState, batch: Batch, context: Context, rows: Rows) -> LoopState:
        """Update the model on rows of a batch, then the selector."""
        usable: list[tf.Tensor] = []
        loop_state = self.scorer.learn(batch, loop_state, rows)
        stats = self.step.train(
            batch,
            loop_state.timestamp,
            loop_state.is_last,
            rows=rows,
            loss_weights=self._loss_weights(loop_state.state, context, usable),
            after_update=partial(self._log_update, loop_state.window.counts_samples),
        )
        samples = loop_state.samples + tf.math.count_nonzero(stats.valid)
        loop_state = self._record(loop_state._replace(step=loop_state.step + 1, samples=samples), stats)._replace(
            visits=tf.tensor_scatter_nd_add(loop_state.visits, stats.indices[:, None], tf.cast(stats.valid, tf.int32)),
        )
        if usable:
            status = tf.where(usable[0], loop_state.status, LoopStatus.INVALID_LOSS_WEIGHTS)
            loop_state = loop_state._replace(status=status)
        context = context._replace(
            step=loop_state.step, samples=loop_state.samples, losses=loop_state.losses, visits=loop_state.visits
        )
        return loop_state._replace(state=self.selector.update(loop_state.state, stats, context))

    def _select(self, loop_state: LoopState, pool: Batch, context: Context) -> tuple[LoopState, Batch]:
        """Score a pool, and take the batch from it that the selector chooses."""

        def choose() -> tuple[LoopState, tf.Tensor, tf.Tensor]:
            listed, places = self.scorer.shortlist(pool, loop_state.losses)
            stats, scored = self.scorer.score_and_learn(listed, loop_state)
            selection = self.choose(loop_state.state, stats, context)
            scored = scored._replace(
                status=check_selection(
                    selection, static_size(listed.indices), loop_state.status, self.checks_user_code
                ),
                state=self.selector.observe(loop_state.state, stats, context),
            )
            positions = tf.clip_by_value(selection.positions, 0, static_size(listed.indices) - 1)
            return scored, positions if places is None else tf.gather(places, positions), selection.weights

        def take_first() -> tuple[LoopState, tf.Tensor, tf.Tensor]:
            return loop_state, tf.range(self.batch_size), pool.weights[: self.batch_size]

        due = self.scorer.is_due(loop_state.step)
        if self.selector.can_skip_scoring:
            full = tf.math.count_nonzero(pool.weights) > self.batch_size
            due = full if due is None else full & due
        if due is not None:
            loop_state, positions, weights = tf.cond(due, choose, take_first)
        else:
            loop_state, positions, weights = choose()
        return loop_state, gather_rows(pool, positions)._replace(weights=weights)

    def _score(self, loop_state: LoopState, batch: Batch, context: Context) -> LoopState:
        """Score a batch that is not trained on."""
        stats, loop_state = self.scorer.score_and_learn(batch, loop_state)
        loop_state = self._record(loop_state, stats)
        state = self.selector.rescore(loop_state.state, stats, context._replace(losses=loop_state.losses))
        return loop_state._replace(state=state)

    def _record(self, loop_state: LoopState, stats: SampleStats) -> LoopState:
        """Record the losses of a batch, and advance the cursor."""
        loop_state = loop_state._replace(cursor=loop_state.cursor + 1).with_position()
        return loop_state._replace(
            status=check_losses(stats.loss, self.selector.requires_nonnegative_losses, loop_state.status),
            last_indices=stats.indices,
            last_losses=stats.loss,
            losses=scatter_update(loop_state.losses, stats.indices, stats.loss),
        )
