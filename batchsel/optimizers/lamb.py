"""LAMB: Adam whose step, in each layer, is as long as the rate says beside the layer's weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from batchsel.optimizers.layer_wise import LayerWise, dense, norm, where_both


@keras.saving.register_keras_serializable("batchsel")
class LAMB(LayerWise, keras.optimizers.Lamb):
    """Layer-wise adaptive moments, for large batches, with the decay where the method has it.

    Of a layer's weights w with Adam's bias-corrected moments m̂ and v̂ and decay β: r = m̂ / (√v̂ + ε) + β w;
    w ← w − rate · ‖w‖ / ‖r‖ · r, where the ratio is 1 if a norm is 0. Variables with few axes have neither ratio nor
    decay, which leaves Adam.

    `keras.optimizers.Lamb` differs in two things: it leaves no variable out, and its weight decay is AdamW's,
    w ← w − rate · β w before the update and outside the ratio, on biases too. Without decay and with `min_rank=0` they
    are the same.

    Source: Y. You et al., *Large Batch Optimization for Deep Learning: Training BERT in 76 minutes*, ICLR 2020,
    arXiv:1904.00962.

    Args:
        learning_rate: The rate: how far a layer's weights move beside their norm.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: ε.
        weight_decay: β of the method, within the ratio. The decay of Keras is off.
        min_rank: Variables with fewer axes are neither decayed nor scaled: biases, normalization.
        name: A name for it.
        **options: What every Keras optimizer takes: `clipnorm`, `clipvalue`, `global_clipnorm`, `use_ema` and so on.

    Raises:
        UsageError: If a parameter is out of range.

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
        """Updates one variable.

        Args:
            gradient: Its gradient, clipped if that is wanted.
            variable: The variable.
            learning_rate: ``float32[]`` global rate, or that of the layer.
        """
        step = self._adam(dense(gradient, variable), variable)
        if self.scales(variable):
            weights = tf.convert_to_tensor(variable)
            step += self.decay * weights
            of_weights, of_step = norm(weights), norm(step)
            step = where_both(of_weights, of_step, of_weights / of_step) * tf.cast(learning_rate, step.dtype) * step
        else:
            step *= tf.cast(learning_rate, step.dtype)
        self.assign_sub(variable, step)

    def _adam(self, gradient: tf.Tensor, variable: Any) -> tf.Tensor:
        """``m̂ / (√v̂ + ε)``, after both moments were updated."""
        place = self._get_variable_index(variable)
        first, second = self._momentums[place], self._velocities[place]
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (tf.square(gradient) - second) * (1 - self.beta_2))
        count = tf.cast(self.iterations + 1, variable.dtype)
        left_1, left_2 = (1 - tf.pow(tf.cast(beta, count.dtype), count) for beta in (self.beta_1, self.beta_2))
        return first / left_1 / (tf.sqrt(second / left_2) + self.epsilon)
