"""Traced functions that run a loop: over data in memory in one call, over streamed data block by block."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.training.inputs.batch import Samples
from batchsel.training.loop.loop_state import SEGMENTS, BudgetWindow, LoopState, LoopStatus
from batchsel.training.loop.train_loop import TrainLoop


class InMemoryRunner:
    """Runner of a loop over data in memory; one call may hold many plans, and many segments of the evaluation grid.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: TrainLoop) -> None:
        self._loop = loop
        self.run = own_function(self._run, jit_compile=loop.xla)

    def trace_count(self) -> int:
        """Return how often the function was traced; 1 is right."""
        return self.run.experimental_get_tracing_count()

    def _run(
        self, data: Any, window: BudgetWindow, stops: tf.Tensor, segments: tf.Tensor, last_step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Train up to the last of the stops.

        Args:
            data: The whole data set, from `TrainStep.place`.
            window: The budget of the call.
            stops: ``int64[SEGMENTS]`` positions at which a segment ends; its metrics are logged.
            segments: ``int32[]`` number of stops that are in use.
            last_step: ``int64[]`` the step after which the call returns in any case.

        Returns:
            ``int32[]`` segments ended, ``float32[SEGMENTS, metrics]`` their logs, and `TrainLoop.counters`.
        """
        loop, samples = self._loop, self._loop.step.whole(data)

        def gather(indices: tf.Tensor, loop_state: LoopState) -> Samples:
            return loop.step.fetch(data, indices)

        def condition(loop_state: LoopState, segment: tf.Tensor, logs: tf.Tensor) -> tf.Tensor:
            return (segment < segments) & (loop_state.status == LoopStatus.OK) & (loop_state.step < last_step)

        def body(loop_state: LoopState, segment: tf.Tensor, logs: tf.Tensor) -> tuple:
            context = loop.context(loop_state, samples)
            loop_state = loop.plan_if_due(loop_state, context)
            stop = stops[segment]

            def unfinished(loop_state: LoopState) -> tf.Tensor:
                return (loop_state.position < stop) & (loop_state.step < last_step)

            loop_state = loop.steps(loop_state, gather, unfinished, samples)
            ended = (loop_state.position >= stop) & (loop_state.status == LoopStatus.OK)
            logs = tf.cond(ended, lambda: self._log(logs, segment), lambda: logs)
            return loop_state, segment + tf.cast(ended, tf.int32), logs

        logs = tf.zeros([SEGMENTS, len(loop.log_names)])
        start = (loop.load(window), tf.constant(0), logs)
        loop_state, segment, logs = tf.while_loop(condition, body, start, parallel_iterations=1)
        loop.store(loop_state)
        return segment, logs, loop.counters(loop_state)

    def _log(self, logs: tf.Tensor, segment: tf.Tensor) -> tf.Tensor:
        return tf.tensor_scatter_nd_update(logs, [[segment]], self._loop.end_interval()[None])


class BlockRunner:
    """Runner of a loop over blocks of rows, read from a source in the order of the plan.

    Args:
        loop: The loop.
        steps: Batches (or pools) of a block.
    """

    def __init__(self, loop: TrainLoop, steps: int) -> None:
        self._loop = loop
        self.steps = steps
        self.plan, self.train, self.log = (
            own_function(method, jit_compile=loop.xla) for method in (self._plan, self._train, loop.end_interval)
        )

    def trace_count(self) -> int:
        """Return how often any of the functions was traced, at most; 1 is right."""
        return max(function.experimental_get_tracing_count() for function in (self.plan, self.train, self.log))

    def _plan(self, window: BudgetWindow) -> None:
        loop_state = self._loop.load(window)
        self._loop.store(self._loop.plan(loop_state, self._loop.context(loop_state, None)))

    def _train(
        self, block: Any, first: tf.Tensor, window: BudgetWindow, stop: tf.Tensor, last_step: tf.Tensor
    ) -> tf.Tensor:
        """Train on a block, whose first batch is number `first` of the plan, up to a stop or the last step.

        Returns:
            ``int64[]`` the position then.
        """
        loop = self._loop

        def gather(indices: tf.Tensor, loop_state: LoopState) -> Samples:
            positions = (loop_state.cursor - first) * loop.width + tf.range(loop.width)
            return loop.step.fetch(block, positions)

        def unfinished(loop_state: LoopState) -> tf.Tensor:
            inside = loop_state.cursor < first + self.steps
            return inside & (loop_state.position < stop) & (loop_state.step < last_step)

        loop_state = loop.steps(loop.load(window), gather, unfinished, None)
        loop.store(loop_state)
        return loop_state.position
