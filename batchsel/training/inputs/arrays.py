"""What a user hands over as data, checked and put into one form before anything is trained."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.errors import UsageError, UserError
from batchsel.training.loop.train_step import Rows


def as_rows(x: Any, y: Any, sample_weight: Any = None, class_weight: dict[int, float] | None = None) -> Rows:
    """Arrays as rows, all checked.

    Args:
        x: Inputs: an array, or a list, tuple or dict of arrays, first axis n.
        y: Targets, likewise.
        sample_weight: Weights, first axis n, or None.
        class_weight: Weight of each class id, or None; not both.

    Returns:
        NumPy arrays (tensors stay tensors).

    Raises:
        UserError: If there are no data, lengths differ, or values are not finite.

    Example:
        >>> as_rows(np.zeros([2, 3]), np.zeros([2])).x.shape
        (2, 3)
    """
    if y is None or isinstance(x, tf.data.Dataset):
        raise UsageError(
            f"x and y must be arrays (or x a source with len() and take()), got {type(x).__name__} and"
            f" {type(y).__name__}. A selector needs to reach any sample, which a tf.data pipeline cannot do."
        )
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if isinstance(part, list | tuple) and any(np.isscalar(leaf) for leaf in tf.nest.flatten(part)):
            raise UsageError(f"{name} must be a NumPy array, got a list of numbers; give numpy.asarray({name}).")
    rows = Rows(*(None if part is None else tf.nest.map_structure(_array, part) for part in (x, y, sample_weight)))
    n = length(rows)
    for name, part in zip(("x", "y", "sample_weight"), rows, strict=True):
        for leaf in [] if part is None else tf.nest.flatten(part):
            _check(name, leaf, n)
    if class_weight is not None:
        if sample_weight is not None:
            raise UsageError("give sample_weight or class_weight, not both.")
        rows = rows._replace(sample_weight=_by_class(rows.y, class_weight))
    return rows


def validate_fit_data(
    x: Any, y: Any, sample_weight: Any, class_weight: Any, validation_data: Any, validation_split: float
) -> tuple[Rows | None, Rows | None]:
    """The training and the validation part of what `fit` was given.

    Args:
        x: Inputs, or a random-access source.
        y: Targets, or None for a source.
        sample_weight: Weights, or None.
        class_weight: Weights by class id, or None.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)``, or None.
        validation_split: Share of the data for validation, 0 for none.

    Returns:
        Training rows, None for a source; and validation rows, None if there are none.

    Raises:
        UserError: If the data cannot be used.
    """
    validation = None
    if validation_data is not None:
        if not isinstance(validation_data, list | tuple) or len(validation_data) not in (2, 3):
            shape = f" of {len(validation_data)}" if isinstance(validation_data, list | tuple) else ""
            raise UsageError(
                "validation_data must be (x, y) or (x, y, sample_weight) of arrays, got"
                f" {type(validation_data).__name__}{shape}."
            )
        validation = as_rows(*validation_data)
    if is_source(x, y):
        if not (sample_weight is None and class_weight is None and not validation_split):
            raise UsageError(
                "sample_weight, class_weight and validation_split are for arrays. A source gives weights with its"
                " rows, take(indices) -> (x, y, sample_weight); give validation_data for validation."
            )
        return None, validation
    rows = as_rows(x, y, sample_weight, class_weight)
    if validation is None and validation_split:
        return split_last(rows, validation_split)
    return rows, validation


def is_source(x: Any, y: Any) -> bool:
    """Whether `x` is a random-access source of samples.

    Args:
        x: What `fit` was given.
        y: Targets; None for a source.
    """
    return y is None and hasattr(x, "take") and not isinstance(x, np.ndarray | tf.data.Dataset)


def length(rows: Rows) -> int:
    """n, the length of the first axis.

    Args:
        rows: Arrays.

    Raises:
        UserError: If there is no sample.
    """
    leaves = tf.nest.flatten(rows.x)
    n = int(leaves[0].shape[0]) if leaves and len(leaves[0].shape) else 0
    if n == 0:
        raise UserError("x is empty: there is no sample to train on.")
    return n


def split_last(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Takes the last part away for validation, as Keras does, before any shuffling.

    Args:
        rows: Arrays.
        share: Share of the samples, in (0, 1).

    Returns:
        Training part and validation part.

    Raises:
        UsageError: If a part would be empty.
    """
    n = length(rows)
    first = int(n * (1 - share)) if 0 < share < 1 else n
    if first in (0, n):
        raise UsageError(f"validation_split must be in (0, 1) and leave both parts samples, got {share} of {n}.")
    cut = [
        tf.nest.map_structure(lambda leaf, part=part: None if leaf is None else leaf[part], rows)
        for part in (slice(None, first), slice(first, None))
    ]
    return cut[0], cut[1]


