"""How long a selector's planning, scoring, choosing and updating take, measured apart from training.

They and the steps run in one compiled call, so their shares cannot be read off the clock of a run. They
are timed afterwards, on the state that the run ended in, and multiplied by how often they happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from batchsel.selectors import Context, SampleStats
from batchsel.training.loop.evaluation import to_tensors
from batchsel.training.loop.loop_state import BudgetWindow, LoopState
from batchsel.training.loop.train_loop import Loop
from batchsel.training.loop.train_step import Rows
from batchsel.training.loop.turn import gather_rows

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

Asked = Callable[[LoopState], Context]
"""Gives what a selector is told."""
Body = Callable[[LoopState], LoopState]
"""What is repeated and timed."""
_SECONDS = 0.05
_ROUNDS = 3


def selection_seconds(trainer: Trainer, samples: Rows | None = None, rows: Any = None) -> dict[str, float]:
    """Seconds that selection takes.

    Args:
        trainer: After a run.
        samples: All of them, for selectors that look at their targets or inputs; None if they are streamed.
        rows: Samples ``(x, y)``, as many as a pool has or more; None if there are no pools.

    Returns:
        "planning", seconds of one plan; "updating", of the update after one step; "scoring", of the forward pass over
        the rows that are looked at for a batch (a pool, or a batch that is only scored), and "choosing", of taking the
        batch from the pool; 0 for what the selector does not do.
    """
    loop, scoring = trainer.loop, 0.0
    if samples is not None:
        # As tensors, which is what selectors are promised.
        samples = to_tensors(samples.x if loop.selector.needs_inputs else (), samples.y)
    choosing = 0.0
    planning = _seconds_each(loop, samples, _plan)
    updating = _seconds_each(loop, samples, _update)
    pools = loop.selector.pool_size(loop.batch_size) is not None
    if rows is not None and (pools or loop.selector.scores_excluded):
        pool = to_tensors(*tf.nest.map_structure(lambda leaf: np.resize(leaf, (loop.width, *leaf.shape[1:])), rows))
        scoring = _seconds_each(loop, samples, partial(_score, pool))
        choosing = _seconds_each(loop, samples, partial(_choose, pool)) if pools else 0.0
    return {"planning": planning, "updating": updating, "scoring": scoring, "choosing": choosing}


def _plan(loop: Loop, context: Asked) -> Body:
    def body(loop_state: LoopState) -> LoopState:
        # Steps that count on and states that change keep anything of a plan from being hoisted out of the loop.
        factor = 1 + 1e-7 * tf.cast(loop_state.step % 2, tf.float32)
        moved = loop_state._replace(
            state=tf.nest.map_structure(
                lambda leaf: leaf * tf.cast(factor, leaf.dtype) if leaf.dtype.is_floating else leaf, loop_state.state
            ),
            losses=loop_state.losses * factor,
        )
        return loop.plan(moved, context(moved))

    return body


def _update(loop: Loop, context: Asked) -> Body:
    def body(loop_state: LoopState) -> LoopState:
        indices = loop_state.last_indices
        values = loop_state.last_losses
        width = loop.step.signals.feature_size()
        rows = {"features": tf.zeros([loop.batch_size, max(width, 1)])}
        rows |= dict.fromkeys(("inputs", "residuals"), tf.zeros([loop.batch_size, 1]))
        signals = {name: rows.get(name, values) for name in loop.selector.signals}
        seen = SampleStats(indices, values, tf.ones_like(indices, tf.bool), **signals)
        return loop_state._replace(state=loop.selector.update(loop_state.state, seen, context(loop_state)))

    return body


def _score(pool: Rows, loop: Loop, context: Asked) -> Body:
    def body(loop_state: LoopState) -> LoopState:
        places = (tf.range(loop.width) + tf.cast(loop_state.step, tf.int32)) % loop.width
        losses = loop.step.score(gather_rows(pool, places), places, tf.ones([loop.width])).loss
        return loop_state._replace(last_losses=loop_state.last_losses * 0.5 + losses[: loop.batch_size])

    return body


def _choose(pool: Rows, loop: Loop, context: Asked) -> Body:
    places = tf.range(loop.width)
    seen = loop.step.score(pool, places, tf.ones([loop.width]))

    def body(loop_state: LoopState) -> LoopState:
        changed = seen._replace(loss=seen.loss * (1 + 1e-3 * tf.cast(loop_state.step % 7, tf.float32)))
        positions = loop.choose(loop_state.state, changed, context(loop_state)).positions
        return loop_state._replace(last_indices=(loop_state.last_indices + positions) % loop.n)

    return body


def _seconds_each(loop: Loop, samples: Rows | None, measured: Callable[[Loop, Asked], Body]) -> float:
    @tf.function(jit_compile=loop.xla, autograph=False)
    def repeat(times: tf.Tensor) -> Any:
        window = BudgetWindow.of(0, 2**40, loop.n)
        once = measured(loop, lambda loop_state: loop.context(loop_state, window, samples))

        def body(i: tf.Tensor, loop_state: LoopState) -> tuple[tf.Tensor, LoopState]:
            loop_state = once(loop_state)
            return i + 1, loop_state._replace(step=loop_state.step + 1)

        (_, loop_state) = tf.while_loop(
            lambda i, loop_state: i < times, body, (tf.constant(0), loop.load()), parallel_iterations=1
        )
        return [tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in tf.nest.flatten(loop_state)]

    def timed(times: int) -> float:
        start = time.perf_counter()
        tf.nest.map_structure(lambda leaf: leaf.numpy(), repeat(tf.constant(times)))
        return time.perf_counter() - start

    timed(1)
    single = min(timed(1) for _ in range(_ROUNDS))
    times = int(np.clip(_SECONDS / max(single, 1e-6), 4, 1000))
    # The difference takes out what a call costs by itself.
    each = [(timed(times) - timed(1)) / (times - 1) for _ in range(_ROUNDS)]
    return max(float(np.median(each)), 0.0)
