"""Label smoothing for integer labels, which Keras offers for one-hot labels only."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from batchsel.errors import UsageError


@keras.saving.register_keras_serializable("batchsel")
def smoothed_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0) -> Any:
    """Return the cross-entropy with smoothed labels.

    (1 − e) · (−log p of the class) + e · (mean of −log p over all classes).

    Source: C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, *Rethinking the Inception Architecture for Computer
    Vision*, CVPR 2016, arXiv:1512.00567.

    Args:
        y_true: ``[b]``, ``[b, 1]`` or ``[b, length]`` integer labels.
        y_pred: ``float32[b, ..., classes]`` logits or probabilities.
        from_logits: True if `y_pred` are logits.
        label_smoothing: e, in [0, 1); 0 for `keras.losses.sparse_categorical_crossentropy`.

    Returns:
        ``float32[b]`` or ``float32[b, length]``.

    Example:
        >>> import numpy as np
        >>> logits = np.log([[0.5, 0.25, 0.25]]).astype("float32")
        >>> loss = smoothed_crossentropy(np.array([0]), logits, from_logits=True, label_smoothing=0.3)
        >>> round(float(loss[0] / np.log(2)), 3)  # 0.7 · 1 bit + 0.3 · (1 + 2 + 2) / 3 bits
        1.2
    """
    if not label_smoothing:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits)
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape):
        y_true = ops.squeeze(y_true, axis=-1)
    labels = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
    return keras.losses.categorical_crossentropy(
        labels, y_pred, from_logits=from_logits, label_smoothing=label_smoothing
    )


@keras.saving.register_keras_serializable("batchsel")
class SmoothedCrossentropy(keras.losses.SparseCategoricalCrossentropy):
    """Cross-entropy with label smoothing for integer labels.

    Label smoothing applies to the training loss only: selectors, language-model metrics and evaluations of batchsel use
    the plain cross-entropy, so that losses of runs with and without smoothing are comparable. `model.fit` and
    `model.evaluate` of Keras have one loss only and report the smoothed one.

    Args:
        label_smoothing: The share of a label that is spread over all classes, in [0, 1).
        from_logits: True if outputs are logits.
        reduction: As for every Keras loss.
        name: Name of the loss.
        dtype: As for every Keras loss.

    Raises:
        UsageError: If `label_smoothing` is out of range.

    Example:
        >>> import numpy as np
        >>> labels, logits = np.array([2, 0]), np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]])
        >>> ours = SmoothedCrossentropy(0.1, from_logits=True)(labels, logits)
        >>> keras_own = keras.losses.CategoricalCrossentropy(label_smoothing=0.1, from_logits=True)
        >>> bool(ours == keras_own(np.eye(3)[labels], logits))
        True
    """

    plain_in_evaluation = True
    """Makes `batchsel.training.model.objective` evaluate without smoothing."""
    plain_in_history = False
    """Makes the training loss in the history that without smoothing too."""

    def __init__(
        self,
        label_smoothing: float = 0.1,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "smoothed_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            from_logits=from_logits,
            reduction=reduction,  # pyright: ignore[reportArgumentType]  Keras accepts None
            name=name,
            dtype=dtype,
        )
        if not (isinstance(label_smoothing, int | float) and 0 <= label_smoothing < 1):
            raise UsageError(f"label_smoothing must be in [0, 1), got {label_smoothing!r}.")
        self.label_smoothing = label_smoothing
        self.fn = smoothed_crossentropy
        self._fn_kwargs = {"from_logits": from_logits, "label_smoothing": label_smoothing}

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that build the same loss."""
        config = {**super().get_config(), "label_smoothing": self.label_smoothing}
        return {name: value for name, value in config.items() if name != "ignore_class"}
