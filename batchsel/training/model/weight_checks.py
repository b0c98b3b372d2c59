"""Check sample weights against the losses that they weigh, before anything is trained."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.model.per_sample_loss import PerSampleLoss, weighs_rows


def check_sample_weight(sample_weight: Any, losses: list[PerSampleLoss], paths: list[tuple[Any, ...]]) -> None:
    """Check that there are weights for each loss, and that they are of samples or of the steps that it has.

    Args:
        sample_weight: Weights of some samples, or None.
        losses: The losses, called before.
        paths: The keys that lead to the output of each.

    Raises:
        UserError: If weights are missing for an output, or have a shape that does not suit its loss.
    """
    for loss, path in zip(losses if sample_weight is not None else [], paths, strict=False):
        name = "".join(f"[{key!r}]" for key in path)
        weight = _weight_of(sample_weight, path)
        if weight is None:
            raise UserError(
                f"sample_weight has no weights for the output{' ' + name if name else ''} of the loss {loss.name!r}."
                " Pass one array for all outputs, or one for each in the form of the outputs; ones where none weigh."
            )
        values: Any = loss.values
        if not weighs_rows(weight) and not _weighs_steps(tuple(weight.shape)[1:], tuple(values.shape)[1:]):
            steps = "" if values.shape.rank == 1 else f" or [n, {', '.join(map(str, values.shape[1:]))}]"
            raise UserError(
                f"sample_weight has the shape [n, {', '.join(map(str, weight.shape[1:]))}], which the loss"
                f" {loss.name!r}{' of output ' + name if name else ''} cannot use: it has one number for each"
                f" {'sample' if values.shape.rank == 1 else 'step'}. Pass weights of the shape [n]{steps}."
            )


def _weight_of(sample_weight: Any, path: tuple[Any, ...]) -> Any:
    """Return the weights of one output, or None."""
    if not tf.nest.is_nested(sample_weight):
        return sample_weight
    try:
        for key in path:
            sample_weight = sample_weight[key]
    except (KeyError, IndexError, TypeError):
        return None
    return None if tf.nest.is_nested(sample_weight) else sample_weight


def _weighs_steps(weight: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    while len(weight) > len(steps) and weight[-1] == 1:
        weight = weight[:-1]
    return len(weight) == len(steps) and all(size in (1, own) for size, own in zip(weight, steps, strict=True))
