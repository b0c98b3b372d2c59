"""Data set: three splits, and the check that they can be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.encoding.subwords import SubwordEncoder
from batchsel.data.encoding.vocabulary import WordEncoder
from batchsel.data.sources import Source, Subset
from batchsel.data.splits import SplitRows
from batchsel.errors import UserError

MEMORY_LIMIT = 1 << 30
"""Bytes up to which a split on disk is loaded into memory; a larger one is read on access."""
_BLOCK = 1024
_SHOWN = 5  # rows named in an error; more would hide the sentence


@dataclass(frozen=True)
class Split:
    """Samples of a split in memory, and their targets.

    Args:
        x: Inputs, ``[n, ...]``: images as uint8, tables as float32.
        y: Targets, ``int32[n]`` class numbers, ``float32[n]`` values, or ``int32[n, length]`` subwords.

    Example:
        >>> len(Split(np.zeros((3, 2), np.float32), np.zeros(3, np.int32)))
        3
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """Data set that is ready to be trained on.

    Args:
        name: Its name.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        train: Samples to train on: a `Split` in memory or a `batchsel.data.sources.Source`.
        validation: Samples carved from the training data, for decisions.
        test: Samples to report on; never used for training or tuning.
        class_names: Names of the classes in the order of their numbers; empty for regression.
        split_fingerprint: Fingerprint of the split, from `batchsel.data.splits.fingerprint`; empty if unknown.
        encoder: Encoder of texts, by words or by subwords; None for other data.
        true_labels: Labels of the training split before some were corrupted on purpose; None if none were.
        feature_names: Names of the columns of a table, if known.
        rows: Row numbers of each split in the files; those of the training and validation split count together,
            those of an official test split separately. None if unknown.
        raw: Returns the inputs of a split, by its name, as they were before scaling or encoding; None if they are the
            same.

    Example:
        >>> split = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 0], np.int32))
        >>> dataset = Dataset("mine", "classification", split, split, split, ("no", "yes"))
        >>> dataset.input_shape, dataset.outputs
        ((2,), 2)
    """

    name: str
    task: str
    train: Split | Source
    validation: Split | Source
    test: Split | Source
    class_names: tuple[str, ...] = ()
    split_fingerprint: str = ""
    encoder: WordEncoder | PaddedSubwordEncoder | SubwordEncoder | None = None
    true_labels: np.ndarray | None = None
    feature_names: tuple[str, ...] = ()
    rows: SplitRows | None = None
    raw: Callable[[str], np.ndarray] | None = None

    @property
    def splits(self) -> dict[str, Split | Source]:
        """The three splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(_samples_in_memory(self.train).x.shape[1:])

    @property
    def outputs(self) -> int:
        """Number of outputs of a model: the number of classes or of subwords, or 1 for regression."""
        if self.task == "language_model" and self.encoder is not None:
            return len(self.encoder.vocabulary)
        return len(self.class_names) if self.task == "classification" else 1

    @property
    def vocabulary_size(self) -> int | None:
        """Number of word ids that an embedding needs room for; None for data without words and for language models."""
        return self.encoder.size if isinstance(self.encoder, WordEncoder | PaddedSubwordEncoder) else None

    def raw_inputs(self, split: str) -> np.ndarray:
        """Return the inputs of a split as they were before scaling or encoding.

        Args:
            split: "train", "validation" or "test", in memory.

        Returns:
            ``[n, ...]`` in the order of the split: unscaled features, texts, or `x` itself.

        Raises:
            UserError: If the split is not in memory.

        Example:
            >>> split = Split(np.array([[-1.0], [1.0]]), np.array([0, 1], np.int32))
            >>> inches = lambda name: np.array([[10.0], [14.0]])
            >>> dataset = Dataset("mine", "classification", split, split, split, ("no", "yes"), raw=inches)
            >>> dataset.raw_inputs("test").tolist()
            [[10.0], [14.0]]
        """
        return self.in_memory(split).x if self.raw is None else self.raw(split)

    def in_memory(self, split: str) -> Split:
        """Return a split by its name.

        Raises:
            UserError: If the split is not in memory.
        """
        samples = self.splits[split]
        if not isinstance(samples, Split):
            raise UserError(f"{self.name}: the {split} split is not in memory. Expected arrays; use fewer data.")
        return samples

    def check(self) -> None:
        """Reject data that cannot be trained on.

        Of a source that is not in memory, only the first sample is read.

        Raises:
            UserError: If a split is empty or differs in shape from the training split, inputs and targets differ in
                length, values are NaN or infinite, or a label is outside the classes.

        Example:
            >>> split = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 2], np.int32))
            >>> Dataset("mine", "classification", split, split, split, ("no", "yes")).check()
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: mine, train split: 1 label is outside the classes 0 to 1: row 2 (label
            2). ...
        """
        classes = None if self.task == "regression" else self.outputs
        for name, split in self.splits.items():
            where = f"{self.name}, {name} split"
            samples = _samples_in_memory(split)
            check_arrays(samples.x, samples.y, where=where, classes=classes)
            if samples.x.shape[1:] != self.input_shape:
                raise UserError(
                    f"{where}: samples have the shape {samples.x.shape[1:]}, those of the training split "
                    f"{self.input_shape}. Bring both to one shape."
                )


def check_arrays(x: np.ndarray, y: np.ndarray, *, where: str, classes: int | None = None) -> None:
    """Reject arrays that cannot be trained on.

    Args:
        x: Inputs, ``[n, ...]``.
        y: Targets, ``[n]`` or ``[n, ...]``.
        where: Name of the arrays, the beginning of every message.
        classes: Number of classes if `y` holds class numbers.

    Raises:
        UserError: If the arrays are empty, of different lengths or not numeric, or hold NaN, infinite values
            or labels outside the classes; the message names the rows.

    Example:
        >>> check_arrays(np.array([[1.0], [np.nan]]), np.array([0, 1]), where="my data", classes=2)
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: my data: 1 sample holds NaN or infinite features: row 1. ...
    """
    if not x.ndim or not y.ndim:
        single = "inputs are" if not x.ndim else "targets are"
        raise UserError(f"{where}: the {single} a single number. Expected an array with one row for each sample.")
    if len(x) != len(y):
        raise UserError(
            f"{where}: {len(x)} samples but {len(y)} targets. Expected one target for each sample; "
            "check that both come from the same file and neither was truncated."
        )
    if len(x) == 0:
        raise UserError(f"{where}: no samples. Expected at least one; check the file or the sizes of the split.")
    _check_finite(x, where, "sample holds", "samples hold", "features")
    _check_finite(y, where, "sample has", "samples have", "targets")
    if classes is not None:
        _check_labels(y, where, classes)


def split_arrays(x: np.ndarray, y: np.ndarray, rows: SplitRows) -> tuple[Split, Split, Split]:
    """Return the samples of each split, in the order in which `Dataset` takes them.

    Args:
        x: ``[n, ...]`` inputs.
        y: ``[n]`` targets.
        rows: Rows of each split.

    Example:
        >>> rows = SplitRows(np.array([0, 2]), np.array([1]), np.array([3]))
        >>> split_arrays(np.arange(4), np.arange(4) * 2, rows)[2].y.tolist()
        [6]
    """
    train, validation, test = (Split(x[chosen], y[chosen]) for chosen in rows)
    return train, validation, test


def load_if_small(source: Source, rows: np.ndarray) -> Split | Source:
    """Load samples with class numbers into memory, unless they are larger than `MEMORY_LIMIT`.

    Args:
        source: The source.
        rows: ``int[n]`` numbers of the samples.

    Example:
        >>> from batchsel.data.sources import ArraySource
        >>> load_if_small(ArraySource(np.arange(4.0), np.arange(4)), np.array([2, 3])).y.tolist()
        [2, 3]
    """
    if source.take(rows[:1])[0].nbytes * len(rows) > MEMORY_LIMIT:
        return Subset(source, rows)
    blocks = [source.take(rows[first : first + _BLOCK]) for first in range(0, len(rows), _BLOCK)]
    x, y = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Split(x, y.astype(np.int32))


def _samples_in_memory(split: Split | Source) -> Split:
    """Return the split itself, or the first sample of a source."""
    return split if isinstance(split, Split) else Split(*split.take(np.arange(min(1, len(split))))[:2])


def _check_finite(values: np.ndarray, where: str, singular: str, plural: str, what: str) -> None:
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where}: {what} of type {values.dtype}. Expected numbers; encode texts and dates as numbers.")
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    verb = singular if len(rows) == 1 else plural
    raise UserError(
        f"{where}: {len(rows)} {verb} NaN or infinite {what}: {_list_rows(rows)}. "
        "Expected finite numbers; remove these rows or fill the gaps."
    )


def _check_labels(y: np.ndarray, where: str, classes: int) -> None:
    if y.dtype.kind not in "iub":
        raise UserError(f"{where}: labels of type {y.dtype}. Expected whole numbers from 0 to {classes - 1}.")
    rows = np.flatnonzero(((y < 0) | (y >= classes)).reshape(len(y), -1).any(axis=1))
    if len(rows):
        verb = "label is" if len(rows) == 1 else "labels are"
        raise UserError(
            f"{where}: {len(rows)} {verb} outside the classes 0 to {classes - 1}: "
            f"{_list_rows(rows)} (label {np.ravel(y[rows[0]])[0]}). Correct the labels, or name all classes."
        )


def _list_rows(rows: np.ndarray) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:_SHOWN]))}{more}"
