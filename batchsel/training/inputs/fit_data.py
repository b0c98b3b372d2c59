"""Data of a call of fit: arrays, a source, or batches that are cached, and those to validate on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from batchsel.core.sources import Source, Subset, forms
from batchsel.core.sources.batches import (
    BatchesSource,
    cache_batches,
    count_batches,
    is_batches,
    kind_of,
    peek_batch_size,
)
from batchsel.core.sources.column_file import MEMORY_LIMIT
from batchsel.core.sources.leaves import SparseRows, is_kind
from batchsel.core.sources.source import ArraySource
from batchsel.errors import UsageError, UserError
from batchsel.training.inputs import arrays
from batchsel.training.inputs.batch import Samples

_BLOCK = 4096
"""Samples that are read from a source at once."""


def cached(
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    steps: int | None = None,
    verbose: Any = 1,
    needs_targets: bool = True,
) -> Any:
    """Return inputs that come in batches as a source of them, and others as they are.

    Args:
        x: Inputs, or batches of everything.
        y: Targets; None for batches.
        sample_weight: Weights; None for batches.
        steps: Batches to read of batches without a known end; None for all.
        verbose: 0 for silence.
        needs_targets: Whether batches must hold targets.

    Raises:
        UserError: If batches cannot be cached, or come with targets of their own and others.
    """
    if not is_batches(x):
        return x
    if y is not None or sample_weight is not None:
        raise UsageError(
            f"x is a {kind_of(x)}, whose batches hold the targets and weights; leave out y and sample_weight."
        )
    unknown = count_batches(x) is None
    return cache_batches(x, steps=steps if unknown else None, verbose=verbose, needs_targets=needs_targets)


def validate_fit_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Any,
    validation_data: Any,
    validation_split: float,
    *,
    steps: int | None = None,
    validation_steps: int | None = None,
    validation_rows: int = 1,
    verbose: Any = 1,
    needs_targets: bool = True,
) -> tuple[Samples | Source, Samples | None]:
    """Check the data passed to `fit`, and return the training and the validation samples.

    Args:
        x: Inputs; or a source, or any data that are one by themselves; or batches.
        y: Targets; None where `x` holds them.
        sample_weight: Weights, or None.
        class_weight: Weights by class id, or None.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)``, or data in any form that `x` may have, or None.
        validation_split: Share of the data for validation, 0 for none.
        steps: Batches to read of batches without a known end; None for all.
        validation_steps: Batches to validate on, the first ones; None for all.
        validation_rows: Rows of these batches, unless the data come in batches.
        verbose: 0 for silence.
        needs_targets: Whether the model needs targets.

    Returns:
        Training samples, or a source of them; and validation samples, None if there are none.

    Raises:
        UserError: If the data cannot be used.
    """
    validation = None
    validation_samples = None if validation_steps is None else validation_steps * validation_rows
    if validation_data is not None:
        validation = read_validation(validation_data, validation_samples, validation_steps, verbose, needs_targets)
    x = cached(x, y, sample_weight, steps=steps, verbose=verbose, needs_targets=needs_targets)
    if isinstance(x, BatchesSource) and x.in_memory:
        x, y, sample_weight = x.x, x.y, x.sample_weight
    training = _open(x, y, sample_weight, class_weight, needs_targets)
    if validation is None and validation_split:
        training, validation = _split(training, validation_split)
        if class_weight is not None:  # it weighs the training samples only, as in Keras
            validation = validation._replace(sample_weight=None)
        validation = _first(validation, validation_samples)
    return training, validation


def peek_validation(data: Any, rows: int | None) -> tuple[int | None, Any]:
    """Return the rows of the batches to evaluate in, and validation data; batches are evaluated as they come.

    Args:
        data: As in `validate_fit_data`.
        rows: Rows that the user states for data that do not come in batches, or None.
    """
    return peek_batch_size(data) if is_batches(data) else (rows, data)


def read_validation(
    data: Any, samples: int | None, steps: int | None, verbose: Any, needs_targets: bool = True
) -> Samples:
    """Return validation data as arrays.

    Args:
        data: As in `validate_fit_data`.
        samples: Samples to keep, the first ones; None for all.
        steps: Batches to read of data that come in batches; None for all.
        verbose: 0 for silence.
        needs_targets: Whether the model needs targets; else the data may be inputs alone, also as ``(x,)``.

    Raises:
        UserError: If they cannot be used.
    """
    if isinstance(data, list | tuple) and len(data) in (2, 3):
        try:
            return _first(arrays.as_samples(*data), samples)
        except UserError as error:
            raise type(error)(f"validation_data: {error}") from error
    if is_batches(data):
        source = cache_batches(data, steps=steps, name="validation_data", verbose=verbose, needs_targets=needs_targets)
        return arrays.as_samples(source.x, source.y, source.sample_weight, needs_targets=needs_targets)
    alone = data[0] if isinstance(data, list | tuple) and len(data) == 1 else data
    if not needs_targets and (_is_array(alone) or isinstance(alone, Mapping)):
        return _first(arrays.as_samples(alone, None, needs_targets=False), samples)
    if not is_source(data, None):
        shape = f" of {len(data)}" if isinstance(data, list | tuple) else ""
        raise UsageError(
            "validation_data must be (x, y) or (x, y, sample_weight) of arrays, or a source, got"
            f" {type(data).__name__}{shape}."
        )
    source = forms.source_of(data)
    return arrays.as_samples(*_read_all(source, min(len(source), samples or len(source))))


def is_source(x: Any, y: Any) -> bool:
    """Return whether `x` holds inputs and targets, and gives them by sample number.

    Args:
        x: Inputs, or a source.
        y: Targets; None for a source.
    """
    if y is not None or x is None or _is_array(x) or isinstance(x, str | bytes):
        return False
    if forms.takes_indices(x) or hasattr(x, "column_names"):
        return True
    if isinstance(x, list | tuple):
        # A list of samples; lists of arrays are inputs, whose targets are missing.
        return bool(x) and all(isinstance(sample, tuple | Mapping) for sample in (x[0], x[-1]))
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, Mapping)


def _open(x: Any, y: Any, sample_weight: Any, class_weight: Any, needs_targets: bool) -> Samples | Source:
    if is_source(x, y):
        if not (sample_weight is None and class_weight is None):
            raise UsageError(
                "sample_weight and class_weight are for arrays. A source returns weights with its rows,"
                " take(indices) -> (x, y, sample_weight)."
            )
        return forms.source_of(x)
    if class_weight is None and y is not None and _bytes_on_disk((x, y)) > MEMORY_LIMIT:
        return ArraySource(x, y, sample_weight)
    samples = arrays.as_samples(x, y, sample_weight, class_weight, needs_targets)
    if any(isinstance(leaf, SparseRows) for leaf in tf.nest.flatten(samples)):
        return ArraySource(*samples)
    return samples


def _split(training: Samples | Source, share: float) -> tuple[Samples | Source, Samples]:
    if isinstance(training, Samples):
        return arrays.split_last(training, share)
    n = len(training)
    first = arrays.split_point(n, share)
    held_out = Subset(training, np.arange(first, n))
    return Subset(training, np.arange(first)), arrays.as_samples(*_read_all(held_out, n - first))


def _read_all(source: Source, count: int) -> tuple[Any, ...]:
    """Read the first samples of a source."""
    blocks = [source.take(np.arange(start, min(start + _BLOCK, count))) for start in range(0, count, _BLOCK)]
    if not blocks:
        return np.zeros([0]), np.zeros([0])
    return tf.nest.map_structure(lambda *leaves: np.concatenate(leaves), *map(tuple, blocks))


def _first(samples: Samples, count: int | None) -> Samples:
    if count is None or count >= arrays.length(samples):
        return samples
    return tf.nest.map_structure(lambda leaf: None if leaf is None else leaf[:count], samples)


def _is_array(value: Any) -> bool:
    # A source may have a shape of its own, that of its samples.
    shaped = hasattr(value, "shape") and (hasattr(value, "dtype") or hasattr(value, "__getitem__"))
    return shaped or isinstance(value, tf.Tensor) or type(value).__name__ in ("DataFrame", "Series")


def _bytes_on_disk(parts: Any) -> int:
    """Return the size of the arrays that are read from disk: memory maps, and those of h5py and zarr."""

    def size(leaf: Any) -> int:
        on_disk = isinstance(leaf, np.memmap) or is_kind(leaf, "Dataset", "h5py") or is_kind(leaf, "Array", "zarr")
        return int(leaf.nbytes) if on_disk else 0

    return sum(size(leaf) for leaf in tf.nest.flatten(parts))
