"""Checks that the settings of a run need no losses of samples, for a model that has none."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.schedules import AccumulationSchedule
from batchsel.selectors import Selector
from batchsel.transforms.augmentation import Pipeline

WORKING = (
    "random", "fixed", "with_replacement", "rs2", "growing", "falling", "volume", "scheduled_subset", "stratified",
    "length_buckets",
)  # fmt: skip
"""Selectors of batchsel that need no losses, for messages; in addition to pipes that begin with one of `SCORES`."""
SCORES = ("batch_loss_score", "given")


def reads_batch_losses(selector: Selector) -> bool:
    """Return whether a selector reads losses, and those of batches suffice.

    Args:
        selector: The selector.

    Example:
        >>> from batchsel import selectors
        >>> [reads_batch_losses(selectors.resolve(text)) for text in ("batch_loss_score | prune | keep", "random")]
        [True, False]
    """
    return any(part.uses_training_losses and part.accepts_batch_losses for part in selector.list_parts())


def needs_sample_losses(selector: Selector) -> bool:
    """Return whether a selector needs the loss of each sample, or signals of it.

    Args:
        selector: The selector.

    Example:
        >>> from batchsel import selectors
        >>> [needs_sample_losses(selectors.resolve(text)) for text in ("loss_ema", "candidates", "rs2")]
        [True, True, False]
    """
    reads = any(part.uses_training_losses and not part.accepts_batch_losses for part in selector.list_parts())
    scores = selector.scores_excluded or type(selector).choose is not Selector.choose
    return bool(reads or scores or selector.signals or selector.weighs or selector.prepares)


def check_settings(
    model: keras.Model,
    reason: str,
    selector: Selector,
    augmentation: Pipeline | None,
    accumulation_schedule: AccumulationSchedule | None,
    cut_padding: bool,
) -> None:
    """Check that a run needs no losses of samples, and nothing within the step of the model.

    Args:
        model: The model.
        reason: The part of it for which the losses of samples are unknown.
        selector: The selector.
        augmentation: The augmentation, or None.
        accumulation_schedule: Batches of an update, or None.
        cut_padding: Whether batches are cut to their longest sequence.

    Raises:
        UserError: Naming the setting, and what works in its place.
    """
    if needs_sample_losses(selector):
        names = ", ".join(map(repr, WORKING))
        raise UserError(
            f"{reason}, so the loss of a single sample is unknown, and the selector {selector!r} needs it. Selectors"
            f" that work: {names}, and pipes from {' or '.join(map(repr, SCORES))}, as in"
            " 'batch_loss_score | prune | keep'."
        )
    if any(getattr(part, "plans_weights", False) for part in selector.list_parts()):
        raise UserError(
            f"{reason}, so it is unknown whether its step weighs samples, as the selector {selector!r} plans to. Choose"
            " a draw without weights, such as 'keep' without rescale."
        )
    if accumulation_schedule is not None:
        raise UserError(
            f"{reason}, so its step makes an update for each batch, and accumulate= cannot sum gradients. Use"
            " gradient_accumulation_steps of the optimizer."
        )
    mixers = () if augmentation is None else augmentation.mixers
    if mixers:
        raise UserError(
            f"{reason}, so losses for both targets of mixed samples are unknown; leave"
            f" {' and '.join(map(repr, mixers))} out, or mix in the step of the model."
        )
    if cut_padding:
        raise UserError(
            f"{reason}, and its step may depend on padding: cut_padding is for models whose loss is known for each"
            " sample. Leave it out."
        )
    if any(getattr(loss, "plain_in_evaluation", False) for loss in _list_losses(model)):
        raise UserError(
            f"{reason}, so its evaluation cannot leave out the smoothing of SmoothedCrossentropy. Use"
            " keras.losses.CategoricalCrossentropy(label_smoothing=...), which smooths in evaluation too."
        )


def _list_losses(model: keras.Model) -> list[Any]:
    return tf.nest.flatten(getattr(model, "loss", None))
