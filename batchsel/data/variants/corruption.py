"""Training data made worse on purpose, for studies: wrong labels, classes of unequal size. Always the same rows."""

from __future__ import annotations

import dataclasses

import numpy as np

from batchsel.data.dataset import Dataset, Part
from batchsel.data.variants.subsample import with_training_rows
from batchsel.errors import UsageError, UserError

KINDS = ("symmetric", "asymmetric")
_ROWS, _LABELS, _IMBALANCE = range(3)


def with_wrong_labels(dataset: Dataset, share: float, kind: str = "symmetric") -> Dataset:
    """A data set some of whose training labels are wrong; validation and test part stay as they are.

    The rows are drawn with a seed of their own, so that they are the same for every run.

    Args:
        dataset: A classification in memory.
        share: Share of the training samples whose label is wrong, in [0, 1).
        kind: "symmetric": any other class, all equally likely; "asymmetric": the class of the next number.

    Returns:
        The data set; its `true_labels` are those of the training part before.

    Raises:
        UserError: If it is no classification, or streamed.
        UsageError: If a parameter is not of that kind.

    Example:
        >>> part = Part(np.zeros((10, 2), np.float32), np.arange(10, dtype=np.int32) % 2)
        >>> spoilt = with_wrong_labels(Dataset("mine", "classification", part, part, part, ("no", "yes")), 0.3)
        >>> int((spoilt.train.y != spoilt.true_labels).sum())
        3
    """
    if not 0 <= share < 1:
        raise UsageError(f"label_noise must be in [0, 1), got {share}.")
    if kind not in KINDS:
        raise UsageError(f"label_noise_kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    train = _training(dataset, "label noise")
    classes, n = dataset.outputs, len(train)
    words = np.random.PCG64([_ROWS]).random_raw(n)
    rows = np.sort(np.argsort(words, kind="stable")[: round(share * n)])
    steps = np.ones(n, np.uint64)
    if kind == "symmetric":
        steps += np.random.PCG64([_LABELS]).random_raw(n) % np.uint64(classes - 1)
    labels = train.y.copy()
    labels[rows] = (train.y[rows] + steps[rows].astype(np.int64)) % classes
    return dataclasses.replace(dataset, train=Part(train.x, labels), true_labels=train.y)


def with_rare_classes(dataset: Dataset, ratio: float) -> Dataset:
    """A data set whose training classes shrink exponentially with their number; validation and test stay as they are.

    Args:
        dataset: A classification in memory.
        ratio: Size of the first class over that of the last, at least 1. Of class c of C as large as the smallest
            class m, ⌊m ratio^(−c / (C − 1))⌋ samples stay, at least one.

    Raises:
        UserError: If it is no classification, or streamed.
        UsageError: If `ratio` lies below 1.

    Example:
        >>> part = Part(np.zeros((40, 2), np.float32), np.arange(40, dtype=np.int32) % 2)
        >>> rare = with_rare_classes(Dataset("mine", "classification", part, part, part, ("no", "yes")), 10.0)
        >>> np.bincount(rare.train.y).tolist()
        [20, 2]
    """
    if not ratio >= 1:
        raise UsageError(f"imbalance must be at least 1, got {ratio}.")
    train = _training(dataset, "imbalance")
    classes, smallest = dataset.outputs, np.bincount(train.y, minlength=dataset.outputs).min()
    sizes = tail_sizes(smallest, classes, ratio)
    words = np.random.PCG64([_IMBALANCE]).random_raw(len(train))
    kept = []
    for c in range(classes):
        members = np.flatnonzero(train.y == c)
        kept.append(members[np.argsort(words[members], kind="stable")[: sizes[c]]])
    rows = np.sort(np.concatenate(kept))
    return with_training_rows(dataset, rows)


def tail_sizes(size: int, classes: int, ratio: float) -> list[int]:
    """Sizes of classes that shrink exponentially, at least one each.

    Args:
        size: Size of the first.
        classes: How many there are.
        ratio: Size of the first over that of the last.

    Example:
        >>> tail_sizes(100, 3, 25.0)
        [100, 20, 4]
    """
    # A little more, so that rounding cannot step below a whole number.
    return [max(1, int(size * ratio ** (-c / (classes - 1)) + 1e-9)) for c in range(classes)]


def _training(dataset: Dataset, what: str) -> Part:
    if dataset.task != "classification" or not isinstance(dataset.train, Part):
        raise UserError(f"{what} needs a classification in memory; {dataset.name} is none.")
    return dataset.train
