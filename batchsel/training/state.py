"""Every variable of a run by name: what a checkpoint holds and a warm-up puts back."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.errors import UserError
from batchsel.training.loop import Loop
from batchsel.training.step import Step


def variables(step: Step, loop: Loop) -> dict[str, Any]:
    """All variables of a run.

    Layers are numbered afresh in every process, so the names are made of positions, not of layer names.

    Args:
        step: Holds the model, the optimiser and the metrics.
        loop: Holds the selector's state and the counters.

    Returns:
        Variables (of Keras and of TensorFlow) by name.
    """
    metrics = [variable for metric in step.metrics.objects for variable in metric.variables]
    groups = {
        "model": model_variables(step.model),
        "optimizer": step.optimizer.variables,
        "metric": _unique(metrics),
        "loop": [loop.seed, step.base_rate, *tf.nest.flatten(loop.carry)],
    }
    return {
        f"{group}/{position}/{variable.name.split(':')[0].split('/')[-1]}" if group == "model" else
        f"{group}/{position}": variable
        for group, members in groups.items()
        for position, variable in enumerate(members)
    }  # fmt: skip


def model_variables(model: keras.Model) -> list[Any]:
    """Weights and random generators of a model, each once."""
    return _unique(model.variables)


def _unique(members: Iterable[Any]) -> list[Any]:
    return list({id(member): member for member in members}.values())


def snapshot(members: dict[str, Any]) -> dict[str, np.ndarray]:
    """The values of variables, on the host.

    Args:
        members: Variables by name.
    """
    return {name: np.array(variable.numpy()) for name, variable in members.items()}


def put_back(members: dict[str, Any], values: dict[str, np.ndarray]) -> None:
    """Assigns what `snapshot` took.

    Args:
        members: Variables by name.
        values: Values by name.
    """
    for name, value in values.items():
        members[name].assign(value)


def initialise(model: keras.Model, seed: int) -> None:
    """Gives a model fresh initial weights and random generators, as a function of the seed.

    Keras draws the seeds of initialisers from Python's generator when a layer is made; a clone is made
    under a generator seeded for it alone, which is put back.

    Args:
        model: A model that `keras.models.clone_model` can clone.
        seed: Any integer. Initialisers with a seed of their own keep it.

    Raises:
        UserError: If the model cannot be cloned.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> initialise(model, 1); first = model.get_weights()[0]
        >>> initialise(model, 2); second = model.get_weights()[0]
        >>> initialise(model, 1); bool((model.get_weights()[0] == first).all() and (first != second).any())
        True
    """
    outer, compiled = random.getstate(), model.compiled
    random.seed(f"batchsel weights {seed}")
    # A clone of a compiled model is compiled too, for which Keras looks up losses by name, in vain if they
    # are the user's own.
    model.compiled = False
    try:
        fresh = keras.models.clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot make fresh weights for {type(model).__name__}: {error}. Give reset() the weights, as in"
            " trainer.reset(seed, weights=build().get_weights())."
        ) from error
    finally:
        random.setstate(outer)
        model.compiled = compiled
    pairs = zip(model_variables(model), model_variables(fresh), strict=True)
    for variable, value in pairs:
        variable.assign(value)


def can_copy(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether Keras can make another optimiser with the same settings.

    Args:
        optimizer: Any optimiser.
    """
    try:
        type(optimizer).from_config(optimizer.get_config())
    except Exception:  # whatever the user's own class raises
        return False
    return True


def fresh_slots(optimizer: keras.optimizers.Optimizer, trained: list[Any]) -> list[np.ndarray]:
    """The values that an optimiser's variables have before its first update.

    Args:
        optimizer: A built optimiser.
        trained: The variables that it updates.

    Returns:
        One for each of `optimizer.variables`, in that order.

    Raises:
        UserError: If Keras cannot make another optimiser with the same settings.
    """
    if not can_copy(optimizer):
        raise UserError(
            f"cannot put {type(optimizer).__name__} back to before its first update: it was in use before, and Keras"
            " cannot make another with its settings. Compile the model with a new optimiser, or define get_config()"
            " on your own optimiser or learning-rate schedule."
        )
    fresh = type(optimizer).from_config(optimizer.get_config())
    fresh.build(trained)
    return [variable.numpy() for variable in fresh.variables]
