"""Learned position embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers


@keras.saving.register_keras_serializable("batchsel")
class Positions(layers.Layer):
    """Layer that adds a learned vector for each position, and passes the mask on.

    Args:
        length: Maximum number of positions.

    Example:
        >>> import numpy as np
        >>> Positions(8)(np.zeros((2, 3, 4))).shape
        TensorShape([2, 3, 4])
    """

    def __init__(self, length: int, **options: Any) -> None:
        super().__init__(**options)
        self.length = length
        self.supports_masking = True

    def build(self, shape: tuple[int | None, ...]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Create the vectors."""
        self.vectors = self.add_weight(shape=(self.length, shape[-1]), initializer="random_normal", name="vectors")

    def call(self, x: Any) -> Any:
        """Return the inputs plus the vectors of their positions."""
        shape: Any = keras.ops.shape(x)
        return x + self.vectors[: shape[1]]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "length": self.length}
