"""Validation of user data: arrays, seeds and batch sizes, checked before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core.sources.frames import is_series
from batchsel.core.sources.leaves import SparseRows, as_array, is_list_of_values
from batchsel.errors import UsageError, UserError
from batchsel.training.inputs import arguments
from batchsel.training.inputs.batch import Samples

"""The largest number of samples, of a batch, and of a seed: numbers on the device have 32 bits."""


_SMALL_FLOATS = {"bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2", "float8_e5m2fnuz"}


def as_samples(
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    needs_targets: bool = True,
) -> Samples:
    """Convert arrays to samples, and check them.

    Args:
        x: Inputs: an array, or a list, tuple or dict of arrays, first axis n.
        y: Targets, likewise.
        sample_weight: Weights, first axis n, or None.
        class_weight: Weight of each class id, or None; not both.
        needs_targets: Whether targets may not be None.

    Returns:
        NumPy arrays (tensors stay tensors).

    Raises:
        UserError: If there are no data, lengths differ, or values are not finite.

    Example:
        >>> as_samples(np.zeros([2, 3]), np.zeros([2])).x.shape
        (2, 3)
    """
    if x is None or (y is None and (needs_targets or class_weight is not None)):
        raise UsageError(
            f"x and y must be arrays (or x a source with len() and take()), got {type(x).__name__} and"
            f" {type(y).__name__}. Data that hold both, such as batches or samples by number, are passed as x alone."
        )
    if any(part is None for part in tf.nest.flatten(x)):
        raise UserError(
            "x is None for one of the inputs. Give an array for each of them, also for optional ones, or train a model"
            " without that input."
        )
    class_weight = arguments.class_weights(class_weight)
    if not tf.nest.is_nested(x) and (not getattr(x, "shape", ()) or x.shape[0] is None):
        raise UsageError(f"x must be an array whose first axis is that of the samples, got {arguments.show(x)}.")
    for part in tf.nest.flatten(x):
        check_count(part.shape[0] if getattr(part, "shape", ()) else 0)
    parts = {"x": x, "y": y, "sample_weight": _fill_in(sample_weight, x)}
    samples = Samples(*(None if part is None else _as_arrays(name, part) for name, part in parts.items()))
    n = length(samples)
    for name, part in zip(parts, samples, strict=True):
        for leaf in [] if part is None else tf.nest.flatten(part):
            _check_leaf(name, leaf, n)
    if class_weight is not None:
        if sample_weight is not None:
            raise UsageError("sample_weight and class_weight cannot be combined; pass one of them.")
        samples = samples._replace(sample_weight=_weights_by_class(samples.y, class_weight))
    check_weights(samples.sample_weight, np.arange(n))
    if samples.sample_weight is not None and not any(np.any(leaf) for leaf in tf.nest.flatten(samples.sample_weight)):
        raise UserError("all sample weights are 0, so nothing would be learned. Give some samples a weight above 0.")
    return samples


def length(samples: Samples) -> int:
    """Return n, the length of the first axis.

    Args:
        samples: Arrays.

    Raises:
        UserError: If there is no sample.
    """
    leaves = tf.nest.flatten(samples.x)
    n = int(leaves[0].shape[0]) if leaves and getattr(leaves[0], "shape", ()) else 0
    if n == 0:
        raise UserError("x is empty: there is no sample to train on.")
    return n


def split_last(samples: Samples, share: float) -> tuple[Samples, Samples]:
    """Split off the last part for validation, as Keras does, before any shuffling.

    Args:
        samples: Arrays.
        share: Share of the samples, in (0, 1).

    Returns:
        Training part and validation part.

    Raises:
        UsageError: If a part would be empty.
    """
    first = split_point(length(samples), share)
    training, validation = (
        tf.nest.map_structure(lambda leaf, rows=rows: None if leaf is None else leaf[rows], samples)
        for rows in (slice(None, first), slice(first, None))
    )
    return training, validation


def split_point(n: int, share: float) -> int:
    """Return the number of samples before those that are split off for validation.

    Args:
        n: Samples.
        share: Share of the samples that is split off, in (0, 1).

    Raises:
        UsageError: If a part would be empty.
    """
    first = int(n * (1 - share)) if 0 < share < 1 else n
    if first in (0, n):
        raise UsageError(f"validation_split must be in (0, 1) and leave samples in both parts, got {share} of {n}.")
    return first


def check_seed(seed: Any) -> int:
    """Check a seed, and return it as a Python number.

    Args:
        seed: A whole number from 0 to 2^31 - 1, the limit of generators on the device.

    Raises:
        UsageError: If it is not one.

    Example:
        >>> check_seed(np.int64(3))
        3
    """
    return arguments.whole_number("seed", seed, 0, arguments.LARGEST)


def check_batch_size(batch_size: Any) -> int:
    """Check a batch size, and return it as a Python number.

    Args:
        batch_size: b; if it is larger than the data, a batch holds all of them.

    Raises:
        UsageError: If b is not a whole number of at least 1.
    """
    return arguments.whole_number("batch_size", batch_size)


def check_labels(y: Any, outputs: int, numbers: np.ndarray | None = None, ignored: int | None = None) -> None:
    """Check that class ids are whole numbers within the model's outputs; TensorFlow does not always.

    Args:
        y: ``int[n]`` or ``int[n, ...]`` class ids.
        outputs: Number of classes that the model knows.
        numbers: ``int[n]`` sample numbers of the rows, or None for 0 ... n-1.
        ignored: A class id that the loss ignores, or None.

    Raises:
        UserError: Naming the labels that are not, and their samples.
    """
    labels = np.asarray(y).reshape(len(y), -1)
    outside = (labels < 0) | (labels >= outputs)
    if ignored is not None:
        outside &= labels != ignored
    numbers = np.arange(len(labels)) if numbers is None else numbers
    if labels.dtype.kind == "f" and (fractional := labels != np.floor(labels)).any():
        rows, columns = np.nonzero(fractional)
        shown = ", ".join(
            f"{labels[row, column]:g} at {numbers[row]}" for row, column in zip(rows[:5], columns[:5], strict=True)
        )
        raise UserError(
            f"{len(rows)} labels are not whole numbers: {shown}. Class ids must be; a loss on shares of classes, such"
            " as categorical_crossentropy, takes one column for each class."
        )
    bad = np.argwhere(outside)
    if bad.size:
        shown = ", ".join(f"{labels[row, column]:g} at {numbers[row]}" for row, column in bad[:5])
        raise UserError(
            f"{len(bad)} labels lie outside 0 ... {outputs - 1}, the classes of the model: {shown}."
            " Correct them, or build the model with more outputs."
        )


def check_count(n: int) -> None:
    """Check that samples can be numbered; before anything of that size is allocated.

    Args:
        n: Samples.

    Raises:
        UserError: If there are too many.
    """
    if n > arguments.LARGEST:
        raise UserError(
            f"the data have {n:,} samples, and at most {arguments.LARGEST:,} (2^31 - 1) can be selected from. Split"
            " them, or train on a part."
        )


def check_plan_size(steps: int, width: int) -> None:
    """Check that the rows of a plan can be numbered; before anything of that size is allocated.

    Args:
        steps: Steps of a plan.
        width: Samples of a step: those of a batch, or of the pool that it is chosen from.

    Raises:
        UsageError: If there are too many.

    Example:
        >>> check_plan_size(2**20, 4096)
        Traceback (most recent call last):
        batchsel.errors.UsageError: a plan has at most 2,147,483,647 (2^31 - 1) rows, and the selector asks for ...
    """
    if steps * width > arguments.LARGEST:
        raise UsageError(
            f"a plan has at most {arguments.LARGEST:,} (2^31 - 1) rows, and the selector asks for {steps:,} steps of"
            f" {width:,} samples. Choose smaller batches, a smaller pool, or a smaller `every`."
        )


def check_weights(weights: Any, numbers: np.ndarray) -> None:
    """Check that no sample weight is negative.

    Args:
        weights: Arrays with the same first axis, or None.
        numbers: ``int[k]`` sample numbers of the rows.

    Raises:
        UserError: Naming the samples.
    """
    for leaf in [] if weights is None else tf.nest.flatten(weights):
        values = np.asarray(leaf)
        if values.size and values.dtype.kind in "fi" and values.min() < 0:
            bad = np.flatnonzero((values < 0).reshape(len(values), -1).any(axis=1))
            raise UserError(
                f"sample_weight is negative for {len(bad)} samples: {_head(numbers[bad])}. Weights must be at least 0."
            )


def reject_masked(name: str, leaf: Any) -> None:
    """Refuse masked arrays, whose masked values would be trained on.

    Args:
        name: Origin of the array.
        leaf: Anything.

    Raises:
        UserError: If any value is masked.
    """
    if isinstance(leaf, np.ma.MaskedArray) and np.ma.is_masked(leaf):
        raise UserError(
            f"{name} is a masked array with {np.ma.count_masked(leaf)} masked values, which would be trained on. Fill"
            " them with filled(), or leave those samples out."
        )


def check_finite(name: str, rows: Any, numbers: np.ndarray) -> None:
    """Check that rows that were read hold finite numbers.

    Args:
        name: Origin of the rows.
        rows: Arrays with the same first axis.
        numbers: ``int[k]`` their sample numbers.

    Raises:
        UserError: Naming the samples.
    """
    for leaf in tf.nest.flatten(rows):
        bad = nonfinite_rows(leaf)
        if len(bad):
            raise UserError(
                f"{name} returned NaN or infinite values for samples {_head(numbers[bad])}. Leave them out or correct"
                " them."
            )


def _as_arrays(name: str, part: Any) -> Any:
    def convert(leaf: Any) -> Any:
        reject_masked(name, leaf)
        try:
            array = as_array(name, leaf)
            # As in Keras, a column is a feature of its own; targets need no second axis.
            array = array[:, None] if name == "x" and is_series(leaf) else array
            if name == "x" and isinstance(array, np.ndarray) and _holds_texts(array):
                return tf.constant(array)
            return array if isinstance(array, tf.Tensor | SparseRows) else _known_floats(np.asarray(array))
        except UserError:
            raise
        except (TypeError, ValueError) as error:
            raise UserError(f"{name} cannot be converted to a NumPy array: {arguments.show(leaf)}.") from error

    return convert(part) if is_list_of_values(part) else tf.nest.map_structure(convert, part)


def _holds_texts(array: np.ndarray) -> bool:
    """Return whether an array holds texts: in arrays of objects, `as_array` leaves these alone."""
    return array.size > 0 and (array.dtype.kind in "US" or isinstance(array.flat[0], str | bytes))


def _known_floats(array: np.ndarray) -> np.ndarray:
    """Return floats that TensorFlow or NumPy do not know as the next ones that both know.

    Small floats such as bfloat16, which NumPy takes for raw bytes, become float32, which holds all of them; floats of
    more than 64 bits float64.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    small = array.dtype.kind == "V" and array.dtype.names is None and array.dtype.name in _SMALL_FLOATS
    return array.astype(np.float32) if small else array


