"""Price of cheaper scores of pools, and how well they rank samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from scipy import stats

from batchsel.training import variables
from batchsel.training.inputs.batch import Batch, Samples, gather_rows, to_tensors
from batchsel.training.inputs.rows import ALL_ROWS
from batchsel.training.loop.loop_state import BudgetWindow
from batchsel.training.loop.train_loop import TrainLoop

if TYPE_CHECKING:
    from batchsel.training.trainer import Trainer

SCORED_POOLS = 4
"""Pools that are scored both ways."""
_ROUNDS = 7


def scoring_quality(trainer: Trainer, indices: np.ndarray, x: Any, y: Any) -> dict[str, float]:
    """Score a few pools cheaply and by a full forward pass, with the weights at the end of a run.

    Args:
        trainer: A trainer after a run, whose selector has a `Scoring`.
        indices: ``int[k]`` sample numbers of `SCORED_POOLS` pools.
        x: Their inputs.
        y: Their targets.

    Returns:
        "passes", the seconds of scoring a pool cheaply over those of a full forward pass of it, medians of interleaved
        rounds, training of what scores included; and "spearman", the rank correlation of the losses
        by both, the mean over pools; NaN where all losses of a pool are alike.
    """
    loop = trainer.loop
    width = loop.width
    samples = to_tensors(x, y)
    is_pool = loop.selector.pool_size(loop.batch_size) is not None
    losses = loop.state.losses.read_value()

    def cheap(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        listed, places = loop.scorer.shortlist(batch, losses) if is_pool else (batch, None)
        return loop.scorer.score(listed).loss, tf.range(width) if places is None else places

    def full(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        return loop.step.score(batch).loss, tf.range(width)

    compiled = [tf.function(each, jit_compile=loop.xla, autograph=False) for each in (cheap, full)]
    numbers = tf.constant(indices, tf.int32)
    pools = [_pool(samples, numbers, tf.range(place * width, (place + 1) * width)) for place in range(SCORED_POOLS)]
    ranks = []
    for pool in pools:
        (some, places), (every, _) = (each(pool) for each in compiled)
        ranks.append(_spearman(some.numpy(), every.numpy()[places.numpy()]))
    training = _training_seconds(loop, pools[0])
    rounds = np.array([[_seconds(each, pools[0]) for each in compiled] for _ in range(_ROUNDS)])
    seconds = np.median(rounds, axis=0)
    return {"passes": float((seconds[0] + training) / max(seconds[1], 1e-9)), "spearman": float(np.mean(ranks))}


def _training_seconds(loop: TrainLoop, pool: Batch) -> float:
    """Return the seconds for which what scores in place of the model is trained, for each pool; variables stay."""
    cheap, scoring = loop.step.cheap_model, loop.selector.scoring
    if cheap is None:
        return 0.0
    steps, rows = scoring.every / scoring.proxy_every, loop.batch_size
    if cheap.learns_from_pools:
        steps, rows = 1.0, scoring.rows(loop.width, loop.batch_size)
    batch = cheap.inputs(gather_rows(pool, tf.range(rows)))
    window = BudgetWindow.from_numbers(0, 2**40, loop.n)

    def train(batch: Batch) -> tf.Tensor:
        state = loop.load(window)
        return cheap.train(batch, state.timestamp, state.is_last, ALL_ROWS).loss

    members = dict(enumerate(cheap.variables))
    values = variables.snapshot(members)
    compiled = tf.function(train, jit_compile=loop.xla, autograph=False)
    try:
        compiled(batch)
        return steps * float(np.median([_seconds(compiled, batch) for _ in range(_ROUNDS)]))
    finally:
        variables.restore(members, values)


def _pool(samples: Samples, numbers: tf.Tensor, rows: tf.Tensor) -> Batch:
    return Batch(tf.gather(numbers, rows), tf.ones(rows.shape), *gather_rows(samples, rows))


def _spearman(some: np.ndarray, every: np.ndarray) -> float:
    if np.ptp(some) == 0 or np.ptp(every) == 0:
        return float("nan")
    return float(np.corrcoef(stats.rankdata(some), stats.rankdata(every))[0, 1])


def _seconds(function: Callable[[Batch], Any], pool: Batch) -> float:
    start = time.perf_counter()
    tf.nest.map_structure(lambda leaf: leaf.numpy(), function(pool))
    return time.perf_counter() - start
