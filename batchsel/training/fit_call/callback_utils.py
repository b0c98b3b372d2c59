"""Keras callbacks and their hooks; the fewer are called, the longer the loop runs without Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from batchsel.core import keras_private
from batchsel.errors import UsageError
from batchsel.training.fit_call.fit_config import FitConfig
from batchsel.training.fit_call.varying_values import MetricsBar, MetricsHistory

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_EPOCH_HOOKS = ("on_epoch_begin", "on_epoch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")
# Keras's own callbacks that have batch hooks, and the attribute that says whether they need every batch.
_FREQUENCIES = {
    keras.callbacks.ModelCheckpoint: "save_freq",
    keras.callbacks.BackupAndRestore: "save_freq",
    keras.callbacks.TensorBoard: "update_freq",
}
_PATIENT = (keras.callbacks.ProgbarLogger, keras.callbacks.TerminateOnNaN)


def callback_list(config: FitConfig, model: keras.Model, history: MetricsHistory) -> keras.callbacks.CallbackList:
    """Return the user's callbacks, the history and, if configured, Keras's progress bar.

    Args:
        config: Settings of the call of fit.
        model: The model.
        history: The history to be filled.
    """
    steps = -(-int(min(config.every, config.budget or config.every)) // config.advance)
    callbacks = [*config.callbacks, history]
    if config.verbose and not any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in callbacks):
        callbacks.append(MetricsBar(history))
    return keras.callbacks.CallbackList(
        callbacks,
        model=model,
        verbose=1 if config.verbose == "auto" else int(config.verbose),
        epochs=config.intervals,
        steps=steps,
    )


def set_trainer(callbacks: Sequence[keras.callbacks.Callback], trainer: Any) -> None:
    """Pass the trainer to the callbacks that have a method `set_trainer`.

    Args:
        callbacks: Keras callbacks.
        trainer: The trainer.
    """
    for callback in callbacks:
        method = getattr(callback, "set_trainer", None)
        if method is not None:
            method(trainer)


def report_error(callbacks: Sequence[keras.callbacks.Callback], error: BaseException) -> None:
    """Call `on_train_error` of the callbacks that have it: Keras has no hook for runs that end early.

    Args:
        callbacks: Keras callbacks.
        error: The exception that ends the run, KeyboardInterrupt included.
    """
    for callback in callbacks:
        method = getattr(callback, "on_train_error", None)
        if method is not None:
            method(error)


def reject_lr_callbacks(callbacks: Sequence[keras.callbacks.Callback], own: bool) -> None:
    """Reject callbacks that set the learning rate, which a schedule sets too.

    Args:
        callbacks: Keras callbacks.
        own: Whether it is a schedule of the optimizer, not that of ``schedule=``.

    Raises:
        UsageError: If a callback of Keras sets the learning rate.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.LearningRateScheduler | keras.callbacks.ReduceLROnPlateau):
            schedule = "the schedule of the optimizer" if own else "schedule="
            raise UsageError(
                f"{schedule} and {type(callback).__name__} would both set the learning rate; use one of them."
            )


def needs_every_batch(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Return whether any callback has a batch hook that must be called for each single batch.

    Args:
        callbacks: Keras callbacks.

    Example:
        >>> needs_every_batch([keras.callbacks.EarlyStopping()])
        False
    """
    return any(
        _reads(callback) or (_overrides(callback, _BATCH_HOOKS) and not _is_patient(callback)) for callback in callbacks
    )


def read_batches(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Return whether any callback reads all batches since its last hook.

    Args:
        callbacks: Keras callbacks.
    """
    return any(map(_reads, callbacks))


def read_every_batch(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Return whether any callback reads batches in a hook for batches.

    Args:
        callbacks: Keras callbacks.
    """
    return any(_reads(callback) and _overrides(callback, _BATCH_HOOKS) for callback in callbacks)


def _reads(callback: keras.callbacks.Callback) -> bool:
    return bool(getattr(callback, "reads_batches", False))


def needs_test_batches(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Return whether any callback has a hook for batches of evaluations.

    Args:
        callbacks: Keras callbacks.

    Example:
        >>> needs_test_batches([keras.callbacks.EarlyStopping()])
        False
    """
    return any(_overrides(callback, _TEST_HOOKS) for callback in callbacks)


def needs_batches(callbacks: keras.callbacks.CallbackList) -> bool:
    """Return whether any callback has a batch hook at all.

    Args:
        callbacks: All callbacks of a run.
    """
    return any(_overrides(callback, _BATCH_HOOKS) for callback in callbacks.callbacks)


def can_skip_epochs(config: FitConfig) -> bool:
    """Return whether nothing happens between epochs, so that the loop need not return to Python.

    Args:
        config: Settings of the call of fit.
    """
    nothing_due = config.validation is None and config.checkpoint is None and config.seconds is None
    # A batch may be most of a plan, hence longer than an interval that is a part of one.
    at_least_a_batch = not config.by_plan or config.every >= config.feed.n
    return (
        nothing_due
        and at_least_a_batch
        and not any(_overrides(callback, _BATCH_HOOKS + _EPOCH_HOOKS) for callback in config.callbacks)
    )


def _is_patient(callback: keras.callbacks.Callback) -> bool:
    """Return whether the last batch of a call is enough for a callback.

    Keras's own are known; others say so by an attribute ``patient = True``.
    """
    if type(callback) is keras.callbacks.TensorBoard and keras_private.profiles_batches(callback):
        return False
    for kind, attribute in _FREQUENCIES.items():
        if type(callback) is kind:
            return getattr(callback, attribute) == "epoch"
    return type(callback) in _PATIENT or getattr(callback, "patient", False)


def _overrides(callback: keras.callbacks.Callback, names: Sequence[str]) -> bool:
    def is_overridden(name: str) -> bool:
        own = getattr(callback, name, None)
        return getattr(own, "__func__", own) is not getattr(keras.callbacks.Callback, name, None)

    if isinstance(callback, keras.callbacks.LambdaCallback):
        # LambdaCallback sets all hooks on the instance; those that were not passed are placeholders.
        placeholder = keras.callbacks.LambdaCallback()
        return any(_code(callback, name) != _code(placeholder, name) for name in names)
    return any(map(is_overridden, names))


def _code(callback: keras.callbacks.Callback, name: str) -> object:
    hook = getattr(callback, name)
    return getattr(hook, "__code__", hook)
