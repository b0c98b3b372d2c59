"""Ghost batch normalization: large batches, normalized by the moments of small ones."""

from __future__ import annotations

from typing import Annotated, Any

import keras

from batchsel.core.parameters import INT32, Between, check_value
from batchsel.errors import UsageError

ops: Any = keras.ops


@keras.saving.register_keras_serializable("batchsel")
class GhostBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization in which every `size` rows of a batch have their own mean and variance.

    Each of these ghost batches is normalized by itself, so the noise of the moments is that of small batches whatever
    the size of the batch. Rows that are left over belong to the last one. The moving moments are updated by one ghost
    batch after the other, m <- momentum m + (1 - momentum) m_i, so a batch of k size rows does the same as k batches
    of size rows whose gradients are accumulated. Inference is that of `keras.layers.BatchNormalization`.

    Reference: Hoffer, Hubara and Soudry, "Train longer, generalize better: closing the generalization gap in large
    batch training of neural networks", NeurIPS 2017, https://arxiv.org/abs/1705.08741

    Args:
        size: Rows of a ghost batch.
        momentum: Momentum of the moving moments for each ghost batch.
        **options: Other arguments of `keras.layers.BatchNormalization`, except `renorm` and `synchronized`.

    Example:
        >>> import numpy as np
        >>> layer = GhostBatchNormalization(2)
        >>> outputs = layer(np.array([[0.0], [2.0], [10.0], [30.0]], "float32"), training=True)
        >>> np.round(outputs[:, 0], 2)
        array([-1.,  1., -1.,  1.], dtype=float32)
        >>> round(float(layer.moving_mean[0]), 2)  # 0.9 * (0.1 * 1) + 0.1 * 20
        2.09
    """

    def __init__(self, size: int, momentum: float = 0.9, **options: Any) -> None:
        super().__init__(momentum=momentum, **options)
        check_value("GhostBatchNormalization", "size", size, Annotated[int, Between(1, INT32)])
        if self.renorm or self.synchronized:
            raise UsageError("GhostBatchNormalization has no renorm and is not synchronized; leave them out.")
        self.size = size

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize.

        Args:
            inputs: ``[b, ..., channels]``, with channels at `axis`.
            training: Whether to use the moments of the ghost batches, and update the moving ones.
            mask: ``bool[b, ...]`` for channels at the end; what it leaves out does not count.
        """
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        # As in Keras: half precision would overflow.
        x: Any = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        rank, axis = len(x.shape), self.axis % len(x.shape)
        within = [place for place in range(1, rank) if place != axis]
        weights = ops.ones_like(x[:, :1]) if rank == 2 else ops.ones_like(ops.take(x, [0], axis=axis))
        if mask is not None:
            weights *= ops.cast(ops.expand_dims(mask, -1), x.dtype)
        rows: Any = ops.shape(x)[0]
        count = ops.maximum(rows // self.size, 1)
        ghosts = ops.minimum(ops.arange(rows) // self.size, count - 1)

        def sums(values: Any) -> Any:
            """Return the sums over each ghost batch, ``[count, channels]``."""
            return ops.segment_sum(ops.sum(values, within), ghosts, count)

        def by_row(values: Any) -> Any:
            """Return the values of each row's ghost batch, to be broadcast over the row."""
            return ops.expand_dims(ops.take(values, ghosts, axis=0), within)

        numbers = ops.maximum(sums(weights), 1)
        means = sums(x * weights) / numbers
        differences = x - by_row(means)
        variances = sums(differences * differences * weights) / numbers
        self._update_moments(means, variances, count)
        outputs = differences * by_row(ops.rsqrt(variances + self.epsilon))
        shape = [-1 if place == axis else 1 for place in range(rank)]
        if self.scale:
            outputs *= ops.reshape(ops.cast(self.gamma, x.dtype), shape)
        if self.center:
            outputs += ops.reshape(ops.cast(self.beta, x.dtype), shape)
        return ops.cast(outputs, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "size": self.size}

    def _update_moments(self, means: Any, variances: Any, count: Any) -> None:
        """Update the moving moments by one ghost batch after the other, in closed form."""
        later = ops.cast(count - 1 - ops.arange(count), means.dtype)
        shares = (1 - self.momentum) * self.momentum**later
        kept = self.momentum ** ops.cast(count, means.dtype)
        moments: Any = ((self.moving_mean, means), (self.moving_variance, variances))
        for moving, values in moments:
            moving.assign(kept * ops.cast(moving, means.dtype) + ops.sum(shares[:, None] * values, 0))
