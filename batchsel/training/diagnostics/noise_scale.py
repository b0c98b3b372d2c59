"""The gradient noise scale: the batch size at which the gradient and its noise are equally large."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from batchsel.core import keras_private
from batchsel.core.sources import source_of
from batchsel.core.tf_support.own_function import own_function
from batchsel.errors import UsageError, UserError
from batchsel.training import variables
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples, take_rows, to_tensors
from batchsel.training.inputs.fit_data import is_source
from batchsel.training.model.objective import Objective
from batchsel.training.trainer import Trainer

BATCH = 16
MANY = 64


class NoiseScale:
    """Measurement of a model's gradient noise scale, traced once for any number of calls.

    Let |G_b|^2 be the mean squared norm of the gradients of `many` batches of b samples, and |G_B|^2 that of their
    mean, with B = b * many. The squared norm of the true gradient is estimated as
    (B |G_B|^2 - b |G_b|^2) / (B - b), and the trace of the covariance of the gradients of single samples as
    (|G_b|^2 - |G_B|^2) / (1/b - 1/B). The first is the mean inner product of the gradients of two different batches,
    the second b times the variance between batches. Both are unbiased for the distribution of the data; for the data
    set itself, add trace / n to the gradient. Their ratio is the noise scale: the batch size at which noise and
    gradient are equal; much larger batches save few steps.

    Forward passes are in inference mode: dropout is off, and batch normalization uses its moving statistics, which are
    not meaningful before training. So each sample has its own gradient, as the formulas require; in training mode it
    would depend on the rest of its batch. The model's regularizers are part of the loss; sample weights and
    augmentation are not. No variable of the model is changed.

    Source: S. McCandlish, J. Kaplan, D. Amodei and the OpenAI Dota Team, *An Empirical Model of Large-Batch Training*,
    2018, https://arxiv.org/abs/1812.06162, appendix A.1.

    Args:
        model: A compiled and built Keras model.

    Raises:
        UserError: If the model is not compiled, or overrides how Keras trains.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile("sgd", "mse")
        >>> model.set_weights([np.zeros([1, 1], "float32")])
        >>> x, y = np.ones([4, 1], "float32"), np.array([1, 3, 1, 3], "float32")
        >>> found = NoiseScale(model)(lambda rows: (x[rows], y[rows]), 4, batch=1, many=4)
        >>> round(found["trace"], 4), round(found["gradient"], 4)  # the gradients are -2 and -6
        (5.3333, 14.6667)
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._objective = Objective(model)
        self._add = own_function(self._accumulate)

    def __call__(
        self,
        take: Callable[[np.ndarray], tuple[Any, ...]],
        n: int,
        *,
        batch: int = BATCH,
        many: int = MANY,
        seed: int = 0,
        stage: int = 0,
    ) -> dict[str, Any]:
        """Measure the noise scale with the current weights.

        Args:
            take: Function that returns inputs and targets of the samples ``int[b]``.
            n: Number of samples.
            batch: b, samples of a batch; fewer if n is less than twice as many.
            many: Number of batches, disjoint; fewer if n is too small.
            seed: Seed of the selection of samples.
            stage: Number that selects different samples for the same seed.

        Returns:
            "batch" and "many" as used, "gradient", "trace", and their ratio "scale", None if noise makes the estimate
            of the squared norm not positive.

        Raises:
            UserError: If there are fewer than two samples, or the model has no trainable weights.
        """
        batches = _draw_batches(n, batch, many, (arrays.check_seed(seed), stage))
        if not self._model.trainable_variables:
            raise UserError("the model has no trainable weights: it has no gradient to measure.")
        total = [tf.zeros(variable.shape) for variable in self._model.trainable_variables]
        squares = tf.zeros([], tf.float64)
        with variables.preserve(self._model):
            for rows in batches:
                total, squares = self._add(to_tensors(*take(rows)[:2]), total, squares)
        count, size = batches.shape
        small = float(squares) / count
        large = float(_squared_norm(total)) / count**2
        return {"batch": size, "many": count, **_estimates(small, large, size, size * count)}

    def _accumulate(
        self, rows: Samples, total: list[tf.Tensor], squares: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return the sums with the gradient of a batch, and with its squared norm, added."""
        variables, scaled_by = self._model.trainable_variables, self._model.optimizer.scale_loss
        with tf.GradientTape() as tape:
            outputs = keras_private.call_model(self._model, rows.x, training=False)
            extra = tf.cast(self._objective.regularization_loss(), tf.float32)
            loss = tf.reduce_mean(self._objective.losses(rows.y, outputs)) + extra
            scaled = scaled_by(loss)  # small gradients would underflow in 16 bits
        gradients = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        factor = scaled_by(tf.ones([]))
        gradients = [tf.cast(tf.convert_to_tensor(each), tf.float32) / factor for each in gradients]
        return [old + new for old, new in zip(total, gradients, strict=True)], squares + _squared_norm(gradients)


def noise_scale(
    trainer: Trainer | keras.Model,
    x: Any,
    y: Any = None,
    *,
    batch: int = BATCH,
    many: int = MANY,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure the gradient noise scale of a model with its current weights; see `NoiseScale`.

    The model is traced in each call; for several measurements, create a `NoiseScale` and call that.

    Args:
        trainer: A trainer, or a compiled Keras model.
        x: Inputs, first axis n; or a random-access source, as for `Trainer.fit`.
        y: Targets, first axis n; None for a source.
        batch: Samples of a batch; fewer if n is less than twice as many.
        many: Number of batches; fewer if n is too small.
        seed: Seed of the selection of samples.

    Returns:
        "batch" and "many" as used; "gradient", an estimate of the squared norm of the gradient; "trace", an estimate of
        the trace of the covariance of the gradients of single samples; and their ratio "scale", None if the estimate of
        the squared norm is not above 0.

    Raises:
        UserError: If the data cannot be used, or the model is not compiled.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> x, y = np.random.default_rng(0).normal(size=[200, 2]), np.arange(200) % 2
        >>> found = noise_scale(model, x, y, batch=10)
        >>> found["batch"], found["many"], found["trace"] > 0
        (10, 20, True)
    """
    model = trainer.model if isinstance(trainer, Trainer) else trainer
    if is_source(x, y):
        source = source_of(x)
        take, n = source.take, len(source)
    else:
        data = arrays.as_samples(x, y)
        take, n = lambda rows: tf.nest.map_structure(lambda leaf: take_rows(leaf, rows), data[:2]), arrays.length(data)
    measure = NoiseScale(model)
    if not model.built:
        keras_private.call_model(model, to_tensors(*take(np.array([0]))[:2]).x, training=False)
    return measure(take, n, batch=batch, many=many, seed=seed)


def _draw_batches(n: int, batch: int, many: int, key: tuple[int, int]) -> np.ndarray:
    """Draw ``int[many, batch]`` different samples."""
    for name, value, least in (("batch", batch, 1), ("many", many, 2)):
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise UsageError(f"noise scale: {name} must be a whole number of at least {least}, got {value!r}.")
    if n < 2:
        raise UserError(f"the gradient noise scale needs at least two samples, got {n}.")
    batch = min(batch, n // 2)
    many = min(many, n // batch)
    generator = np.random.default_rng([zlib.crc32(b"noise scale"), *key])
    return generator.choice(n, many * batch, replace=False).reshape(many, batch)


def _squared_norm(gradients: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.cast(tf.reduce_sum(tf.square(each)), tf.float64) for each in gradients])


def _estimates(small: float, large: float, batch: int, whole: int) -> dict[str, float | None]:
    gradient = (whole * large - batch * small) / (whole - batch)
    trace = (small - large) / (1 / batch - 1 / whole)
    return {"gradient": gradient, "trace": trace, "scale": trace / gradient if gradient > 0 else None}
