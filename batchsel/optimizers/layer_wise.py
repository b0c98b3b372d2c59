"""Base class and numeric helpers of optimizers with a trust ratio for each layer."""

from __future__ import annotations

from typing import Any, NoReturn

import keras
import tensorflow as tf

from batchsel.core.parameters import check_values
from batchsel.errors import UserError
from batchsel.optimizers.parameters import HINTS


class LayerWise(keras.optimizers.Optimizer):
    """Base of optimizers that decay weights within their update, and exclude variables with few axes.

    Keras's own weight decay, w ← w − rate · decay · w before the update and for all variables, is off.

    Args:
        weight_decay: Decay as part of the update that the trust ratio scales; kept as `decay`.
        min_rank: Variables with fewer axes are neither decayed nor scaled. 2 excludes biases and the weights of
            normalization, 0 nothing. A bias with several axes, as in Keras's multi-head attention, counts as a weight.
        **options: Arguments of the next class in the method resolution order, such as those of every Keras optimizer.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(self, *, weight_decay: float | None, min_rank: int, **options: Any) -> None:
        super().__init__(**options)
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.min_rank = min_rank
        check_values(self.name, {"weight_decay": weight_decay, "min_rank": min_rank}, HINTS)

    def is_scaled(self, variable: Any) -> bool:
        """Return True if a trainable variable is decayed and scaled."""
        return len(variable.shape) >= self.min_rank

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> NoReturn:
        """Refuse a setting that would have no effect, since Keras's own weight decay is off.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.name} decays variables with at least min_rank axes; set min_rank instead.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that create an equal optimizer."""
        return {**super().get_config(), "weight_decay": self.decay, "min_rank": self.min_rank}


def densify(gradient: Any, variable: Any) -> tf.Tensor:
    """Return a gradient as a tensor of its variable's shape and type.

    Args:
        gradient: A tensor, or indexed slices, as for an embedding, in which indices may repeat.
        variable: The variable.
    """
    return tf.cast(tf.convert_to_tensor(gradient), variable.dtype)


def l2_norm(values: Any) -> tf.Tensor:
    """Return the Euclidean norm of a tensor or variable over all axes.

    Example:
        >>> float(l2_norm(tf.constant([[3.0, 0.0], [0.0, 4.0]])))
        5.0
    """
    return tf.sqrt(tf.reduce_sum(tf.square(tf.convert_to_tensor(values))))


def trust_ratio(first: tf.Tensor, second: tf.Tensor, ratio: tf.Tensor) -> tf.Tensor:
    """Return a ratio of norms, or 1 if either norm is 0 and the ratio has no meaning.

    Args:
        first: ``float32[]``, a norm.
        second: ``float32[]``, the other norm.
        ratio: ``float32[]``.

    Example:
        >>> float(trust_ratio(tf.constant(0.0), tf.constant(2.0), tf.constant(0.0)))
        1.0
    """
    return tf.where((first > 0) & (second > 0), ratio, tf.ones_like(ratio))
