"""Guards against calls that would hang, count half of the samples, or compile the loop into another function."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, SupportsIndex

import keras
import tensorflow as tf
from tensorflow.python.eager import context

from batchsel.errors import UserError

_LOCK = threading.Lock()
_TRAINING: weakref.WeakSet[keras.Model] = weakref.WeakSet()
"""Models that a call of fit trains now."""
_forked = False
"""True if this process was forked from one that had used TensorFlow."""


def _note_fork() -> None:
    global _forked
    # A process that only imported TensorFlow has no context and no threads yet, and its children may use it.
    _forked = _forked or context.context_safe() is not None


os.register_at_fork(after_in_child=_note_fork)


def check_call(name: str) -> None:
    """Check that TensorFlow can run here and now.

    Args:
        name: The function that was called, for the message.

    Raises:
        UserError: In a process forked from one that had used TensorFlow, and inside `tf.function` or a graph.
    """
    if _forked:
        raise UserError(
            f"{name} was called in a process forked from one that had used TensorFlow, which would hang: start"
            " processes with multiprocessing.get_context('spawn')."
        )
    if not tf.executing_eagerly():
        raise UserError(
            f"{name} was called inside tf.function or a graph, where it cannot compile its own loop: call it from plain"
            " Python."
        )


def check_idle(model: keras.Model, name: str) -> None:
    """Check that TensorFlow can run here, as `check_call` does, and that no call of fit is training a model.

    Args:
        model: The model.
        name: The function that was called, for the message.

    Raises:
        UserError: If it cannot, or a call is training the model, in this or another thread.
    """
    check_call(name)
    if model in _TRAINING:
        raise _busy_error(name)


@contextmanager
def exclusive(model: keras.Model, name: str) -> Iterator[None]:
    """Keep a model to one call of fit.

    Args:
        model: The model.
        name: The function that was called, for the message.

    Raises:
        UserError: If another call is training it, in this thread (as from a callback) or another.

    Example:
        >>> model = keras.Sequential()
        >>> with exclusive(model, "fit()"), exclusive(model, "fit()"):
        ...     pass
        Traceback (most recent call last):
        batchsel.errors.UserError: fit() was called while another fit() is training the same model: ...
    """
    with _LOCK:
        check_idle(model, name)
        _TRAINING.add(model)
    try:
        yield
    finally:
        with _LOCK:
            _TRAINING.discard(model)


def _busy_error(name: str) -> UserError:
    return UserError(
        f"{name} was called while another fit() is training the same model: wait until it has returned, or use another"
        " model and trainer."
    )


def refuse_copy(value: Any, protocol: SupportsIndex) -> NoReturn:
    """Refuse to copy or pickle an object; used as its `__reduce_ex__`.

    Args:
        value: The object.
        protocol: Version of pickle's format.

    Raises:
        UserError: Always.
    """
    raise UserError(
        f"a {type(value).__name__} cannot be copied or pickled, because it holds compiled functions: write its state"
        " with save(path), and restore it with resume(path) in another trainer."
    )
