"""Time of a selector's planning, scoring, choosing and updating, measured separately from training.

They run in one compiled call together with the steps, so a run cannot time them separately. They are timed
afterwards, on the state at the end of the run, and multiplied by how often they happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from batchsel.core.tf_support.own_function import own_function
from batchsel.selectors import Context, SampleStats
from batchsel.training.inputs.batch import Batch, Samples, gather_rows, to_tensors
from batchsel.training.loop.loop_state import BudgetWindow, LoopState
from batchsel.training.loop.train_loop import TrainLoop

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

MakeContext = Callable[[LoopState], Context]
"""Function that builds the context of a selector."""
Body = Callable[[LoopState], LoopState]
"""Body of the timed loop."""
_SECONDS = 0.05
_ROUNDS = 3


def selection_seconds(trainer: Trainer, samples: Samples | None = None, rows: Any = None) -> dict[str, float]:
    """Return the seconds of each part of selection.

    Args:
        trainer: A trainer after a run.
        samples: All samples, for selectors that need targets or inputs; None if they are streamed.
        rows: Samples ``(x, y)``, at least as many as a pool has; None if there are no pools.

    Returns:
        "planning", seconds of one plan; "updating", of the update after one step; "scoring", of the forward pass over
        the scored rows of a batch (a pool, or a batch that is only scored); and "choosing", of choosing the batch from
        the pool; 0 for parts that the selector does not have.
    """
    loop, scoring = trainer.loop, 0.0
    if samples is not None:
        # Selectors expect tensors.
        samples = to_tensors(samples.x if loop.selector.needs_inputs else (), samples.y)
    choosing = 0.0
    planning = _time_repeated(loop, samples, _plan)
    updating = _time_repeated(loop, samples, _update)
    pools = loop.selector.pool_size(loop.batch_size) is not None
    if rows is not None and (pools or loop.selector.scores_excluded):
        pool = to_tensors(*tf.nest.map_structure(lambda leaf: np.resize(leaf, (loop.width, *leaf.shape[1:])), rows))
        scoring = _time_repeated(loop, samples, partial(_score, pool))
        choosing = _time_repeated(loop, samples, partial(_choose, pool)) if pools else 0.0
    return {"planning": planning, "updating": updating, "scoring": scoring, "choosing": choosing}


def _plan(loop: TrainLoop, context: MakeContext) -> Body:
    def body(loop_state: LoopState) -> LoopState:
        # Changing steps and states prevent the compiler from hoisting parts of a plan out of the loop.
        factor = 1 + 1e-7 * tf.cast(tf.math.floormod(loop_state.step, 2), tf.float32)
        moved = loop_state._replace(
            state=tf.nest.map_structure(
                lambda leaf: leaf * tf.cast(factor, leaf.dtype) if leaf.dtype.is_floating else leaf, loop_state.state
            ),
            losses=loop_state.losses * factor,
        )
        return loop.plan(moved, context(moved))

    return body


def _update(loop: TrainLoop, context: MakeContext) -> Body:
    def body(loop_state: LoopState) -> LoopState:
        indices = loop_state.last_indices
        values = loop_state.last_losses
        shapes: dict[str, Any] = {"inputs": (1,), "residuals": (1,)}
        if "features" in loop.selector.signals:
            shapes["features"] = (max(loop.step.signals.feature_size(), 1),)
        shapes |= loop.shapes or {}
        signals = {
            name: tf.zeros([loop.batch_size, *shapes[name]]) if shapes.get(name) else values
            for name in loop.selector.signals
        }
        stats = SampleStats(indices, values, tf.ones_like(indices, tf.bool), **signals)
        return loop_state._replace(state=loop.selector.update(loop_state.state, stats, context(loop_state)))

    return body


def _score(pool: Samples, loop: TrainLoop, context: MakeContext) -> Body:
    is_pool = loop.selector.pool_size(loop.batch_size) is not None

    def body(loop_state: LoopState) -> LoopState:
        positions = (tf.range(loop.width) + tf.cast(loop_state.step, tf.int32)) % loop.width
        batch = Batch(positions, tf.ones([loop.width]), *gather_rows(pool, positions))
        listed, _ = loop.scorer.shortlist(batch, loop_state.losses) if is_pool else (batch, None)
        losses = loop.scorer.score(listed).loss
        return loop_state._replace(last_losses=loop_state.last_losses * 0.5 + losses[: loop.batch_size])

    return body


def _choose(pool: Samples, loop: TrainLoop, context: MakeContext) -> Body:
    positions = tf.range(loop.width)
    listed, _ = loop.scorer.shortlist(Batch(positions, tf.ones([loop.width]), *pool), loop.state.losses.read_value())
    stats = loop.scorer.score(listed)

    def body(loop_state: LoopState) -> LoopState:
        changed = stats._replace(
            loss=stats.loss * (1 + 1e-3 * tf.cast(tf.math.floormod(loop_state.step, 7), tf.float32))
        )
        positions = loop.choose(loop_state.state, changed, context(loop_state)).positions
        return loop_state._replace(last_indices=(loop_state.last_indices + positions) % loop.n)

    return body


def _time_repeated(
    loop: TrainLoop, samples: Samples | None, measured: Callable[[TrainLoop, MakeContext], Body]
) -> float:
    def repeat(times: tf.Tensor) -> Any:
        window = BudgetWindow.from_numbers(0, 2**40, loop.n)
        once = measured(loop, lambda loop_state: loop.context(loop_state, samples))

        def body(i: tf.Tensor, loop_state: LoopState) -> tuple[tf.Tensor, LoopState]:
            loop_state = once(loop_state)
            return i + 1, loop_state._replace(step=loop_state.step + 1)

        (_, loop_state) = tf.while_loop(
            lambda i, loop_state: i < times, body, (tf.constant(0), loop.load(window)), parallel_iterations=1
        )
        return [tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in tf.nest.flatten(loop_state)]

    traced = own_function(repeat, jit_compile=loop.xla)

    def time_call(times: int) -> float:
        start = time.perf_counter()
        tf.nest.map_structure(lambda leaf: leaf.numpy(), traced(tf.constant(times)))
        return time.perf_counter() - start

    time_call(1)
    single = min(time_call(1) for _ in range(_ROUNDS))
    times = int(np.clip(_SECONDS / max(single, 1e-6), 4, 1000))
    # The difference removes the overhead of a call.
    each = [(time_call(times) - time_call(1)) / (times - 1) for _ in range(_ROUNDS)]
    return max(float(np.median(each)), 0.0)
