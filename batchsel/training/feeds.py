"""Where the rows come from: the device, or a random-access source that is read ahead along the plan."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.evaluation import resident
from batchsel.training.loop import FINE, SEGMENTS, Carry, Loop, Span, gather
from batchsel.training.step import Rows


class Outcome(NamedTuple):
    """What a call of the loop did."""

    ended: int
    """Segments that ended in it."""
    logs: np.ndarray
    """``float32[k, metrics]`` their metrics."""
    counters: np.ndarray
    """``int64[5]`` as `Loop.counters` gives them."""


class Feed(Protocol):
    """Runs the loop over some data."""

    n: int

    def example(self) -> Rows:
        """One sample, to build the model with."""

    def run(self, loop: Loop, span: Span, stops: np.ndarray, last_step: int) -> Outcome:
        """Trains up to the last stop, or to `last_step`.

        Args:
            loop: The loop.
            span: What progress is measured by.
            stops: ``int64[k]`` samples trained on at which segments end, k at most `SEGMENTS`.
            last_step: The step after which the call returns in any case.

        Returns:
            What happened.
        """

    def traces(self, loop: Loop) -> int:
        """How often the functions of the loop were traced, at most; 1 is right."""


class Resident:
    """All samples on the device; one call may hold many plans.

    Args:
        rows: Arrays, first axis n.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.data = resident(*rows)
        self.n = int(tf.nest.flatten(self.data.x)[0].shape[0])

    def example(self) -> Rows:
        """One sample, and all targets so that they can be checked."""
        return self._rows

    def run(self, loop: Loop, span: Span, stops: np.ndarray, last_step: int) -> Outcome:
        """As in `Feed.run`."""
        padded = np.full([SEGMENTS], np.iinfo(np.int64).max)
        padded[: len(stops)] = stops
        results = loop.run(
            self.data, span, tf.constant(padded), tf.constant(len(stops)), tf.constant(last_step, tf.int64)
        )
        ended, logs, counters = (result.numpy() for result in results)
        return Outcome(int(ended), logs, counters)

    def traces(self, loop: Loop) -> int:
        """As in `Feed.traces`."""
        return loop.run.experimental_get_tracing_count()


class Streamed:
    """Samples from a source that need not fit into memory; at most two blocks of them are held.

    While a block is trained on, a thread reads the next one of the plan. Waiting for it is on the clock.

    Args:
        source: ``len(source)`` samples, and ``source.take(indices)`` gives arrays ``(x, y)`` or
            ``(x, y, sample_weight)`` of those rows.
        buffer_bytes: Bytes that both blocks may take, at least one batch each.
    """

    def __init__(self, source: Any, buffer_bytes: int) -> None:
        self.n = len(source)
        if self.n == 0:
            raise UserError("the source is empty: there is no sample to train on.")
        self._source = source
        self._buffer_bytes = buffer_bytes
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batchsel-reader")
        self._ahead: dict[tuple[int, int], Future] = {}
        self._functions: tuple[Any, Any, Any] | None = None
        self._loop: Loop | None = None

    def example(self) -> Rows:
        """One sample."""
        return self._take(np.array([0]))

    def run(self, loop: Loop, span: Span, stops: np.ndarray, last_step: int) -> Outcome:
        """As in `Feed.run`."""
        plan, train, log = self._traced(loop)
        ended, logs = 0, np.zeros([len(stops), len(loop.log_names)], np.float32)
        while ended < len(stops) and int(loop.carry.step.numpy()) < last_step:
            if int(loop.carry.cursor.numpy()) >= int(loop.carry.plan.steps.numpy()):
                plan(span)
            if int(loop.carry.fault.numpy()) != FINE:
                break
            cursor, plans = int(loop.carry.cursor.numpy()), int(loop.carry.plans.numpy())
            block = cursor // self._block_steps
            rows = self._block(loop, plans, block)
            limits = (stops[ended], np.int64(last_step))
            train(rows, tf.constant(block * self._block_steps), span, *map(tf.constant, limits))
            if int(loop.carry.fault.numpy()) == FINE and int(loop.carry.samples.numpy()) >= stops[ended]:
                logs[ended] = log().numpy()
                ended += 1
        return Outcome(ended, logs, loop.counters(loop.load()).numpy())

    def traces(self, loop: Loop) -> int:
        """As in `Feed.traces`."""
        return max(function.experimental_get_tracing_count() for function in self._traced(loop))

    def _traced(self, loop: Loop) -> tuple[Any, Any, Any]:
        if self._loop is not loop:
            row = sum(leaf.nbytes for leaf in tf.nest.flatten(self.example()) if leaf is not None)
            steps = self._buffer_bytes // (2 * row * loop.width)
            self._block_steps = int(max(1, min(steps, loop.plan_steps)))
            self._loop, self._ahead = loop, {}
            options = {"jit_compile": loop.xla, "autograph": False}
            bodies = (self._plan, self._train, self._log)
            self._functions = tuple(tf.function(body, **options) for body in bodies)
        return self._functions

    def _plan(self, span: Span) -> None:
        carry = self._loop.load()
        self._loop.store(self._loop.plan(carry, self._loop.context(carry, span, None)))

    def _train(self, block: Rows, first: tf.Tensor, span: Span, stop: tf.Tensor, last_step: tf.Tensor) -> None:
        loop = self._loop

        def fetch(carry: Carry) -> Rows:
            places = (carry.cursor - first) * loop.width + tf.range(loop.width)
            return gather(block, places)

        def more(carry: Carry) -> tf.Tensor:
            inside = carry.cursor < first + self._block_steps
            return inside & (carry.samples < stop) & (carry.step < last_step)

        loop.store(loop.steps(loop.load(), fetch, more, span, None))

    def _log(self) -> tf.Tensor:
        row = self._loop.log_row()
        self._loop.step.metrics.reset()
        return row

    def _block(self, loop: Loop, plans: int, block: int) -> Rows:
        """The rows of a block of the plan, read ahead if they were asked for before."""
        indices = loop.carry.plan.indices.numpy()
        rows = self._block_steps * loop.width
        blocks = -(-int(loop.carry.plan.steps.numpy()) // self._block_steps)

        def ask(number: int) -> Future:
            wanted = np.take(indices, np.arange(number * rows, (number + 1) * rows), mode="clip")
            return self._reader.submit(self._take, wanted)

        future = self._ahead.pop((plans, block), None) or ask(block)
        if block + 1 < blocks and (plans, block + 1) not in self._ahead:
            self._ahead = {(plans, block + 1): ask(block + 1)}
        read = future.result()
        return resident(*read)

    def _take(self, indices: np.ndarray) -> Rows:
        return Rows(*self._source.take(indices))
