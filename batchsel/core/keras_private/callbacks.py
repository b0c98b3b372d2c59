"""Private parts of Keras's callbacks."""

from __future__ import annotations

import keras


def profiles_batches(callback: keras.callbacks.TensorBoard) -> bool:
    """Return whether TensorBoard profiles some batches, `TensorBoard._should_trace`.

    The argument `profile_batch` is kept in no public attribute.

    Args:
        callback: The callback.
    """
    return callback._should_trace
