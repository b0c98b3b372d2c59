"""Devices, threads and determinism of TensorFlow."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path

import tensorflow as tf

from batchsel.core.locking import gpus

_DRIVER = Path("/proc/driver/nvidia/version")


def devices() -> list[str]:
    """Return the types of the devices that TensorFlow sees.

    Example:
        >>> "CPU" in devices()
        True
    """
    return [device.device_type for device in tf.config.list_physical_devices()]


def describe_device() -> str:
    """Return what TensorFlow trains on, and why not on a GPU, in one line.

    Example:
        >>> describe_device().startswith(("training on the CPU: ", "training on the GPU"))
        True
    """
    found = tf.config.list_physical_devices("GPU")
    if not found:
        return f"training on the CPU: {_missing_gpu()}"
    name = tf.config.experimental.get_device_details(found[0]).get("device_name", found[0].name)
    return f"training on the GPU {name}" + (f", the first of {len(found)}" if len(found) > 1 else "")


def gpu_names() -> list[str]:
    """Return the names of the GPUs that TensorFlow sees, as in ``["NVIDIA H200"]``; of simulated ones, "simulated"."""
    if gpus.simulated():
        return ["simulated"]
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [each.get("device_name", "GPU") for each in details]


def used_gpus() -> list[str]:
    """Return the numbers of the GPUs that this process takes hold of: all that TensorFlow sees.

    Example:
        >>> bool(used_gpus()) <= bool(gpu_names())
        True
    """
    return gpus.visible() if gpu_names() else []


@functools.cache
def announce_device() -> None:
    """Say on standard error what TensorFlow trains on, once in a process."""
    print(describe_device(), file=sys.stderr, flush=True)


def _missing_gpu() -> str:
    """Return why TensorFlow sees no GPU."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides GPUs"
    if not tf.test.is_built_with_gpu_support():
        return "this TensorFlow is built without support for GPUs"
    if _DRIVER.is_file():
        return "there is a GPU, but no CUDA libraries for TensorFlow (pip install 'tensorflow[and-cuda]')"
    return "no GPU was found"


def threads() -> dict[str, int]:
    """Return the threads within an operation and between operations; 0 leaves the number to TensorFlow."""
    return {
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads() or _threads_of_environment("INTRAOP"),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads() or _threads_of_environment("INTEROP"),
    }


def _threads_of_environment(kind: str) -> int:
    """Return the number in the variable that TensorFlow reads where nothing else is configured; 0 for none."""
    text = os.environ.get(f"TF_NUM_{kind}_THREADS", "")
    return int(text) if text.isdecimal() else 0


def make_deterministic() -> None:
    """Make TensorFlow's operations deterministic, for the rest of the process."""
    tf.config.experimental.enable_op_determinism()
