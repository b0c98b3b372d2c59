"""What TensorFlow runs on, and how: devices, threads, determinism, precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf


def devices() -> list[str]:
    """The devices that TensorFlow sees, by type.

    Example:
        >>> "CPU" in devices()
        True
    """
    return [device.device_type for device in tf.config.list_physical_devices()]


def threads() -> dict[str, int]:
    """Threads within an operation and between operations; 0 leaves it to TensorFlow."""
    return {
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def make_deterministic() -> None:
    """Makes TensorFlow's operations deterministic, for the rest of the process."""
    tf.config.experimental.enable_op_determinism()


@contextmanager
def precision(mixed: bool) -> Iterator[str]:
    """Builds models in mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Args:
        mixed: Whether to; otherwise nothing is changed.

    Returns:
        A context that gives the name of the policy.

    Example:
        >>> with precision(False) as name:
        ...     name
        'float32'
    """
    outer = keras.config.dtype_policy()
    if mixed:
        keras.config.set_dtype_policy("mixed_float16" if "GPU" in devices() else "mixed_bfloat16")
    try:
        yield keras.config.dtype_policy().name
    finally:
        keras.config.set_dtype_policy(outer)
