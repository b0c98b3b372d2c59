"""Errors that stop a run, with the samples or the plan to blame."""

from __future__ import annotations

import numpy as np

from batchsel.errors import UserError
from batchsel.training.loop.loop_state import LoopStatus
from batchsel.training.loop.train_loop import TrainLoop


class TrainingError(UserError):
    """A run that cannot go on: a loss is not finite, or a plan cannot be used."""


def raise_for_status(loop: TrainLoop, status: int) -> None:
    """Raise an error if a call of the loop ended with one.

    Args:
        loop: The loop after the call.
        status: The `LoopStatus` that the call returned.

    Raises:
        TrainingError: Naming the reason, the samples or the plan, and a remedy.
    """
    if status != LoopStatus.OK:
        raise TrainingError(_MESSAGES[LoopStatus(status)](loop))


def check_evaluation(loop: TrainLoop, results: dict[str, float]) -> None:
    """Raise an error if the loss of an evaluation is not finite.

    Args:
        loop: The loop.
        results: Loss and metrics.

    Raises:
        TrainingError: Naming the step.
    """
    if not np.isfinite(results["loss"]):
        step = int(loop.state.step.numpy())
        raise TrainingError(
            f"the loss on the validation data is not finite after step {step}: the weights have diverged (lower the"
            " learning rate), or the validation data hold values that the loss cannot handle."
        )


def _nonfinite_loss(loop: TrainLoop) -> str:
    indices, losses = loop.state.last_indices.numpy(), loop.state.last_losses.numpy()
    bad = np.unique(indices[~np.isfinite(losses)])
    step = int(loop.state.step.numpy())
    shown = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
    message = f"the loss is not finite at step {step}, for {len(bad)} samples of its batch: {shown}."
    if len(bad) > len(np.unique(indices)) // 2:
        return f"{message} Most of the batch is non-finite: training diverged; lower the learning rate."
    return (
        f"{message} Inspect these samples, and what the loss does with their targets; if they are in order, training"
        " diverged: lower the learning rate."
    )


def _negative_loss(loop: TrainLoop) -> str:
    lowest = loop.state.last_losses.numpy().min()
    return (
        f"a sample has the loss {lowest:.4g}; {loop.selector!r} ranks samples by losses that are not negative. Use a"
        " loss that is 0 at best (cosine similarity: 1 + loss), or a selector that does not use losses."
    )


def _invalid_plan_length(loop: TrainLoop) -> str:
    steps = int(loop.state.plan.steps.numpy())
    return f"{loop.selector!r} planned {steps} batches; a plan has 1 to {loop.plan_steps}."


def _invalid_weights(loop: TrainLoop) -> str:
    return (
        f"{loop.selector!r} returned a batch whose first row has weight 0, or one with a weight that is not finite."
        " Weight 0 marks rows that fill up a batch; they follow the samples that are trained on."
    )


def _invalid_positions(loop: TrainLoop) -> str:
    return (
        f"choose() of {loop.selector!r} returned positions outside its pool of {loop.width} rows. Positions count the"
        f" rows of the pool, 0 to {loop.width - 1}; candidates.indices has their sample numbers."
    )


def _invalid_indices(loop: TrainLoop) -> str:
    indices = loop.state.plan.indices.numpy()
    bad = indices[(indices < 0) | (indices >= loop.n)]
    return (
        f"{loop.selector!r} chose sample {bad[0]}; the data set has samples 0 to {loop.n - 1}"
        f" ({len(bad)} of {len(indices)} indices lie outside)."
    )


_MESSAGES = {
    LoopStatus.NONFINITE_LOSS: _nonfinite_loss,
    LoopStatus.NEGATIVE_LOSS: _negative_loss,
    LoopStatus.INVALID_PLAN_LENGTH: _invalid_plan_length,
    LoopStatus.INVALID_WEIGHTS: _invalid_weights,
    LoopStatus.INVALID_POSITIONS: _invalid_positions,
    LoopStatus.INVALID_INDICES: _invalid_indices,
}
