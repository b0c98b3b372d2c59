"""Checks that a model and the settings of its run suit several devices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from batchsel.core.tf_support.replicated import list_replicas
from batchsel.errors import UserError
from batchsel.selectors import Selector
from batchsel.training.model.distributed.replicas import get_replicas
from batchsel.training.model.distributed.train_step import TOGETHER
from batchsel.training.optim.layer_rates import unwrap_optimizer

_REMEDY = "Build and compile the model outside of the scope of the strategy, to train on one device"


def check_replica_settings(model: keras.Model, count: int, selector: Selector) -> None:
    """Check the settings of a run on several devices.

    Args:
        model: The model, compiled.
        count: The number of devices.
        selector: The selector.

    Raises:
        UserError: If a setting is not offered there.
    """
    optimizer: Any = unwrap_optimizer(model.optimizer)
    for setting in TOGETHER:
        if getattr(optimizer, setting, None) and optimizer is not model.optimizer:
            raise UserError(
                f"{type(optimizer).__name__}({setting}=...) with a loss scale is not offered on several devices: Keras"
                " updates in branches of both, in which devices cannot wait for each other. Compile without a loss"
                " scale (as by default with mixed_bfloat16), or train on one device."
            )
    check_within_scope("the optimizer", optimizer.variables, count)
    if not hasattr(optimizer, "update_step"):
        raise UserError(
            f"{type(optimizer).__name__} combines several optimizers, which is not offered on several devices. Use one"
            " optimizer, or train on one device."
        )


def check_within_scope(part: str, members: Iterable[Any], count: int) -> None:
    """Check that variables lie on all devices.

    Args:
        part: What they belong to, for the message.
        members: The variables.
        count: The number of devices.

    Raises:
        UserError: If they were made outside of the scope of the strategy.
    """
    for variable in members:
        if len(list_replicas(variable)) != count:
            raise UserError(
                f"{part} ({getattr(variable, 'path', variable.name)}) was made outside of the scope of the model's"
                " strategy. Make model, optimizer and metrics, and compile, within it: with"
                f" batchsel.device_scope({count}): ..."
            )


def check_one_device(model: keras.Model, reason: str) -> None:
    """Refuse a model with a step of its own on several devices.

    Args:
        model: The model.
        reason: The part of it that makes it so, as in "GAN overrides train_step()".

    Raises:
        UserError: If it was built under a strategy.
    """
    if get_replicas(model) is not None:
        raise UserError(f"{reason}, and batchsel cannot divide the batches of such a step among devices. {_REMEDY}.")
