"""Names of layers that do not depend on the process: one naming for groups of layers, diagnostics and records."""

from __future__ import annotations

import re
from typing import Any


def layer_labels(model: Any) -> dict[int, str]:
    """Return a name for each layer of a model, by its id.

    Layers have their names; those that Keras numbers over all models of a process are numbered within the model.

    Args:
        model: A Keras model.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(2, name="mine"), keras.layers.Dense(2)])
        >>> list(layer_labels(model).values())
        ['dense_1', 'mine', 'dense_2']
    """
    labels: dict[int, str] = {}
    counted: dict[str, int] = {}
    for layer in getattr(model, "layers", []):
        kind = re.sub(r"_\d+$", "", layer.name)
        labels[id(layer)] = layer.name
        if kind.replace("_", "") == type(layer).__name__.lower():
            counted[kind] = counted.get(kind, 0) + 1
            labels[id(layer)] = f"{kind}_{counted[kind]}"
    return labels


def block_name(name: str, kind: str) -> str | None:
    """Return the block or stage in the name of a layer, or None if it names none.

    Args:
        name: Name of a layer.
        kind: "block" or "stage".

    Example:
        >>> block_name("stage2_block1_convolution1", "block"), block_name("stage2_block1", "stage")
        ('stage2_block1', 'stage2')
        >>> block_name("conv1_conv", "block") is None
        True
    """
    found = re.match(rf"(.*?(?:^|_|/){kind}_?\d+[a-z]?)(?:_|$)", name)
    return None if found is None else found.group(1)
