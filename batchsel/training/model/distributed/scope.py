"""The scope in which a model is built for several devices of a host."""

from __future__ import annotations

import functools
import operator
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any

import keras
import tensorflow as tf

from batchsel.core.tf_support.tf_import import CPU_DEVICES, divide_cpu
from batchsel.errors import UsageError, UserError, show
from batchsel.training.model.distributed.replicas import get_replicas

_MOST = 1024
"""More devices than any host has; a larger number is a slip."""


def list_devices() -> list[str]:
    """Return the devices that a run can be divided among: the GPUs, or what TensorFlow sees of the CPU.

    Example:
        >>> list_devices()[0][:4] in ("GPU:", "CPU:")
        True
    """
    divide_cpu()
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return [f"{kind}:{number}" for number in range(len(tf.config.list_logical_devices(kind)))]


def resolve_devices(devices: Any) -> int:
    """Return the number of devices that a setting asks for.

    Args:
        devices: A number, in text too; "all"; or None for one.

    Raises:
        UsageError: If it is none of these, or there are not so many.

    Example:
        >>> resolve_devices(None), resolve_devices("1")
        (1, 1)
    """
    known = list_devices()
    if devices is None:
        return 1
    text = devices if isinstance(devices, str) else ""
    if text == "all":
        return len(known)
    count = 0
    if text.isdecimal() and len(text) < 10:
        count = int(text)
    elif isinstance(devices, Integral) and not isinstance(devices, bool):
        count = operator.index(devices)
    if not 1 <= count <= _MOST:
        raise UsageError(f'devices must be a whole number of at least 1 or "all", got {show(devices)}.')
    if count > len(known):
        kind = known[0][:3]
        remedy = (
            f"Set {CPU_DEVICES}={count} before TensorFlow starts to try it on parts of the CPU, which is no faster"
            if kind == "CPU"
            else f"Ask for at most {len(known)}, or devices='all'"
        )
        seen = f"TensorFlow sees {len(known)} {kind}{'s'[: len(known) > 1]}"
        raise UsageError(f"devices={count}, and {seen}. {remedy}.")
    return count


def device_scope(devices: Any) -> AbstractContextManager[Any]:
    """Return a context in which a Keras model is built and compiled for several devices of this host.

    `batchsel.fit` and `Trainer` then train it on all of them: each takes its share of every batch. It is the scope of a
    `tf.distribute.MirroredStrategy`, under which a model may be built as well.

    Args:
        devices: The number of GPUs (without any: of devices that TensorFlow makes of the CPU), or "all". With 1 or None
            the context does nothing.

    Raises:
        UsageError: If there are not so many.

    Example:
        >>> with device_scope(1):
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
    """
    count = resolve_devices(devices)
    if count == 1:
        return nullcontext()
    return _get_strategy(tuple(list_devices()[:count])).scope()


@functools.cache
def _get_strategy(names: tuple[str, ...]) -> Any:
    """Return the strategy for devices; one for all models, since a scope cannot be within that of another."""
    return tf.distribute.MirroredStrategy(names, cross_device_ops=tf.distribute.ReductionToOneDevice())


def check_devices(model: keras.Model, devices: Any) -> None:
    """Check that a model was built for the devices that a setting asks for.

    Args:
        model: The model.
        devices: As for `device_scope`; None for those that it was built for.

    Raises:
        UserError: If it was not.
    """
    if devices is None:
        return
    count, replicas = resolve_devices(devices), get_replicas(model)
    built = 1 if replicas is None else replicas.count
    if count != built:
        raise UserError(
            f"devices={devices}, and the model was built for {built}. Build and compile it within the scope:"
            f" with batchsel.device_scope({devices!r}): ..."
        )