def checked_seed(seed: Any) -> int:
    """A seed as a Python number.

    Args:
        seed: Any whole number from 0 to 2^31 - 1: generators on the device take no more.

    Raises:
        UsageError: If it is none.

    Example:
        >>> checked_seed(np.int64(3))
        3
    """
    if not hasattr(seed, "__index__") or not 0 <= operator.index(seed) < 2**31:
        raise UsageError(f"seed must be a whole number from 0 to {2**31 - 1}, got {seed!r}.")
    return operator.index(seed)


def check_batch_size(batch_size: Any, n: int | None = None) -> int:
    """Makes sure that a batch can be filled.

    Args:
        batch_size: b.
        n: Samples, or None if that is not known yet.

    Returns:
        b as a Python number.

    Raises:
        UsageError: If b is no whole number between 1 and n.
    """
    if not hasattr(batch_size, "__index__") or isinstance(batch_size, bool) or batch_size < 1:
        raise UsageError(f"batch_size must be a whole number of at least 1, got {batch_size!r}.")
    if n is not None and batch_size > n:
        raise UsageError(f"batch_size {batch_size} is larger than the data set ({n} samples); use at most {n}.")
    return operator.index(batch_size)


def check_labels(y: Any, outputs: int, numbers: np.ndarray | None = None, ignored: int | None = None) -> None:
    """Makes sure that class ids lie within the model's outputs; TensorFlow would not always tell.

    Args:
        y: ``int[n]`` or ``int[n, ...]`` class ids.
        outputs: Number of classes that the model knows.
        numbers: ``int[n]`` sample numbers of the rows, or None for 0 ... n-1.
        ignored: A class id that the loss leaves out, or None.

    Raises:
        UserError: Naming the labels outside and where they are.
    """
    labels = np.asarray(y).reshape(len(y), -1)
    outside = (labels < 0) | (labels >= outputs)
    if ignored is not None:
        outside &= labels != ignored
    bad = np.argwhere(outside)
    if bad.size:
        numbers = np.arange(len(labels)) if numbers is None else numbers
        shown = ", ".join(f"{labels[row, place]:g} at {numbers[row]}" for row, place in bad[:5])
        raise UserError(
            f"{len(bad)} labels lie outside 0 ... {outputs - 1}, the classes of the model: {shown}."
            " Correct them, or give the model more outputs."
        )


def check_finite(name: str, rows: Any, numbers: np.ndarray) -> None:
    """Makes sure that rows that were read hold numbers and no NaN.

    Args:
        name: Where they come from.
        rows: Arrays with the same first axis.
        numbers: ``int[k]`` their sample numbers.

    Raises:
        UserError: Naming the samples.
    """
    for leaf in tf.nest.flatten(rows):
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc" and not np.isfinite(leaf).all():
            bad = numbers[~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)]
            shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
            raise UserError(f"{name} gave NaN or infinite values for samples {shown}. Leave them out or mend them.")


def _array(leaf: Any) -> Any:
    return leaf if isinstance(leaf, tf.Tensor) else np.asarray(leaf)


def _check(name: str, leaf: Any, n: int) -> None:
    if len(leaf.shape) == 0 or leaf.shape[0] != n:
        raise UserError(f"x has {n} samples, but {name} has shape {list(leaf.shape)}; their first axes must agree.")
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fc" and not np.isfinite(leaf).all():
        finite = np.isfinite(leaf).reshape(n, -1).all(axis=1)
        bad = np.flatnonzero(~finite)
        shown = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        raise UserError(
            f"{name} has NaN or infinite values in {len(bad)} samples: {shown}. Replace them or leave the samples out."
        )
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind not in "biuf":
        raise UserError(f"{name} must hold numbers, got an array of {leaf.dtype}.")


def _by_class(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    if tf.nest.is_nested(y):
        raise UsageError("class_weight is for one array of targets as y; give sample_weight instead.")
    labels = np.asarray(y)
    labels = (labels.argmax(-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels).reshape(-1)
    unknown = sorted(set(class_weight) - set(np.unique(labels).tolist()))
    if unknown:
        raise UsageError(f"class_weight has weights for classes that no sample has: {unknown[:5]}.")
    return np.array([class_weight.get(label, 1.0) for label in labels.tolist()], np.float32)
