"""A part of the training data in place of all, for studies of how much is enough. Always the same samples."""

from __future__ import annotations

import dataclasses

import numpy as np

from batchsel.data.dataset import Dataset, Part
from batchsel.data.sources import Subset
from batchsel.data.splits import draw_rows
from batchsel.errors import UsageError, UserError

_STREAM = 3  # of the draws of `splits`, which has 1 and 2


def with_share(dataset: Dataset, share: float) -> Dataset:
    """A data set with a share of its training samples; validation and test part stay as they are.

    The samples are drawn with a seed of their own, so that they are the same for every run. Of a classification in
    memory each class keeps its share, to the nearest sample. Samples on the disk, whose classes are known only once
    they are read, and those of other tasks are drawn alike.

    Args:
        dataset: The data set.
        share: Share of the training samples that stays, in (0, 1].

    Raises:
        UserError: If no sample would stay.
        UsageError: If `share` is out of range.

    Example:
        >>> part = Part(np.zeros((50, 2), np.float32), np.arange(50, dtype=np.int32) // 40)
        >>> some = with_share(Dataset("mine", "classification", part, part, part, ("no", "yes")), 0.2)
        >>> np.bincount(some.train.y).tolist(), len(some.test)
        ([8, 2], 50)
    """
    if not 0 < share <= 1:
        raise UsageError(f"train_share must be in (0, 1], got {share}.")
    n = len(dataset.train)
    count = round(share * n)
    if count == n:
        return dataset
    if count == 0:
        raise UserError(f"{dataset.name}: a share of {share} of {n} training samples is none. Choose a larger one.")
    stratified = dataset.task == "classification" and isinstance(dataset.train, Part)
    strata = dataset.train.y if stratified else np.zeros(n, np.int64)
    return with_training_rows(dataset, draw_rows(strata, count, seed=0, stream=_STREAM))


def with_training_rows(dataset: Dataset, rows: np.ndarray) -> Dataset:
    """A data set with some of its training samples, and all that is known of them.

    Args:
        dataset: The data set.
        rows: ``int[n]`` numbers of the training samples that stay.

    Example:
        >>> part = Part(np.arange(4.0)[:, None], np.array([0, 1, 0, 1], np.int32))
        >>> with_training_rows(Dataset("mine", "classification", part, part, part), np.array([1, 2])).train.y.tolist()
        [1, 0]
    """
    train, places, labels = dataset.train, dataset.rows, dataset.true_labels

    def raw(part: str) -> np.ndarray:
        inputs = dataset.raw_inputs(part)
        return inputs[rows] if part == "train" else inputs

    return dataclasses.replace(
        dataset,
        train=Part(train.x[rows], train.y[rows]) if isinstance(train, Part) else Subset(train, rows),
        true_labels=None if labels is None else labels[rows],
        rows=places and places._replace(train=places.train[rows]),
        raw=dataset.raw and raw,
    )
