"""Every variable of a run by name, for checkpoints and warm-up; initial weights from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.tf_support.replicated import (
    JointValue,
    SeparateValues,
    list_replicas,
    read_replicas,
    write_replicas,
)
from batchsel.errors import UserError
from batchsel.training.loop.train_loop import TrainLoop
from batchsel.training.loop.train_step import TrainStep
from batchsel.training.model.untracked import untracked_variables

_REPLICAS = "replicas/"
"""Begin of the names of the values on each device."""


def variables(step: TrainStep, loop: TrainLoop) -> dict[str, Any]:
    """Return all variables of a run.

    Keras numbers layers by process, so the names consist of positions, not of layer names.

    Args:
        step: Holds the model, the optimizer and the metrics.
        loop: Holds the selector's state and the counters.

    Returns:
        Variables (of Keras and of TensorFlow) by name.
    """
    transforms = loop.transforms
    augmentation = [] if transforms is None or transforms.augmentation is None else transforms.augmentation.variables
    groups = {
        "model": model_variables(step.model),
        "optimizer": getattr(step.optimizer, "variables", []),  # a model with several optimizers may have no main one
        "metric": step.metrics.variables,
        "loop": [loop.seed, step.lr_controller.base_rate, *tf.nest.flatten(loop.state)],
        "accumulated": [] if step.accumulator is None else step.accumulator.variables,
        "course": [] if loop.schedule_log is None else [loop.schedule_log.table],
        "augment": augmentation,
        "step": step.own_variables,
        "scoring": [] if step.cheap_model is None else step.cheap_model.variables,
    }
    known = [variable for members in groups.values() for variable in members]
    groups["untracked"] = untracked_variables(step.model, known)
    members = {
        f"{group}/{position}/{variable.name.split(':')[0].split('/')[-1]}" if group == "model" else
        f"{group}/{position}": variable
        for group, members in groups.items()
        for position, variable in enumerate(members)
    }  # fmt: skip
    return _with_replicas(members)


def _with_replicas(members: dict[str, Any]) -> dict[str, Any]:
    """Return variables by name; for those that may differ between devices one value, and apart from it those of each.

    A run goes on from all of these on as many devices, and from the one value on fewer or more.
    """
    split = {
        name: variable for name, variable in members.items()
        if name.startswith(("model/", "metric/")) and not variable.trainable and list_replicas(variable)
    }  # fmt: skip
    joint = {name: JointValue(variable) for name, variable in split.items()}
    return members | joint | {f"{_REPLICAS}{name}": SeparateValues(variable) for name, variable in split.items()}


def match_replicas(stored: dict[str, np.ndarray], members: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict]:
    """Return values of a checkpoint and variables; without those of each device if it was written on others.

    Args:
        stored: Values by name.
        members: Variables by name.
    """
    shapes = [
        {name: tuple(one.shape) for name, one in group.items() if name.startswith(_REPLICAS)}
        for group in (stored, members)
    ]
    if shapes[0] == shapes[1]:
        return stored, members
    kept = [
        {name: one for name, one in group.items() if name not in shapes[0] | shapes[1]} for group in (stored, members)
    ]
    return kept[0], kept[1]


def model_variables(model: keras.Model) -> list[Any]:
    """Return the weights, random generators and states of recurrent layers of a model, each once."""
    layers = keras_private.list_layers(model)
    # Keras does not count the states of stateful layers among the variables of a model.
    states = [layer.states for layer in layers if isinstance(layer, keras.layers.RNN) and layer.stateful]
    return _unique([*model.variables, *(state for state in tf.nest.flatten(states) if hasattr(state, "assign"))])


def _unique(members: Iterable[Any]) -> list[Any]:
    return list({id(member): member for member in members}.values())


def snapshot(members: dict[Any, Any]) -> dict[Any, np.ndarray]:
    """Copy the values of variables to the host.

    Args:
        members: Variables by name.
    """
    return {name: read_replicas(variable) for name, variable in members.items()}


def restore(members: dict[Any, Any], values: dict[Any, np.ndarray]) -> None:
    """Assign the values that `snapshot` returned.

    Args:
        members: Variables by name.
        values: Values by name.
    """
    for name, value in values.items():
        write_replicas(members[name], value)


@contextmanager
def preserve(model: keras.Model) -> Iterator[None]:
    """Restore the weights and random generators of a model at the end of the block, whatever happens in it.

    What its losses and layers hold on their own is restored too (`untracked_variables`).

    Args:
        model: A compiled model.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> before = model.get_weights()
        >>> with preserve(model):
        ...     model.set_weights([np.ones([1, 1]), np.ones([1])])
        >>> bool((model.get_weights()[0] == before[0]).all())
        True
    """
    with preserve_untracked(model), _preserved(model_variables(model)):
        yield


@contextmanager
def preserve_untracked(model: keras.Model) -> Iterator[None]:
    """Restore what losses, metrics and layers hold without the knowledge of Keras at the end of the block.

    Args:
        model: A compiled model.
    """
    with _preserved(untracked_variables(model, model_variables(model))):
        yield


@contextmanager
def _preserved(members: list[Any]) -> Iterator[None]:
    named = dict(enumerate(members))
    values = snapshot(named)
    try:
        yield
    finally:
        restore(named, values)


def initialize(model: keras.Model, seed: int) -> None:
    """Draw initial weights and random generators of a model again, as a function of the seed.

    Frozen layers, and layers whose weights do not come from training (such as `Normalization`), keep their weights.

    Args:
        model: A model that `keras.models.clone_model` can clone.
        seed: Any integer. Initializers that have a seed keep it.

    Raises:
        UserError: If the model cannot be cloned.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> initialize(model, 1); first = model.get_weights()[0]
        >>> initialize(model, 2); second = model.get_weights()[0]
        >>> initialize(model, 1); bool((model.get_weights()[0] == first).all() and (first != second).any())
        True
    """
    try:
        fresh = _make_seeded(seed, lambda: clone(model))
    except (NotImplementedError, TypeError, ValueError) as error:
        raise UserError(
            f"cannot draw new weights for {type(model).__name__}: {error}. Pass reset() a function that makes the"
            " model, as in trainer.reset(seed, build=make_model), or its weights."
        ) from error
    kept = _learned_weights(model)
    for variable, value in zip(model_variables(model), model_variables(fresh), strict=True):
        if id(variable) not in kept:
            variable.assign(value)


def clone(model: keras.Model, **options: Any) -> keras.Model:
    """Return a copy of a model with separate weights, not compiled.

    Args:
        model: The model.
        **options: Arguments of `keras.models.clone_model`.

    Raises:
        ValueError: Or another error of Keras, for models that it cannot clone.
    """
    compiled = model.compiled
    # A clone of a compiled model is compiled too: Keras looks up its losses by name, and does not find user code.
    model.compiled = False
    try:
        return keras.models.clone_model(model, **options)
    finally:
        model.compiled = compiled


def reinitialize(model: keras.Model, seed: int, build: Callable[[], keras.Model]) -> None:
    """Assign the weights and generators of a new model, made under a seeded generator.

    Args:
        model: A built model.
        seed: Any integer.
        build: Builds a model with weights of the same shapes.

    Raises:
        UserError: If the shapes differ.
    """
    fresh = model_variables(_make_seeded(seed, build))
    variables = model_variables(model)
    if [tuple(variable.shape) for variable in fresh] != [tuple(variable.shape) for variable in variables]:
        raise UserError("build() returned a model with other weight shapes; it must build the same model each time.")
    for variable, value in zip(variables, fresh, strict=True):
        variable.assign(value)


def _make_seeded(seed: int, make: Callable[[], keras.Model]) -> keras.Model:
    """Make a model with the generator seeded from which Keras draws the seeds of initializers.

    Python's own, from which the user's code may draw, is seeded as well, and restored.
    """
    text = f"batchsel weights {seed}"
    outer = random.getstate()
    random.seed(text)
    try:
        with keras_private.draw_seeds_from(random.Random(text)):
            return make()
    finally:
        random.setstate(outer)


def _learned_weights(model: keras.Model) -> set[int]:
    """Return the identities of weights that initializers do not draw; not those of random generators."""
    kept = set()
    for layer in keras_private.list_layers(model, include_self=False):
        leaf = not keras_private.list_layers(layer, include_self=False)
        if leaf and not layer.trainable_weights:
            kept |= {id(weight) for weight in layer.weights}
    return kept


def can_copy(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether Keras can make another optimizer with the same settings.

    Args:
        optimizer: Any optimizer.
    """
    try:
        type(optimizer).from_config(optimizer.get_config())
    except Exception:  # whatever the user's own class raises
        return False
    return True


def check_copy(optimizer: keras.optimizers.Optimizer) -> None:
    """Check that Keras can make another optimizer with the same settings.

    Args:
        optimizer: Any optimizer.

    Raises:
        UserError: If it cannot.
    """
    if not can_copy(optimizer):
        raise UserError(
            f"cannot reset {type(optimizer).__name__} to before its first update: it was in use before, and Keras"
            " cannot make another with its settings. Compile the model with a new optimizer, or define get_config()"
            " on your own optimizer or learning-rate schedule."
        )


def fresh_slots(optimizer: keras.optimizers.Optimizer, trained: list[Any]) -> list[np.ndarray]:
    """Return the values of an optimizer's variables before its first update.

    Args:
        optimizer: A built optimizer.
        trained: The variables that it updates.

    Returns:
        One for each of `optimizer.variables`, in that order.

    Raises:
        UserError: If Keras cannot make another optimizer with the same settings.
    """
    check_copy(optimizer)
    fresh = type(optimizer).from_config(optimizer.get_config())
    fresh.build(trained)
    return [variable.numpy() for variable in fresh.variables]
