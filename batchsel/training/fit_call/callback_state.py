"""State of callbacks in a checkpoint, so that a resumed run stops, saves and lowers the rate as it would have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from batchsel.errors import UserError

ATTRIBUTES: dict[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras.callbacks.ModelCheckpoint: (
        "best", "_batches_seen_since_last_saving", "_last_batch_seen", "_current_epoch",
    ),
    keras.callbacks.BackupAndRestore: ("_batches_seen_since_last_saving", "_last_batch_seen", "_current_epoch"),
}  # fmt: skip
"""Attributes of Keras's own callbacks that change during training. Their classes have no public form of it."""
_ARRAY = "array of the checkpoint"

State = Any
"""Numbers, texts, None, lists and dictionaries of these, and arrays."""


def get_states(callbacks: Sequence[keras.callbacks.Callback]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the states of callbacks: as JSON, and the arrays in them by name.

    Args:
        callbacks: Keras callbacks. One with methods `get_state` and `set_state` states its own.

    Raises:
        UserError: If `get_state` returns anything that a checkpoint cannot hold.

    Example:
        >>> stopping = keras.callbacks.EarlyStopping()
        >>> stopping.wait, stopping.best, stopping.best_epoch = 2, 0.5, 7
        >>> get_states([stopping])[0]["0 EarlyStopping"]["wait"]
        2
    """
    arrays: dict[str, np.ndarray] = {}
    states = {}
    for key, callback in _by_key(callbacks).items():
        if hasattr(callback, "get_state"):
            state = callback.get_state()
        else:
            names = [name for kind, names in ATTRIBUTES.items() if isinstance(callback, kind) for name in names]
            state = {name: getattr(callback, name) for name in names if hasattr(callback, name)}
        if state:
            states[key] = _encode(key, state, arrays)
    return states, arrays


def set_states(
    callbacks: Sequence[keras.callbacks.Callback], states: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Set the states of callbacks to those of a checkpoint; a callback that was not there keeps its own.

    Args:
        callbacks: Keras callbacks, after their `on_train_begin`.
        states: From `get_states`.
        arrays: From `get_states`.
    """
    for key, callback in _by_key(callbacks).items():
        if key not in states:
            continue
        state = _decode(states[key], arrays)
        if hasattr(callback, "set_state"):
            callback.set_state(state)
        else:
            for name, value in state.items():
                setattr(callback, name, value)


def _by_key(callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, Any]:
    return {f"{number} {type(callback).__name__}": callback for number, callback in enumerate(callbacks)}


def _encode(key: str, value: State, arrays: dict[str, np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, np.generic) or (hasattr(value, "numpy") and not np.ndim(value)):
        return np.asarray(value).item()
    if isinstance(value, Mapping):
        return {str(name): _encode(key, member, arrays) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(key, member, arrays) for member in value]
    array = np.asarray(value)
    if array.dtype == object:
        raise UserError(
            f"get_state() of the callback {key.split()[1]} returned a {type(value).__name__}; expected numbers, texts,"
            " arrays, and lists and dictionaries of these."
        )
    name = f"{key}/{len(arrays)}"
    arrays[name] = array
    return {_ARRAY: name}


def _decode(value: Any, arrays: Mapping[str, np.ndarray]) -> State:
    if isinstance(value, list):
        return [_decode(member, arrays) for member in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_ARRAY}:
        return arrays[value[_ARRAY]]
    return {name: _decode(member, arrays) for name, member in value.items()}