def _check_leaf(name: str, leaf: Any, n: int) -> None:
    if len(leaf.shape) == 0 or leaf.shape[0] != n:
        raise UserError(f"x has {n} samples, but {name} has shape {list(leaf.shape)}; their first axes must agree.")
    if name != "x":  # a model may handle missing inputs, which is found out once it is known
        reject_nonfinite(name, nonfinite_rows(leaf))
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind not in "biuf":
        raise UserError(f"{name} must hold numbers, got an array of {leaf.dtype}.")


def reject_nonfinite(name: str, rows: np.ndarray) -> None:
    """Refuse samples that are not finite.

    Args:
        name: Origin of the samples.
        rows: ``int[k]`` their numbers.

    Raises:
        UserError: If there are any.
    """
    if len(rows):
        raise UserError(
            f"{name} has NaN or infinite values in {len(rows)} samples: {_head(rows)}. Replace them or leave the"
            " samples out."
        )


def nonfinite_rows(leaf: Any) -> np.ndarray:
    """Return the rows of an array that hold NaN or infinite values; none for anything but arrays of floats."""
    if not isinstance(leaf, np.ndarray) or leaf.dtype.kind not in "fc" or np.isfinite(leaf).all():
        return np.zeros([0], np.int64)
    return np.flatnonzero(~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1))


