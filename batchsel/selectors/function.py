"""Selectors made from a plain function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import tensorflow as tf

from batchsel.core.parameters import MOST_STEPS, Between
from batchsel.core.rng import Rng
from batchsel.errors import UsageError
from batchsel.selectors.base import Selector, State
from batchsel.selectors.ops.sampling import deal_into_batches
from batchsel.selectors.types import Context, Plan

ChooseIndices = Callable[..., Any]
"""``(losses, batch_size, rng) -> indices``, of tensors and an `Rng`, or of arrays and a NumPy generator."""


@dataclass(frozen=True, repr=False)
class Function(Selector):
    """A selector that calls a function ``(losses, batch_size, rng) -> indices``.

    The function is TensorFlow code, traced once. It receives the last known loss of every sample
    (``float32[n]``, infinite for unseen samples) and returns ``int32[batch_size]`` sample numbers.
    Cost: that of the function, for every plan.

    Args:
        function: The function. ``selector=function`` is short for ``selector=Function(function)``.
        every: Steps from plan to plan; the function returns ``every * batch_size`` indices at once.

    Raises:
        UsageError: If `every` is not a positive whole number.

    Example:
        >>> import tensorflow as tf
        >>> def hardest(losses, batch_size, rng):
        ...     return tf.math.top_k(losses, batch_size).indices
        >>> Function(hardest, every=4)
        function(hardest, every=4)
    """

    name = "function"
    plans_passes = False
    requires_nonnegative_losses = False
    function: ChooseIndices
    every: Annotated[int, Between(1, MOST_STEPS)] = 1

    def __repr__(self) -> str:
        return f"{self.name}({getattr(self.function, '__name__', self.function)}, every={self.every})"

    def steps_per_plan(self, n: int, batch_size: int) -> int:
        """Return `every`."""
        return self.every

    def plan(self, state: State, context: Context) -> Plan:
        """Call the function and deal its indices to the batches."""
        rows = self.every * context.batch_size
        indices = tf.cast(tf.convert_to_tensor(self._call(context.losses, rows, context.rng)), tf.int32)
        if indices.shape != [rows]:
            raise ValueError(
                f"selector function {self.function!r} must return {rows} indices, shape [{rows}];"
                f" it returned shape {indices.shape.as_list()}."
            )
        return Plan(deal_into_batches(indices, self.every), tf.ones([rows]), tf.constant(self.every))

    def _call(self, losses: tf.Tensor, rows: int, rng: Rng) -> tf.Tensor:
        try:
            return self.function(losses, rows, rng)
        except NotImplementedError as error:
            raise UsageError(
                f"selector function {self.function!r} is not TensorFlow code ({error}). Write it with tf.*, or wrap it:"
                " batchsel.selectors.NumpyFunction(function)."
            ) from error


@dataclass(frozen=True, repr=False)
class NumpyFunction(Function):
    """A `Function` in NumPy: ``(losses, batch_size, rng)`` with an array and a `numpy.random.Generator`.

    Slower than TensorFlow code: every plan leaves the compiled loop for Python, and XLA is ruled out. Use
    it to try an idea, with `every` as large as possible.

    Args:
        function: The function.
        every: Steps from plan to plan.

    Example:
        >>> def uniform(losses, batch_size, rng):
        ...     return rng.integers(len(losses), size=batch_size)
        >>> NumpyFunction(uniform, every=16)
        numpy_function(uniform, every=16)
    """

    name = "numpy_function"
    requires_nonnegative_losses = False
    traceable = False

    def _call(self, losses: tf.Tensor, rows: int, rng: Rng) -> tf.Tensor:
        def call(losses: np.ndarray, key: np.ndarray) -> np.ndarray:
            generator = np.random.default_rng(key.view(np.uint32))
            indices = np.asarray(self.function(losses, rows, generator))
            if indices.shape != (rows,):
                raise ValueError(
                    f"selector function {self.function!r} must return {rows} indices, shape [{rows}]; it returned"
                    f" shape {list(indices.shape)}."
                )
            return indices.astype(np.int32)

        indices = tf.numpy_function(call, [losses, rng.bits([4], "numpy")], tf.int32)
        return tf.ensure_shape(indices, [rows])
