"""A score that was computed elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core.filesystem.reading import reading
from batchsel.core.parameters import ArrayFile
from batchsel.errors import UserError
from batchsel.selectors.pipe import Score
from batchsel.selectors.types import Context


@dataclass(frozen=True, repr=False)
class PrecomputedScores(Score):
    """Number of a sample in a file, such as its loss under another model.

    Formula: s_i = the i-th number of the file.
    Cost: one float a sample, no extra forward pass; computing the numbers is not on the clock.
    Source: difficulties under a teacher model in G. Hacohen and D. Weinshall, *On The Power of Curriculum Learning in
    Training Deep Networks*, ICML 2019, https://arxiv.org/abs/1904.03626

    Args:
        path: A NumPy file (.npy) of n numbers, not negative, in the order of the training samples.

    Raises:
        UsageError: If `path` is not a string.
        UserError: If the file cannot be read, or its numbers do not fit the data.

    Example:
        >>> PrecomputedScores("difficulty.npy")
        given(path='difficulty.npy')
    """

    name = "given"
    uses_training_losses = False
    path: ArrayFile

    def init(self, n: int) -> tf.Tensor:
        """Return ``float32[n]``: the numbers."""
        with reading(self.path, "cannot be read", f"Expected a .npy file of {n} numbers."):
            values: Any = np.load(self.path, allow_pickle=False)
        if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
            raise UserError(f"given: {self.path} holds no array of numbers. Expected a .npy file of {n} numbers.")
        if values.shape != (n,):
            raise UserError(f"given: {self.path} has the shape {values.shape}, expected {(n,)}, one number per sample.")
        values = np.asarray(values, np.float32)
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise UserError(f"given: {self.path} holds numbers that are negative or not finite.")
        return tf.constant(values)

    def score(self, state: tf.Tensor, context: Context) -> tf.Tensor:
        """Return the numbers."""
        return state
