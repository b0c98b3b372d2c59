"""LARS: SGD with momentum and rates scaled by layer to the norm of the weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core.parameters import check_values
from batchsel.optimizers.layer_wise import LayerWise, densify, l2_norm, trust_ratio
from batchsel.optimizers.parameters import HINTS


@keras.saving.register_keras_serializable("batchsel")
class LARS(LayerWise):
    """Layer-wise adaptive rate scaling, for batches so large that one rate is too high for some layers.

    For a layer's weights w with gradient g, decay β, trust coefficient η and momentum m:
    local = η‖w‖ / (‖g‖ + β‖w‖ + ε), or 1 where a norm is 0; v ← m v − rate · local · (g + β w); w ← w + v. With
    Nesterov's momentum w ← w + m v − rate · local · (g + β w). Variables with fewer than `min_rank`
    axes are updated as by SGD with momentum, at the full rate.

    Source: Y. You, I. Gitman, B. Ginsburg, *Large Batch Training of Convolutional Networks*, 2017, arXiv:1708.03888.

    Args:
        learning_rate: The global rate, higher than that of SGD since η multiplies it.
        momentum: m, in [0, 1].
        nesterov: Whether to use Nesterov momentum.
        weight_decay: β, within local rate and momentum. Keras's own weight decay, which is AdamW's, is off.
        trust_coefficient: η, the length of a step relative to the norm of the weights; above 0.
        epsilon: ε, at least 0.
        min_rank: Variables with fewer axes are neither decayed nor scaled: biases, normalization.
        **options: Options of every Keras optimizer: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema` and so on.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> weights = keras.Variable([[3.0, 4.0]])
        >>> LARS(1.0, trust_coefficient=0.1).apply([tf.constant([[0.0, 2.0]])], [weights])
        >>> weights.numpy().round(3).tolist()  # a tenth of the norm 5 away
        [[3.0, 3.5]]
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        trust_coefficient: float = 0.001,
        epsilon: float = 1e-8,
        min_rank: int = 2,
        name: str = "lars",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, weight_decay=weight_decay, min_rank=min_rank, name=name, **options
        )
        self.momentum = momentum
        self.nesterov = nesterov
        self.trust_coefficient = trust_coefficient
        self.epsilon = epsilon
        values = {"momentum": momentum, "nesterov": nesterov, "trust_coefficient": trust_coefficient}
        check_values(self.name, {**values, "epsilon": epsilon}, HINTS)

    def build(self, variables: list[Any]) -> None:
        """Create the velocity of each variable, unless momentum is 0."""
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity") if self.momentum else []

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable.

        Args:
            gradient: Its gradient, after clipping.
            variable: The variable.
            learning_rate: ``float32[]`` global rate, or that of the layer.
        """
        gradient = densify(gradient, variable)
        change = -tf.cast(learning_rate, variable.dtype) * self._scaled(gradient, variable)
        if not self._velocities:
            self.assign_add(variable, change)
            return
        momentum = tf.cast(self.momentum, variable.dtype)
        velocity = self._velocities[self._get_variable_index(variable)]
        self.assign(velocity, velocity * momentum + change)
        self.assign_add(variable, velocity * momentum + change if self.nesterov else velocity)

    def _scaled(self, gradient: tf.Tensor, variable: Any) -> tf.Tensor:
        """Return ``local (g + β w)``."""
        if not self.is_scaled(variable):
            return gradient
        weights = tf.convert_to_tensor(variable)
        weight_norm, gradient_norm = l2_norm(weights), l2_norm(gradient)
        ratio = self.trust_coefficient * weight_norm / (gradient_norm + self.decay * weight_norm + self.epsilon)
        return trust_ratio(weight_norm, gradient_norm, ratio) * (gradient + self.decay * weights)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that create an equal optimizer."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
        }
