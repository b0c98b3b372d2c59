"""What stops a run, said so that it can be mended."""

from __future__ import annotations

import numpy as np

from batchsel.errors import UserError
from batchsel.selectors import Selector
from batchsel.training.loop.loop_state import EMPTY, FINE, NEGATIVE, NO_ROW, NOT_FINITE, WEIGHTLESS
from batchsel.training.loop.train_loop import Loop


class TrainingError(UserError):
    """The run cannot go on: a loss that is not finite, or a plan that makes no sense."""


def check(loop: Loop, fault: int) -> None:
    """Raises if the loop stopped on a fault.

    Args:
        loop: The loop after a call.
        fault: Its fault, as the call returned it.

    Raises:
        TrainingError: Saying what happened, where, and what to do.
    """
    if fault == NOT_FINITE:
        raise TrainingError(_not_finite(loop))
    if fault == NEGATIVE:
        lowest = loop.state.last_losses.numpy().min()
        raise TrainingError(
            f"a sample has the loss {lowest:.4g}; {loop.selector!r} ranks samples by losses that are not negative."
            " Use a loss that is 0 at best (cosine similarity: 1 + loss), or a selector that does not look at losses."
        )
    if fault != FINE:
        raise TrainingError(_bad_plan(loop, loop.selector, fault))


def check_evaluation(loop: Loop, results: dict[str, float]) -> None:
    """Raises if the loss of an evaluation is not finite.

    Args:
        loop: The loop.
        results: Loss and metrics.

    Raises:
        TrainingError: Saying when.
    """
    if not np.isfinite(results["loss"]):
        step = int(loop.state.step.numpy())
        raise TrainingError(
            f"the loss on the validation data is not finite after step {step}: the weights have diverged (lower the"
            " learning rate), or the validation data hold what the loss cannot take."
        )


def _not_finite(loop: Loop) -> str:
    indices, losses = loop.state.last_indices.numpy(), loop.state.last_losses.numpy()
    bad = np.unique(indices[~np.isfinite(losses)])
    step = int(loop.state.step.numpy())
    shown = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
    message = f"the loss is not finite at step {step}, for {len(bad)} samples of its batch: {shown}."
    if len(bad) > len(np.unique(indices)) // 2:
        return f"{message} So many at once mean that the weights have diverged: lower the learning rate."
    return (
        f"{message} Look at these samples, and at what the loss does with their targets; if they are in order, the"
        " weights were diverging: lower the learning rate."
    )


def _bad_plan(loop: Loop, selector: Selector, fault: int) -> str:
    if fault == EMPTY:
        steps = int(loop.state.plan.steps.numpy())
        return f"{selector!r} planned {steps} batches; a plan has 1 to {loop.plan_steps}."
    if fault == WEIGHTLESS:
        return (
            f"{selector!r} gave a batch whose first row has weight 0, or one with a weight that is not finite."
            " Weight 0 marks rows that fill up a batch; they stand behind the samples that are trained on."
        )
    if fault == NO_ROW:
        return (
            f"choose() of {selector!r} gave positions outside its pool of {loop.width} rows. Positions count the rows"
            f" of the pool, 0 to {loop.width - 1}; candidates.indices has their sample numbers."
        )
    indices = loop.state.plan.indices.numpy()
    bad = indices[(indices < 0) | (indices >= loop.n)]
    return (
        f"{selector!r} chose sample {bad[0]}; the data set has samples 0 to {loop.n - 1}"
        f" ({len(bad)} of {len(indices)} indices lie outside)."
    )
