"""Subsamples of the training data, for studies of data efficiency; the same samples in every run."""

from __future__ import annotations

import dataclasses

import numpy as np

from batchsel.data.dataset import Dataset, Split
from batchsel.data.sources import Subset
from batchsel.data.splits import draw_rows
from batchsel.errors import UsageError, UserError

_STREAM = 3  # the draws of `splits` use 1 and 2


def subsample(dataset: Dataset, share: float) -> Dataset:
    """Return the data set with a share of its training samples; validation and test split stay unchanged.

    The samples are drawn with a fixed seed, so they are the same in every run. In a classification in memory, each
    class keeps its share, to the nearest sample. Samples on disk, whose classes are unknown until they are read, and
    those of other tasks are drawn uniformly.

    Args:
        dataset: The data set.
        share: Share of the training samples to keep, in (0, 1].

    Raises:
        UserError: If no sample would be left.
        UsageError: If `share` is out of range.

    Example:
        >>> split = Split(np.zeros((50, 2), np.float32), np.arange(50, dtype=np.int32) // 40)
        >>> smaller = subsample(Dataset("mine", "classification", split, split, split, ("no", "yes")), 0.2)
        >>> np.bincount(smaller.train.y).tolist(), len(smaller.test)
        ([8, 2], 50)
    """
    if not 0 < share <= 1:
        raise UsageError(f"train_share must be in (0, 1], got {share}.")
    n = len(dataset.train)
    count = round(share * n)
    if count == n:
        return dataset
    if count == 0:
        raise UserError(f"{dataset.name}: a share of {share} of {n} training samples rounds to 0. Choose a larger one.")
    stratified = dataset.task == "classification" and isinstance(dataset.train, Split)
    strata = dataset.in_memory("train").y if stratified else np.zeros(n, np.int64)
    return select_training_rows(dataset, draw_rows(strata, count, seed=0, stream=_STREAM))


def select_training_rows(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """Return the data set with some of its training samples and their metadata.

    Args:
        dataset: The data set.
        rows: ``int[n]`` numbers of the training samples to keep.

    Example:
        >>> split = Split(np.arange(4.0)[:, None], np.array([0, 1, 0, 1], np.int32))
        >>> dataset = Dataset("mine", "classification", split, split, split)
        >>> select_training_rows(dataset, np.array([1, 2])).train.y.tolist()
        [1, 0]
    """
    train, origins, labels = dataset.train, dataset.rows, dataset.true_labels

    def raw(split: str) -> np.ndarray:
        inputs = dataset.raw_inputs(split)
        return inputs[rows] if split == "train" else inputs

    return dataclasses.replace(
        dataset,
        train=Split(train.x[rows], train.y[rows]) if isinstance(train, Split) else Subset(train, rows),
        true_labels=None if labels is None else labels[rows],
        rows=None if origins is None else origins._replace(train=origins.train[rows]),
        raw=None if dataset.raw is None else raw,
    )
