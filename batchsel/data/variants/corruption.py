"""Training data corrupted on purpose, for studies: wrong labels and imbalanced classes, the same rows in every run."""

from __future__ import annotations

import dataclasses

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.variants.subsample import select_training_rows
from batchsel.errors import UsageError, UserError

KINDS = ("symmetric", "asymmetric")
_ROWS, _LABELS, _IMBALANCE = range(3)


def corrupt_labels(dataset: Dataset, share: float, kind: str = "symmetric") -> Dataset:
    """Return the data set with some training labels replaced by wrong ones; validation and test split stay unchanged.

    The rows are drawn with a fixed seed, so they are the same in every run.

    Args:
        dataset: A classification in memory.
        share: Share of the training samples whose label becomes wrong, in [0, 1).
        kind: "symmetric": any other class, all equally likely; "asymmetric": the class of the next number.

    Returns:
        The data set; its `true_labels` are the original training labels.

    Raises:
        UserError: If it is not a classification in memory.
        UsageError: If the share or the kind is invalid.

    Example:
        >>> split = Split(np.zeros((10, 2), np.float32), np.arange(10, dtype=np.int32) % 2)
        >>> noisy = corrupt_labels(Dataset("mine", "classification", split, split, split, ("no", "yes")), 0.3)
        >>> int((noisy.train.y != noisy.true_labels).sum())
        3
    """
    if not 0 <= share < 1:
        raise UsageError(f"label_noise must be in [0, 1), got {share}.")
    if kind not in KINDS:
        raise UsageError(f"label_noise_kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    train = _training_arrays(dataset, "label noise")
    classes, n = dataset.outputs, len(train)
    words = np.random.PCG64([_ROWS]).random_raw(n)
    rows = np.sort(np.argsort(words, kind="stable")[: round(share * n)])
    steps = np.ones(n, np.uint64)
    if kind == "symmetric":
        steps += np.random.PCG64([_LABELS]).random_raw(n) % np.uint64(classes - 1)
    labels = train.y.copy()
    labels[rows] = (train.y[rows] + steps[rows].astype(np.int64)) % classes
    return dataclasses.replace(dataset, train=Split(train.x, labels), true_labels=train.y)


def make_imbalanced(dataset: Dataset, ratio: float) -> Dataset:
    """Return the data set with training classes that shrink exponentially; validation and test split stay unchanged.

    Args:
        dataset: A classification in memory.
        ratio: Size of the first class over that of the last, at least 1. Of class c of C as large as the smallest
            class m, ⌊m ratio^(−c / (C − 1))⌋ samples stay, at least one.

    Raises:
        UserError: If it is not a classification in memory.
        UsageError: If `ratio` is below 1.

    Example:
        >>> split = Split(np.zeros((40, 2), np.float32), np.arange(40, dtype=np.int32) % 2)
        >>> rare = make_imbalanced(Dataset("mine", "classification", split, split, split, ("no", "yes")), 10.0)
        >>> np.bincount(rare.train.y).tolist()
        [20, 2]
    """
    if not ratio >= 1:
        raise UsageError(f"imbalance must be at least 1, got {ratio}.")
    train = _training_arrays(dataset, "imbalance")
    classes, smallest = dataset.outputs, np.bincount(train.y, minlength=dataset.outputs).min()
    sizes = long_tail_sizes(smallest, classes, ratio)
    words = np.random.PCG64([_IMBALANCE]).random_raw(len(train))
    kept = []
    for c in range(classes):
        members = np.flatnonzero(train.y == c)
        kept.append(members[np.argsort(words[members], kind="stable")[: sizes[c]]])
    rows = np.sort(np.concatenate(kept))
    return select_training_rows(dataset, rows)


def long_tail_sizes(size: int, classes: int, ratio: float) -> list[int]:
    """Return sizes of classes that shrink exponentially, at least one each.

    Args:
        size: Size of the first.
        classes: Number of classes.
        ratio: Size of the first over that of the last.

    Example:
        >>> long_tail_sizes(100, 3, 25.0)
        [100, 20, 4]
    """
    # The small addition keeps rounding from stepping below a whole number.
    return [max(1, int(size * ratio ** (-c / (classes - 1)) + 1e-9)) for c in range(classes)]


def _training_arrays(dataset: Dataset, what: str) -> Split:
    if dataset.task != "classification" or not isinstance(dataset.train, Split):
        raise UserError(f"{what} needs a classification in memory; {dataset.name} is not one.")
    return dataset.train
