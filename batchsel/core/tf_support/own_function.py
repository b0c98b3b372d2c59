"""Traced functions of objects of which a process may have many, such as trainers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf


def own_function(function: Callable[..., Any], **options: Any) -> Any:
    """Return a `tf.function` whose traces TensorFlow counts apart from those of other objects.

    TensorFlow warns of many traces of the same code, whatever object the code is bound to: five trainers in a process
    would look like a function that is traced again at each call. A partial has no code, so each counts for itself.

    Args:
        function: The function, without autograph.
        options: Further arguments of `tf.function`.

    Example:
        >>> double = own_function(lambda x: 2 * x)
        >>> int(double(tf.constant(2))), double.experimental_get_tracing_count()
        (4, 1)
    """
    return tf.function(partial(function), autograph=False, **options)
