"""How long planning and updating a selector's state takes, measured apart from training.

Planning and steps run in one compiled call, so their shares cannot be read off the clock of a run. They
are timed afterwards, on the state that the run ended in, and multiplied by how often they happened.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from batchsel.selectors import Seen
from batchsel.training.carry import Carry, Span
from batchsel.training.loop import Loop

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

_SECONDS = 0.05
_ROUNDS = 3


def selection_seconds(trainer: Trainer, labels: Any = None) -> dict[str, float]:
    """Seconds that selection takes: planning, and updates of the selector's state.

    Extra forward passes over pools are part of the steps and not in here; they are counted as samples
    scored.

    Args:
        trainer: After a run.
        labels: Targets of all samples, for selectors that look at them.

    Returns:
        "planning", seconds of one plan, and "updating", seconds of the update after one step.
    """
    planning = _seconds_each(trainer.loop, labels, _plan_once)
    return {"planning": planning, "updating": _seconds_each(trainer.loop, labels, _update_once)}


def _plan_once(loop: Loop, carry: Carry, span: Span, labels: Any) -> Carry:
    # Steps that count on and states that change keep anything of a plan from being hoisted out of the loop.
    factor = 1 + 1e-7 * tf.cast(carry.step % 2, tf.float32)
    moved = carry._replace(
        state=tf.nest.map_structure(
            lambda leaf: leaf * tf.cast(factor, leaf.dtype) if leaf.dtype.is_floating else leaf, carry.state
        ),
        losses=carry.losses * factor,
    )
    return loop.plan(moved, loop.context(moved, span, labels))._replace(step=carry.step + 1)


def _update_once(loop: Loop, carry: Carry, span: Span, labels: Any) -> Carry:
    indices = carry.last_indices
    values = carry.last_losses
    width = loop.step.signals.feature_size()
    rows = {"features": tf.zeros([loop.batch_size, max(width, 1)])}
    rows |= dict.fromkeys(("inputs", "residuals"), tf.zeros([loop.batch_size, 1]))
    signals = {name: rows.get(name, values) for name in loop.selector.signals}
    seen = Seen(indices, values, tf.ones_like(indices, tf.bool), **signals)
    state = loop.selector.update(carry.state, seen, loop.context(carry, span, labels))
    return carry._replace(state=state, step=carry.step + 1)


def _seconds_each(loop: Loop, labels: Any, once: Any) -> float:
    @tf.function(jit_compile=loop.xla, autograph=False)
    def repeat(times: tf.Tensor) -> Any:
        span = Span(tf.zeros([], tf.int64), tf.constant(2**40, tf.int64))
        (_, carry) = tf.while_loop(
            lambda i, carry: i < times,
            lambda i, carry: (i + 1, once(loop, carry, span, labels)),
            (tf.constant(0), loop.load()),
            parallel_iterations=1,
        )
        return [tf.reduce_sum(tf.cast(leaf, tf.float32)) for leaf in tf.nest.flatten((carry.plan, carry.state))]

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
