"""Batches that were trained on, as callbacks read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from batchsel.training.loop.train_loop import TrainLoop


class TrainedBatch(NamedTuple):
    """A batch that was trained on, without rows that only filled it up.

    Example:
        >>> TrainedBatch(7, np.array([3, 1]), np.ones(2), np.array([0.5, 0.25])).indices.tolist()
        [3, 1]
    """

    step: int
    """Number of the step, from 1."""
    indices: np.ndarray
    """``int32[k]`` sample numbers."""
    weights: np.ndarray
    """``float32[k]`` factors of the loss that the selector planned."""
    losses: np.ndarray
    """``float32[k]`` losses before the update."""


def last_batch(loop: TrainLoop) -> TrainedBatch | None:
    """Return the batch of the last step; None before the first.

    Args:
        loop: The loop.
    """
    state = loop.state
    step = int(state.step.numpy())
    if step == 0:
        return None
    weights = loop.last_weights()
    real = weights != 0
    return TrainedBatch(step, state.last_indices.numpy()[real], weights[real], state.last_losses.numpy()[real])