def _head(numbers: np.ndarray) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


def _is_one_hot(rows: np.ndarray) -> bool:
    """Return whether rows are shares of classes, as one-hot rows are, and smoothed ones."""
    return rows.dtype.kind in "biuf" and bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3))


def _fill_in(sample_weight: Any, x: Any) -> Any:
    """Return weights of several outputs with ones for those that have None, as Keras weighs them."""
    if not tf.nest.is_nested(sample_weight):
        return sample_weight
    given = [leaf is not None for leaf in tf.nest.flatten(sample_weight)]
    if all(given) or not any(given):
        return sample_weight
    ones = np.ones(len(tf.nest.flatten(x)[0]), np.float32)
    return tf.nest.map_structure(lambda leaf: ones if leaf is None else leaf, sample_weight)


def _weights_by_class(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    if tf.nest.is_nested(y):
        raise UsageError("class_weight is for one array of targets as y; pass sample_weight instead.")
    labels = np.asarray(y)
    if (labels.ndim > 1 and labels.shape[-1] > 1) or labels.ndim > 2:
        if labels.ndim > 2 or not _is_one_hot(labels):
            raise UsageError(
                f"class_weight is for one class for each sample, and y has the shape {list(labels.shape)} with other"
                " values than one 1 in each row. Pass sample_weight with a weight for each sample, or for each element."
            )
        labels = labels.argmax(-1)
    labels = labels.reshape(-1)
    known = set(np.unique(labels).tolist())
    if not known & set(class_weight):
        raise UsageError(
            f"class_weight has weights for {sorted(class_weight)[:5]}, and no sample is of any of these classes."
        )
    return np.array([class_weight.get(label, 1.0) for label in labels.tolist()], np.float32)
