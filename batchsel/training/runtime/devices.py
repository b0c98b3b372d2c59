"""Devices, threads and determinism of TensorFlow."""

from __future__ import annotations

import tensorflow as tf


def devices() -> list[str]:
    """Return the types of the devices that TensorFlow sees.

    Example:
        >>> "CPU" in devices()
        True
    """
    return [device.device_type for device in tf.config.list_physical_devices()]


def threads() -> dict[str, int]:
    """Return the threads within an operation and between operations; 0 leaves the number to TensorFlow."""
    return {
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def make_deterministic() -> None:
    """Make TensorFlow's operations deterministic, for the rest of the process."""
    tf.config.experimental.enable_op_determinism()
