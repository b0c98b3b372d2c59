"""Data feeds: samples on the device, or a random-access source that is read ahead along the plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples, to_tensors
from batchsel.training.loop.loop_state import SEGMENTS, BudgetWindow, LoopStatus
from batchsel.training.loop.runners import BlockRunner, InMemoryRunner
from batchsel.training.loop.train_loop import TrainLoop


class LoopResult(NamedTuple):
    """The result of a call of the loop."""

    ended: int
    """Number of segments that ended in the call."""
    logs: np.ndarray
    """``float32[k, metrics]`` metrics of the segments."""
    counters: np.ndarray
    """``int64[6]`` as `TrainLoop.counters` returns them."""


class DataFeed(Protocol):
    """Data to run a loop on."""

    n: int

    def example(self) -> Samples:
        """Return at least one sample, to build the model with."""
        ...

    def run(self, loop: TrainLoop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """Train up to the last stop, or to `last_step`.

        Args:
            loop: The loop.
            window: The budget of the call of fit.
            stops: ``int64[k]`` positions at which segments end, k at most `SEGMENTS`.
            last_step: The step after which the call returns in any case.
        """
        ...

    def discard_prefetch(self) -> None:
        """Discard prefetched blocks: variables were restored, so their plans are out of date."""
        ...


class InMemoryFeed:
    """All samples on the device.

    Args:
        samples: Arrays, first axis n.
    """

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.data = to_tensors(*samples)
        self.n = int(tf.nest.flatten(self.data.x)[0].shape[0])
        self._placed: Any = None

    def example(self) -> Samples:
        """Return all samples, so that all targets can be checked."""
        return self._samples

    def run(self, loop: TrainLoop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """Train as in `DataFeed.run`."""
        if "memory" not in loop.runners:
            loop.runners["memory"] = InMemoryRunner(loop)
        runner = cast(InMemoryRunner, loop.runners["memory"])
        padded = np.full([SEGMENTS], np.iinfo(np.int64).max)
        padded[: len(stops)] = stops
        if self._placed is None:
            self._placed = loop.step.place(self.data)
        with loop.step.scope():
            results = runner.run(
                self._placed, window, tf.constant(padded), tf.constant(len(stops)), tf.constant(last_step, tf.int64)
            )
        ended, logs, counters = (result.numpy() for result in results)
        return LoopResult(int(ended), logs, counters)

    def discard_prefetch(self) -> None:
        """Do nothing: nothing is prefetched."""


_BLOCK_STEPS = 128
"""Maximum number of batches of a block: training waits for the first block of a plan."""


class StreamingFeed:
    """Samples from a source that need not fit into memory; at most two blocks of them are held.

    While a block is trained on, a thread reads the next one of the plan. Waiting for it is on the clock.

    Args:
        source: ``len(source)`` samples, and ``source.take(indices)`` returns arrays ``(x, y)`` or
            ``(x, y, sample_weight)`` of those rows.
        buffer_bytes: Memory for both blocks; each has at least one batch.
        check: Called with the rows of a block and their sample numbers.
    """

    def __init__(self, source: Any, buffer_bytes: int, check: Callable[[Samples, np.ndarray], None]) -> None:
        try:
            self.n = len(source)
        except (TypeError, OverflowError) as error:
            raise UserError(f"the source must have a length, len(source): {error}.") from error
        if self.n == 0:
            raise UserError("the source is empty: there is no sample to train on.")
        arrays.check_count(self.n)
        self._source = source
        self._buffer_bytes = buffer_bytes
        self._check = check
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batchsel-reader")
        self._ahead: dict[tuple[int, int], Future[Samples]] = {}
        self._held: tuple[tuple[int, int], Any] | None = None
        self._row_bytes = 0
        self._dtypes: list[np.dtype] = []
        """Types of the first rows, which those of all others must be."""
        self._weightless = 0
        """Rows read so far, all with the weight 0; infinite once another weight was read."""

    def example(self) -> Samples:
        """Return one sample."""
        rows = self._read(np.array([0]))
        self._dtypes = [leaf.dtype for leaf in tf.nest.flatten(rows) if leaf is not None]
        self._row_bytes = sum(leaf.nbytes for leaf in tf.nest.flatten(rows) if leaf is not None)
        return rows

    def run(self, loop: TrainLoop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        """Train as in `DataFeed.run`."""
        with loop.step.scope():
            return self._run(loop, window, stops, last_step)

    def _run(self, loop: TrainLoop, window: BudgetWindow, stops: np.ndarray, last_step: int) -> LoopResult:
        runner, state = self._runner(loop), loop.state
        ended, logs = 0, np.zeros([len(stops), len(loop.log_names)], np.float32)
        while ended < len(stops) and int(state.step.numpy()) < last_step:
            if int(state.cursor.numpy()) >= int(state.plan.steps.numpy()):
                runner.plan(window)
            if int(state.status.numpy()) != LoopStatus.OK:
                break
            number = int(state.cursor.numpy()) // runner.steps
            rows = self._block(loop, runner.steps, number)
            limits = (stops[ended], np.int64(last_step))
            position = runner.train(rows, tf.constant(number * runner.steps), window, *map(tf.constant, limits))
            if int(state.status.numpy()) == LoopStatus.OK and int(position.numpy()) >= stops[ended]:
                logs[ended] = runner.log().numpy()
                ended += 1
        return LoopResult(ended, logs, loop.counters(loop.load(window)).numpy())

    def discard_prefetch(self) -> None:
        """Discard prefetched blocks."""
        self._ahead, self._held = {}, None

    def _runner(self, loop: TrainLoop) -> BlockRunner:
        room = self._buffer_bytes // (2 * self._row_bytes * loop.width)
        steps = int(max(1, min(room, loop.plan_steps, _BLOCK_STEPS)))
        if steps not in loop.runners:
            loop.runners[steps] = BlockRunner(loop, steps)
        return cast(BlockRunner, loop.runners[steps])

    def _block(self, loop: TrainLoop, steps: int, number: int) -> Any:
        """Return the rows of a block of the plan, prefetched if possible, and prefetch the next."""
        plans = int(loop.state.plans.numpy())
        if self._held is not None and self._held[0] == (plans, number):
            return self._held[1]  # a call of the loop may end in the middle of a block
        self._held = None
        indices = loop.state.plan.indices.numpy()
        rows = steps * loop.width
        count = -(-int(loop.state.plan.steps.numpy()) // steps)

        def submit(number: int) -> Future[Samples]:
            wanted = np.take(indices, np.arange(number * rows, (number + 1) * rows), mode="clip")
            return self._reader.submit(self._read_checked, wanted)

        future = self._ahead.pop((plans, number), None) or submit(number)
        if number + 1 < count and (plans, number + 1) not in self._ahead:
            self._ahead = {(plans, number + 1): submit(number + 1)}
        self._held = (plans, number), loop.step.place(to_tensors(*future.result()))
        return self._held[1]

    def _read_checked(self, indices: np.ndarray) -> Samples:
        rows = self._read(indices)
        arrays.check_finite("the source", rows, indices)
        arrays.check_weights(rows.sample_weight, indices)
        self._check_not_all_zero(rows.sample_weight)
        self._check(rows, indices)
        return rows

    def _check_not_all_zero(self, weights: Any) -> None:
        """Refuse weights of 0 only, once as many rows were read as there are samples: that needs no pass of its own."""
        leaves: list[np.ndarray] = tf.nest.flatten(np.ones(1) if weights is None else weights)
        self._weightless = math.inf if any(map(np.any, leaves)) else self._weightless + len(leaves[0])
        if self.n <= self._weightless < math.inf:
            raise UserError(
                f"all sample weights in the first {self._weightless:,} rows of the source are 0, so nothing is learned."
                " Give some samples a weight above 0."
            )

    def _read(self, indices: np.ndarray) -> Samples:
        rows = self._source.take(indices)
        parts = rows if isinstance(rows, tuple | list) and len(rows) in (2, 3) else ()
        for leaf in tf.nest.flatten(parts):
            arrays.reject_masked("a part of the rows of the source", leaf)
        parts = [None if part is None else tf.nest.map_structure(_as_array, part) for part in parts]
        lengths = {len(leaf) if leaf.ndim else 0 for leaf in tf.nest.flatten(parts) if leaf is not None}
        if lengths != {len(indices)} or parts[1] is None:
            raise UserError(
                f"take(indices) of the source must return (x, y) or (x, y, sample_weight) with a row for each of the"
                f" {len(indices)} indices; it returned {type(rows).__name__} with lengths"
                f" {sorted(lengths) or 'unknown'}."
            )
        return _with_dtypes(Samples(*parts), self._dtypes)


def make_feed(data: Any, buffer_bytes: int, check: Callable[[Samples, np.ndarray], None]) -> DataFeed:
    """Return the feed of data in memory, or of a source.

    Args:
        data: Samples, or a source.
        buffer_bytes: As for `StreamingFeed`.
        check: As for `StreamingFeed`.
    """
    return InMemoryFeed(data) if isinstance(data, Samples) else StreamingFeed(data, buffer_bytes, check)


def _as_array(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    # Texts are objects, because the width of NumPy's own type differs from block to block.
    return array.astype(object) if array.dtype.kind in "US" else array


def _with_dtypes(rows: Samples, dtypes: list[np.dtype]) -> Samples:
    """Convert rows to the types that the loop was traced for; none yet for the first rows."""
    wanted = iter(dtypes)

    def convert(leaf: np.ndarray | None) -> np.ndarray | None:
        if leaf is None:
            return None
        if leaf.dtype.kind not in "biufcVO" or (leaf.dtype == object and not isinstance(leaf.flat[0], str | bytes)):
            raise UserError(f"the source must give numbers, and gave an array of {leaf.dtype}.")
        dtype = next(wanted, leaf.dtype)
        if leaf.dtype == dtype:
            return leaf
        if not np.can_cast(leaf.dtype, dtype, "same_kind"):
            raise UserError(
                f"samples of the source differ in type: the first is {dtype}, others are {leaf.dtype}. Convert all to"
                " one, such as float32."
            )
        return leaf.astype(dtype)

    return Samples(*(tf.nest.map_structure(convert, part) for part in rows))
