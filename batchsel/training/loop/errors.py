"""Errors that stop a run, with the samples or the plan to blame."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from batchsel.errors import UserError, shorten
from batchsel.selectors import Function, NumpyFunction, Selector
from batchsel.selectors.base import is_user_code
from batchsel.selectors.validation.explanation import describe_line, explain, title
from batchsel.training.loop.loop_state import LoopStatus
from batchsel.training.loop.train_loop import TrainLoop


class TrainingError(UserError):
    """A run that cannot go on: a loss is not finite, or a plan cannot be used.

    Example:
        >>> import batchsel, keras, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
        >>> model.compile(keras.optimizers.SGD(1e20), "mse")
        >>> batchsel.fit(model, 1e6 * np.arange(1.0, 33.0)[:, None], np.ones(32), epochs=5, verbose=0)
        Traceback (most recent call last):
        batchsel.training.loop.errors.TrainingError: ...
    """


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


PLANNING_ERRORS = (
    LoopStatus.INVALID_INDICES,
    LoopStatus.INVALID_PLAN_LENGTH,
    LoopStatus.INVALID_WEIGHTS,
    LoopStatus.INVALID_POSITIONS,
    LoopStatus.INVALID_SCORES,
    LoopStatus.ZERO_SCORES,
    LoopStatus.UNORDERED,
    LoopStatus.INVALID_LOSS_WEIGHTS,
    LoopStatus.INVALID_SIZE,
    LoopStatus.WEIGHTED_PLAN,
)
"""Errors that are the fault of the selector."""


@contextlib.contextmanager
def selector_errors(selector: Selector) -> Iterator[None]:
    """Turn an error of TensorFlow in the code of a user's selector into one sentence.

    Args:
        selector: The selector of the loop that runs in the block.

    Raises:
        TrainingError: In place of the error; errors from elsewhere are raised as they are.
    """
    if isinstance(selector, NumpyFunction):
        selector.failures.clear()
    try:
        yield
    except tf.errors.OpError as error:
        message = _describe_failure(selector, error) if is_user_code(selector) else None
        if message is None:
            raise
        raise TrainingError(message) from None


def _describe_failure(selector: Selector, error: tf.errors.OpError) -> str | None:
    """Return an error in the code of a selector as a sentence; None if it is another error."""
    if isinstance(selector, NumpyFunction):
        return str(explain(selector, "plan", selector.failures[-1])) if selector.failures else None
    text = str(error)
    # TensorFlow leaves the first slash of a path out.
    frames = [("/" + file.lstrip("/"), int(line)) for file, line in _FRAME.findall(text)]
    own = [place for place, (file, _) in enumerate(frames) if file.startswith(_SELECTORS)]
    user = [frame for frame in frames[min(own, default=len(frames)) :] if not frame[0].startswith(_PACKAGE)]
    user = [frame for frame in user if not _LIBRARY.search(frame[0])]
    if not user:
        return None
    lines = [line.strip() for line in re.sub(r"\{\{.*?\}\}|\[Op:\w+\]", "", text).splitlines()]
    reason = next((line for line in reversed(lines) if line and not line.startswith(("[[", "File "))), "")
    place = describe_line(*user[-1])
    return f"{title(selector)}{place} failed: {shorten(reason, 160).rstrip('.')}."


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_LIBRARY = re.compile(r"/(site|dist)-packages/|/lib/python3[.]\d+/")
_PACKAGE = str(Path(__file__).parents[2]) + os.sep
_SELECTORS = (_PACKAGE + os.path.join("selectors", ""), _PACKAGE + os.path.join("core", "rng"))


def check_evaluation(loop: TrainLoop, results: dict[str, float]) -> None:
    """Raise an error if the loss of an evaluation is not finite.

    Args:
        loop: The loop.
        results: Loss and metrics.

    Raises:
        TrainingError: Naming the step.
    """
    if not np.isfinite(results.get("loss", 0.0)):  # a test step of the model's own may report none
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
    used = slice(0, int(loop.state.plan.steps.numpy()) * loop.width)
    weights, indices = loop.state.plan.weights.numpy()[used], loop.state.plan.indices.numpy()[used]
    bad = ~np.isfinite(weights) | (weights < 0) & ~(loop.selector.scores_excluded & (weights == -1))
    if bad.any():
        return (
            f"{loop.selector!r} planned sample {indices[bad][0]} with the weight {weights[bad][0]:g}."
            " A weight is the factor of a loss: finite and at least 0 (a negative one would raise the loss)."
        )
    return (
        f"{loop.selector!r} returned a batch whose first row has weight 0, or a weight that is negative or not finite."
        " Weight 0 marks rows that fill up a batch; they follow the samples that are trained on."
    )


def _user_parts(loop: TrainLoop) -> str:
    """Return the parts of the selector that a user wrote."""
    parts = filter(is_user_code, loop.selector.list_parts())
    return " or ".join(title(part) if isinstance(part, Function) else repr(part) for part in parts)


def _invalid_scores(loop: TrainLoop) -> str:
    step = int(loop.state.step.numpy())
    return (
        f"{_user_parts(loop)} returned a score that is negative or NaN, at step {step}. Scores are at least 0, and"
        " infinite for samples that come first: use tf.maximum(scores, 0), tf.exp of log-probabilities, and"
        " tf.math.divide_no_nan to divide."
    )


def _zero_scores(loop: TrainLoop) -> str:
    step = int(loop.state.step.numpy())
    return (
        f"{_user_parts(loop)} drew in proportion to scores of which none is above 0, at step {step}, although losses"
        " are known: all samples would be equally likely. Add a small number to all scores, or look for one that is"
        " never set."
    )


def _unordered(loop: TrainLoop) -> str:
    step, places = int(loop.state.step.numpy()), dict.fromkeys(loop.ranking)
    place = next(iter(places)) if len(places) == 1 else ""
    return (
        f"{_user_parts(loop)}{place} puts numbers in order of which some are NaN, at step {step}. Losses of unseen"
        " samples are infinite: use tf.where(visits > 0, losses, 0.0), and tf.math.divide_no_nan to divide."
    )


def _invalid_loss_weights(loop: TrainLoop) -> str:
    step = int(loop.state.step.numpy())
    return (
        f"loss_weights() of {loop.selector!r} returned a factor that is negative or not finite, at step {step}. Factors"
        " are at least 0: use tf.maximum, and tf.math.divide_no_nan to divide."
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


def _invalid_size(loop: TrainLoop) -> str:
    return (
        f"{loop.selector!r} planned a batch with another number of rows than {loop.width} or the {loop.short} of its"
        " short_batch(). Return None from short_batch(n, batch_size) if short batches have no fixed number of rows."
    )


def _weighted_plan(loop: TrainLoop) -> str:
    used = slice(0, int(loop.state.plan.steps.numpy()) * loop.width)
    weights = loop.state.plan.weights.numpy()[used]
    return (
        f"{loop.selector!r} planned a sample with the weight {weights[(weights != 0) & (weights != 1)][0]:g}, and it is"
        f" unknown whether the step of {type(loop.step.model).__name__} weighs samples. Choose a selector whose weights"
        " are 1."
    )


_MESSAGES = {
    LoopStatus.NONFINITE_LOSS: _nonfinite_loss,
    LoopStatus.NEGATIVE_LOSS: _negative_loss,
    LoopStatus.INVALID_PLAN_LENGTH: _invalid_plan_length,
    LoopStatus.INVALID_WEIGHTS: _invalid_weights,
    LoopStatus.INVALID_POSITIONS: _invalid_positions,
    LoopStatus.INVALID_INDICES: _invalid_indices,
    LoopStatus.INVALID_SCORES: _invalid_scores,
    LoopStatus.ZERO_SCORES: _zero_scores,
    LoopStatus.UNORDERED: _unordered,
    LoopStatus.INVALID_LOSS_WEIGHTS: _invalid_loss_weights,
    LoopStatus.INVALID_SIZE: _invalid_size,
    LoopStatus.WEIGHTED_PLAN: _weighted_plan,
}
