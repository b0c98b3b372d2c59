"""`batchsel.fit`, a replacement for `model.fit`."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from batchsel.core.sources.batches import is_batches, peek_batch_size
from batchsel.errors import unknown_name
from batchsel.training.model.distributed.scope import check_devices
from batchsel.training.runtime import guards
from batchsel.training.trainer import Trainer

# Compiling costs a second or two; like model.fit, a second call with the same settings starts at once. The
# trainer is kept on the model, past Keras's __setattr__, so that it lives as long as the model and no longer.
_ATTRIBUTE = "_batchsel_trainer"
_OPTIONS = frozenset(inspect.signature(Trainer.fit).parameters) - {"self", "x", "y"}


def fit(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    selector: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
    schedule: Any = None,
    compile: str = "auto",
    cut_padding: bool = False,
    augment: Any = None,
    curriculum: Any = None,
    accumulate: Any = None,
    devices: Any = None,
    **options: Any,
) -> keras.callbacks.History:
    """Train a compiled Keras model on batches that a selector chooses, faster than `model.fit`.

    Called again with the same settings, it continues as `model.fit` does, with new batches. The state of the selector
    is kept if the number of samples is the same; another seed clears it.

    Args:
        model: Any compiled Keras model.
        x: Inputs, first axis n; or a source, or any other data that hold the targets too, as in `Trainer.fit`.
        y: Targets, first axis n; None where `x` holds them.
        selector: A name, a pipe in text, a selector object, or a function ``(losses, batch_size, rng) -> indices``. By
            default "random", or "fixed" with ``shuffle=False``.
        batch_size: b, samples of a step; all samples if there are fewer. By default 32, or the size of the first batch
            of data that come in batches.
        seed: Seed of the selector's random choices.
        schedule: The learning rate over the run, as in `Trainer`.
        compile: "auto", "graph" or "xla".
        cut_padding: Whether batches of padded sequences are cut to the longest in them.
        augment: Random changes of the samples, as in `Trainer`.
        curriculum: Changes of the samples that depend on time, as in `Trainer`.
        accumulate: Batches of an update, as in `Trainer`.
        devices: Check of the devices that the model was built for, as in `Trainer`.
        **options: As in `Trainer.fit`: epochs, passes, steps_per_epoch, initial_epoch, shuffle, sample_weight,
            class_weight, validation_data, validation_split, validation_steps, validation_batch_size, validation_freq,
            evaluate_every, callbacks, verbose, target, hold, stop_at_target, seconds, checkpoint, buffer_bytes.

    Returns:
        The history, as Keras returns it.

    Raises:
        UserError: If the model, the data or the selector cannot be used; raised before training starts.

    Example:
        >>> import batchsel, keras, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> x = np.random.default_rng(0).normal(size=(64, 2))
        >>> history = batchsel.fit(model, x, x.sum(1), selector="loss_ema", epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
    """
    guards.check_call("fit()")
    check_devices(model, devices)
    for name in options:
        if name not in _OPTIONS:
            raise unknown_name("argument of fit()", name, _OPTIONS)
    if selector is None:
        selector = "fixed" if options.get("shuffle") is False else "random"
    if batch_size is None:
        size, x = peek_batch_size(x) if y is None and is_batches(x) else (None, x)
        batch_size = size or 32
    augment, curriculum = (tuple(value) if isinstance(value, list) else value for value in (augment, curriculum))
    scoring = getattr(selector, "scoring", None)  # selectors are equal whichever it is
    settings = (selector, scoring, batch_size, schedule, compile, cut_padding, augment, curriculum, accumulate)
    known, trainer = getattr(model, _ATTRIBUTE, (None, None))
    if trainer is None or not _equal(known, settings) or not trainer.engine.compile_unchanged:
        trainer = Trainer(
            model,
            selector,
            batch_size=batch_size,
            seed=seed,
            schedule=schedule,
            compile=compile,
            cut_padding=cut_padding,
            augment=augment,
            curriculum=curriculum,
            accumulate=accumulate,
        )
        object.__setattr__(model, _ATTRIBUTE, (settings, trainer))
    elif trainer.seed != seed:
        trainer.reseed(seed)
    return trainer.fit(x, y, **options)


def _equal(known: tuple[Any, ...] | None, settings: tuple[Any, ...]) -> bool:
    """Return whether settings are those of the trainer that is kept."""
    try:
        return known == settings
    except ValueError:  # arrays in a user object cannot be compared
        return False
