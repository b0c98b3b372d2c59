"""Where the rows come from: the device, or a random-access source that is read ahead along the plan."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.inputs import arrays
from batchsel.training.loop.evaluation import to_tensors
from batchsel.training.loop.loop_state import FINE, SEGMENTS, BudgetWindow, LoopState
from batchsel.training.loop.train_loop import Loop
from batchsel.training.loop.train_step import Rows
from batchsel.training.loop.turn import gather_rows


class LoopResult(NamedTuple):
    """What a call of the loop did."""

    ended: int
    """Segments that ended in it."""
    logs: np.ndarray
    """``float32[k, metrics]`` their metrics."""
    counters: np.ndarray
    """``int64[5]`` as `Loop.counters` gives them."""


class DataFeed(Protocol):
    """Runs the loop over some data."""

    n: int

    def example(self) -> Rows:
        """One sample, to build the model with."""

    def run(self, loop: Loop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """Trains up to the last stop, or to `last_step`.

        Args:
            loop: The loop.
            window: What progress is measured by.
            stops: ``int64[k]`` samples trained on at which segments end, k at most `SEGMENTS`.
            last_step: The step after which the call returns in any case.

        Returns:
            What happened.
        """

    def discard_prefetch(self) -> None:
        """Lets go of what was read ahead: variables were put back, and plans will be made anew."""

    def trace_count(self, loop: Loop) -> int:
        """How often the functions of the loop were traced, at most; 1 is right."""


class InMemoryFeed:
    """All samples on the device; one call may hold many plans.

    Args:
        rows: Arrays, first axis n.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.data = to_tensors(*rows)
        self.n = int(tf.nest.flatten(self.data.x)[0].shape[0])

    def example(self) -> Rows:
        """One sample, and all targets so that they can be checked."""
        return self._rows

    def run(self, loop: Loop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """As in `DataFeed.run`."""
        padded = np.full([SEGMENTS], np.iinfo(np.int64).max)
        padded[: len(stops)] = stops
        results = loop.run(
            self.data, window, tf.constant(padded), tf.constant(len(stops)), tf.constant(last_step, tf.int64)
        )
        ended, logs, counters = (result.numpy() for result in results)
        return LoopResult(int(ended), logs, counters)

    def discard_prefetch(self) -> None:
        """As in `DataFeed.discard_prefetch`."""

    def trace_count(self, loop: Loop) -> int:
        """As in `DataFeed.trace_count`."""
        return loop.run.experimental_get_tracing_count()


class Blocks:
    """The traced functions of a loop over blocks of rows; kept with the loop, whatever the source.

    Args:
        loop: The loop.
        steps: Batches (or pools) of a block.
    """

    def __init__(self, loop: Loop, steps: int) -> None:
        self._loop = loop
        self.steps = steps
        options = {"jit_compile": loop.xla, "autograph": False}
        self.plan = tf.function(self._plan, **options)
        self.train = tf.function(self._train, **options)
        self.log = tf.function(self._log, **options)

    def trace_count(self) -> int:
        """How often any of them was traced."""
        return max(function.experimental_get_tracing_count() for function in (self.plan, self.train, self.log))

    def _plan(self, window: BudgetWindow) -> None:
        loop_state = self._loop.load()
        self._loop.store(self._loop.plan(loop_state, self._loop.context(loop_state, window, None)))

    def _train(
        self, block: Rows, first: tf.Tensor, window: BudgetWindow, stop: tf.Tensor, last_step: tf.Tensor
    ) -> None:
        loop = self._loop

        def fetch(loop_state: LoopState) -> Rows:
            places = (loop_state.cursor - first) * loop.width + tf.range(loop.width)
            return gather_rows(block, places)

        def more(loop_state: LoopState) -> tf.Tensor:
            inside = loop_state.cursor < first + self.steps
            return inside & (loop_state.samples < stop) & (loop_state.step < last_step)

        loop.store(loop.steps(loop.load(), fetch, more, window, None))

    def _log(self) -> tf.Tensor:
        row = self._loop.log_row()
        self._loop.step.metrics.reset()
        return row


_BLOCK_STEPS = 128
"""Of a block at most: nothing can be trained on before the first block of a plan is read."""


class StreamingFeed:
    """Samples from a source that need not fit into memory; at most two blocks of them are held.

    While a block is trained on, a thread reads the next one of the plan. Waiting for it is on the clock.

    Args:
        source: ``len(source)`` samples, and ``source.take(indices)`` gives arrays ``(x, y)`` or
            ``(x, y, sample_weight)`` of those rows.
        buffer_bytes: Bytes that both blocks may take, at least one batch each.
        check: Called with the rows of a block and their sample numbers.
    """

    def __init__(self, source: Any, buffer_bytes: int, check: Callable[[Rows, np.ndarray], None]) -> None:
        self.n = len(source)
        if self.n == 0:
            raise UserError("the source is empty: there is no sample to train on.")
        self._source = source
        self._buffer_bytes = buffer_bytes
        self._check = check
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batchsel-reader")
        self._ahead: dict[tuple[int, int], Future] = {}
        self._held: tuple[tuple[int, int], Rows] | None = None
        self._row_bytes = 0

    def example(self) -> Rows:
        """One sample."""
        rows = self._given(np.array([0]))
        self._row_bytes = sum(leaf.nbytes for leaf in tf.nest.flatten(rows) if leaf is not None)
        return rows

    def run(self, loop: Loop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """As in `DataFeed.run`."""
        blocks = self._blocks(loop)
        ended, logs = 0, np.zeros([len(stops), len(loop.log_names)], np.float32)
        while ended < len(stops) and int(loop.state.step.numpy()) < last_step:
            if int(loop.state.cursor.numpy()) >= int(loop.state.plan.steps.numpy()):
                blocks.plan(window)
            if int(loop.state.fault.numpy()) != FINE:
                break
            number = int(loop.state.cursor.numpy()) // blocks.steps
            rows = self._block(loop, blocks.steps, number)
            limits = (stops[ended], np.int64(last_step))
            blocks.train(rows, tf.constant(number * blocks.steps), window, *map(tf.constant, limits))
            if int(loop.state.fault.numpy()) == FINE and int(loop.state.samples.numpy()) >= stops[ended]:
                logs[ended] = blocks.log().numpy()
                ended += 1
        return LoopResult(ended, logs, loop.counters(loop.load()).numpy())

    def discard_prefetch(self) -> None:
        """As in `DataFeed.discard_prefetch`."""
        self._ahead, self._held = {}, None

    def trace_count(self, loop: Loop) -> int:
        """As in `DataFeed.trace_count`."""
        return self._blocks(loop).trace_count()

    def _blocks(self, loop: Loop) -> Blocks:
        room = self._buffer_bytes // (2 * self._row_bytes * loop.width)
        steps = int(max(1, min(room, loop.plan_steps, _BLOCK_STEPS)))
        if steps not in loop.blocks:
            loop.blocks[steps] = Blocks(loop, steps)
        return loop.blocks[steps]

    def _block(self, loop: Loop, steps: int, number: int) -> Rows:
        """The rows of a block of the plan, read ahead if they were asked for before."""
        plans = int(loop.state.plans.numpy())
        if self._held is not None and self._held[0] == (plans, number):
            return self._held[1]  # a call of the loop may end in the middle of a block
        self._held = None
        indices = loop.state.plan.indices.numpy()
        rows = steps * loop.width
        count = -(-int(loop.state.plan.steps.numpy()) // steps)

        def ask(number: int) -> Future:
            wanted = np.take(indices, np.arange(number * rows, (number + 1) * rows), mode="clip")
            return self._reader.submit(self._take, wanted)

        future = self._ahead.pop((plans, number), None) or ask(number)
        if number + 1 < count and (plans, number + 1) not in self._ahead:
            self._ahead = {(plans, number + 1): ask(number + 1)}
        self._held = (plans, number), to_tensors(*future.result())
        return self._held[1]

    def _take(self, indices: np.ndarray) -> Rows:
        rows = self._given(indices)
        arrays.check_finite("the source", rows, indices)
        self._check(rows, indices)
        return rows

    def _given(self, indices: np.ndarray) -> Rows:
        given = self._source.take(indices)
        parts = given if isinstance(given, tuple | list) and len(given) in (2, 3) else ()
        parts = [None if part is None else tf.nest.map_structure(np.asarray, part) for part in parts]
        lengths = {len(leaf) if leaf.ndim else 0 for leaf in tf.nest.flatten(parts) if leaf is not None}
        if lengths != {len(indices)}:
            raise UserError(
                f"take(indices) of the source must give (x, y) or (x, y, sample_weight) with a row for each of the"
                f" {len(indices)} indices; it gave {type(given).__name__} with lengths {sorted(lengths) or 'unknown'}."
            )
        return Rows(*parts)
