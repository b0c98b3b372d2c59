"""What optimizers with a rate for each layer share: ratios of norms, decay within them, and who goes without."""

from __future__ import annotations

from typing import Any, NoReturn

import keras
import tensorflow as tf

from batchsel.core.checks import check_range
from batchsel.errors import UsageError, UserError


class LayerWise(keras.optimizers.Optimizer):
    """A Keras optimizer that decays weights within its update, and leaves out variables with few axes.

    The decay that Keras itself brings, w ← w − rate · decay · w before the update and on all variables, is off.

    Args:
        weight_decay: Decay of the method, part of the update that the trust ratio is made of; kept as `decay`.
        min_rank: Variables with fewer axes are neither decayed nor scaled. 2 leaves out biases and what normalization
            trains; 0 nothing. A bias with several axes, as multi-head attention of Keras has, counts as a weight.
        **options: As for the next class; in the end those of every Keras optimizer.

    Raises:
        UsageError: If a parameter is out of range.
    """

    def __init__(self, *, weight_decay: float | None, min_rank: int, **options: Any) -> None:
        super().__init__(**options)
        self.decay = 0.0 if weight_decay is None else weight_decay
        self.min_rank = min_rank
        if not (isinstance(self.decay, int | float) and 0 <= self.decay < float("inf")):
            raise UsageError(f"{self.name}: weight_decay must be a number of at least 0, got {weight_decay!r}.")
        check_range(self, "min_rank", 0, float("inf"), upper_open=True)

    def scales(self, variable: Any) -> bool:
        """Whether a variable is decayed and scaled.

        Args:
            variable: A trainable variable.
        """
        return len(variable.shape) >= self.min_rank

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> NoReturn:
        """Refuses what would have no effect, as the decay of Keras is off.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self.name} decays variables with at least min_rank axes; set min_rank instead.")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same optimizer."""
        return {**super().get_config(), "weight_decay": self.decay, "min_rank": self.min_rank}


def dense(gradient: Any, variable: Any) -> tf.Tensor:
    """A gradient as a tensor of its variable's shape and type; that of an embedding comes as rows.

    Args:
        gradient: A tensor, or slices with the same index more than once.
        variable: The variable.
    """
    return tf.cast(tf.convert_to_tensor(gradient), variable.dtype)


def norm(values: Any) -> tf.Tensor:
    """The Euclidean norm over all axes.

    Args:
        values: A tensor or a variable.

    Example:
        >>> float(norm(tf.constant([[3.0, 0.0], [0.0, 4.0]])))
        5.0
    """
    return tf.sqrt(tf.reduce_sum(tf.square(tf.convert_to_tensor(values))))


def where_both(first: tf.Tensor, second: tf.Tensor, ratio: tf.Tensor) -> tf.Tensor:
    """A trust ratio, or 1 where either norm is 0 and the ratio says nothing.

    Args:
        first: ``float32[]``, a norm.
        second: ``float32[]``, the other norm.
        ratio: ``float32[]``.

    Example:
        >>> float(where_both(tf.constant(0.0), tf.constant(2.0), tf.constant(0.0)))
        1.0
    """
    return tf.where((first > 0) & (second > 0), ratio, tf.ones_like(ratio))
