"""LAMB: Adam with steps scaled by layer to the norm of the weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.optimizers.layer_wise import LayerWise, densify, l2_norm, trust_ratio


@keras.saving.register_keras_serializable("batchsel")
class LAMB(LayerWise, keras.optimizers.Lamb):
    """Layer-wise adaptive moments, for large batches, with weight decay as in the paper.

    For a layer's weights w with Adam's bias-corrected moments m̂ and v̂ and decay β: r = m̂ / (√v̂ + ε) + β w;
    w ← w − rate · ‖w‖ / ‖r‖ · r, where the ratio is 1 if a norm is 0. Variables with fewer than `min_rank` axes have
    neither ratio nor decay, which leaves Adam.

    `keras.optimizers.Lamb` differs in two ways: it excludes no variable, and its weight decay is AdamW's,
    w ← w − rate · β w before the update and outside the ratio, for biases too. Without decay and with `min_rank=0`, the
    two are the same.

    Source: Y. You et al., *Large Batch Optimization for Deep Learning: Training BERT in 76 minutes*, ICLR 2020,
    arXiv:1904.00962.

    Args:
        learning_rate: The rate: the change of a layer's weights relative to their norm.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: ε.
        weight_decay: β, within the ratio. Keras's own weight decay is off.
        min_rank: Variables with fewer axes are neither decayed nor scaled: biases, normalization.
        **options: Options of every Keras optimizer: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema` and so on.

    Raises:
        UsageError: If an argument is out of range.

    Example:
        >>> weights = keras.Variable([[3.0, 4.0]])
        >>> LAMB(0.1).apply([tf.constant([[0.0, 2.0]])], [weights])
        >>> weights.numpy().round(3).tolist()  # a tenth of the norm 5 away
        [[3.0, 3.5]]
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
        min_rank: int = 2,
        name: str = "lamb",
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            min_rank=min_rank,
            name=name,
            **options,
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable.

        Args:
            gradient: Its gradient, after clipping.
            variable: The variable.
            learning_rate: ``float32[]`` global rate, or that of the layer.
        """
        step = self._adam(densify(gradient, variable), variable)
        if self.is_scaled(variable):
            weights = tf.convert_to_tensor(variable)
            step += self.decay * weights
            weight_norm, step_norm = l2_norm(weights), l2_norm(step)
            ratio = trust_ratio(weight_norm, step_norm, weight_norm / step_norm)
            step = ratio * tf.cast(learning_rate, step.dtype) * step
        else:
            step *= tf.cast(learning_rate, step.dtype)
        self.assign_sub(variable, step)

    def _adam(self, gradient: tf.Tensor, variable: Any) -> tf.Tensor:
        """Update both moments, and return ``m̂ / (√v̂ + ε)``."""
        first, second = keras_private.get_adam_moments(self, variable)
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (tf.square(gradient) - second) * (1 - self.beta_2))
        iterations: Any = self.iterations
        count = tf.cast(iterations + 1, variable.dtype)
        correction_1, correction_2 = (
            1 - tf.pow(tf.cast(beta, count.dtype), count) for beta in (self.beta_1, self.beta_2)
        )
        return first / correction_1 / (tf.sqrt(second / correction_2) + self.epsilon)
