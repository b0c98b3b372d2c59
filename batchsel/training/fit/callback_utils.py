"""Which hooks of Keras callbacks must be called when; the fewer, the longer the loop runs undisturbed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras

from batchsel.errors import UsageError

if TYPE_CHECKING:
    from batchsel.training.fit.fit_config import FitConfig
    from batchsel.training.trainer import Trainer

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
_EPOCH_HOOKS = ("on_epoch_begin", "on_epoch_end")
# Keras's own callbacks that have batch hooks, and the attribute that says whether they need every batch.
_FREQUENCIES = {
    keras.callbacks.ModelCheckpoint: "save_freq",
    keras.callbacks.BackupAndRestore: "save_freq",
    keras.callbacks.TensorBoard: "update_freq",
}
_PATIENT = (keras.callbacks.ProgbarLogger, keras.callbacks.TerminateOnNaN)


def callback_list(
    config: FitConfig, trainer: Trainer, history: keras.callbacks.History
) -> keras.callbacks.CallbackList:
    """The user's callbacks, the history and, if asked for, Keras's progress bar.

    Callbacks that have a ``set_trainer`` get the trainer, as all get the model by ``set_model``.

    Args:
        config: What fit is asked to do.
        trainer: What is trained with.
        history: The history to be filled.
    """
    for callback in config.callbacks:
        if hasattr(callback, "set_trainer"):
            callback.set_trainer(trainer)
    steps = -(-int(min(config.every, config.budget)) // config.batch_size)
    return keras.callbacks.CallbackList(
        [*config.callbacks, history],
        add_progbar=bool(config.verbose),
        model=trainer.model,
        verbose=1 if config.verbose == "auto" else int(config.verbose),
        epochs=config.intervals,
        steps=steps,
    )


def refuse_other_schedules(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Makes sure that a schedule does not fight a callback over the learning rate.

    Args:
        callbacks: Keras callbacks.

    Raises:
        UsageError: If one of Keras's sets the learning rate.
    """
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.LearningRateScheduler | keras.callbacks.ReduceLROnPlateau):
            raise UsageError(
                f"schedule= and {type(callback).__name__} would both set the learning rate; give one of them."
            )


def wants_every_batch(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Whether any callback has a batch hook that must be called for each single batch.

    Args:
        callbacks: Keras callbacks.

    Example:
        >>> wants_every_batch([keras.callbacks.EarlyStopping()])
        False
    """
    return any(_overrides(callback, _BATCH_HOOKS) and not _patient(callback) for callback in callbacks)


def wants_batches(callbacks: keras.callbacks.CallbackList) -> bool:
    """Whether any callback has a batch hook at all.

    Args:
        callbacks: All callbacks of a run.
    """
    return any(_overrides(callback, _BATCH_HOOKS) for callback in callbacks.callbacks)


def wants_no_epochs(config: FitConfig) -> bool:
    """Whether epochs may pass without a return to Python: nothing happens between them.

    Args:
        config: What fit is asked to do.
    """
    quiet = config.validation is None and config.checkpoint is None and config.seconds is None
    return quiet and not any(_overrides(callback, _BATCH_HOOKS + _EPOCH_HOOKS) for callback in config.callbacks)


def _patient(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback is content to be told about the last batch of a call.

    Keras's own are known; others say so by an attribute ``patient = True``.
    """
    for kind, attribute in _FREQUENCIES.items():
        if type(callback) is kind:
            return getattr(callback, attribute) == "epoch"
    return type(callback) in _PATIENT or getattr(callback, "patient", False)


def _overrides(callback: keras.callbacks.Callback, names: Sequence[str]) -> bool:
    def given(name: str) -> bool:
        own = getattr(callback, name, None)
        return getattr(own, "__func__", own) is not getattr(keras.callbacks.Callback, name, None)

    if isinstance(callback, keras.callbacks.LambdaCallback):
        # LambdaCallback sets all hooks on the instance; those that were not given are placeholders.
        placeholder = keras.callbacks.LambdaCallback()
        return any(_code(callback, name) != _code(placeholder, name) for name in names)
    return any(given(name) for name in names)


def _code(callback: keras.callbacks.Callback, name: str) -> object:
    hook = getattr(callback, name)
    return getattr(hook, "__code__", hook)
