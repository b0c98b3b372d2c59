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

from batchsel.selectors import Context, Seen
from batchsel.training.loop.evaluation import resident
from batchsel.training.loop.loop_state import Carry, Span
from batchsel.training.loop.train_loop import Loop
from batchsel.training.loop.train_step import Rows
from batchsel.training.loop.turn import gather

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

Asked = Callable[[Carry], Context]
"""Gives what a selector is told."""
Body = Callable[[Carry], Carry]
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
        samples = resident(samples.x if loop.selector.sees_inputs else (), samples.y)
    choosing = 0.0
    planning = _seconds_each(loop, samples, _plan)
    updating = _seconds_each(loop, samples, _update)
    pools = loop.selector.pool_size(loop.batch_size) is not None
    if rows is not None and (pools or loop.selector.rescores):
        pool = resident(*tf.nest.map_structure(lambda leaf: np.resize(leaf, (loop.width, *leaf.shape[1:])), rows))
        scoring = _seconds_each(loop, samples, partial(_score, pool))
        choosing = _seconds_each(loop, samples, partial(_choose, pool)) if pools else 0.0
    return {"planning": planning, "updating": updating, "scoring": scoring, "choosing": choosing}


def _plan(loop: Loop, context: Asked) -> Body:
    def body(carry: Carry) -> Carry:
        # Steps that count on and states that change keep anything of a plan from being hoisted out of the loop.
        factor = 1 + 1e-7 * tf.cast(carry.step % 2, tf.float32)
        moved = carry._replace(
            state=tf.nest.map_structure(
                lambda leaf: leaf * tf.cast(factor, leaf.dtype) if leaf.dtype.is_floating else leaf, carry.state
            ),
            losses=carry.losses * factor,
        )
        return loop.plan(moved, context(moved))

    return body


def _update(loop: Loop, context: Asked) -> Body:
    def body(carry: Carry) -> Carry:
        indices = carry.last_indices
        values = carry.last_losses
        width = loop.step.signals.feature_size()
        rows = {"features": tf.zeros([loop.batch_size, max(width, 1)])}
        rows |= dict.fromkeys(("inputs", "residuals"), tf.zeros([loop.batch_size, 1]))
        signals = {name: rows.get(name, values) for name in loop.selector.signals}
        seen = Seen(indices, values, tf.ones_like(indices, tf.bool), **signals)
        return carry._replace(state=loop.selector.update(carry.state, seen, context(carry)))

    return body


def _score(pool: Rows, loop: Loop, context: Asked) -> Body:
    def body(carry: Carry) -> Carry:
        places = (tf.range(loop.width) + tf.cast(carry.step, tf.int32)) % loop.width
        losses = loop.step.score(gather(pool, places), places, tf.ones([loop.width])).loss
        return carry._replace(last_losses=carry.last_losses * 0.5 + losses[: loop.batch_size])

    return body


def _choose(pool: Rows, loop: Loop, context: Asked) -> Body:
    places = tf.range(loop.width)
    seen = loop.step.score(pool, places, tf.ones([loop.width]))

    def body(carry: Carry) -> Carry:
        changed = seen._replace(loss=seen.loss * (1 + 1e-3 * tf.cast(carry.step % 7, tf.float32)))
        positions = loop.choose(carry.state, changed, context(carry)).positions
        return carry._replace(last_indices=(carry.last_indices + positions) % loop.n)

    return body


def _seconds_each(loop: Loop, samples: Rows | None, measured: Callable[[Loop, Asked], Body]) -> float:
    @tf.function(jit_compile=loop.xla, autograph=False)
    def repeat(times: tf.Tensor) -> Any:
        span = Span.of(0, 2**40, loop.n)
        once = measured(loop, lambda carry: loop.context(carry, span, samples))

        def body(i: tf.Tensor, carry: Carry) -> tuple[tf.Tensor, Carry]:
            carry = once(carry)
            return i + 1, carry._replace(step=carry.step + 1)

        (_, carry) = tf.while_loop(
            lambda i, carry: i < times, body, (tf.constant(0), loop.load()), parallel_iterations=1
        )
        return [tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in tf.nest.flatten(carry)]

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
