"""A data set in memory: three parts of arrays, and the check that they can be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from batchsel.data.encoding.subwords import Subwords
from batchsel.data.encoding.vocabulary import Encoder
from batchsel.data.sources import Source, Subset
from batchsel.data.splits import Rows
from batchsel.errors import UserError

IN_MEMORY = 1 << 30
"""Bytes up to which a part of a set on the disk is held in memory; a larger one is read as it is needed."""
_BLOCK = 1024
_SHOWN = 5  # rows named in an error; more would bury the sentence


@dataclass(frozen=True)
class Part:
    """Samples and their targets.

    Args:
        x: Inputs, ``[n, ...]``: images as uint8, tables as float32.
        y: Targets, ``int32[n]`` class numbers, ``float32[n]`` values, or ``int32[n, length]`` subwords.

    Example:
        >>> len(Part(np.zeros((3, 2), np.float32), np.zeros(3, np.int32)))
        3
    """

    x: np.ndarray
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """A data set that is ready to be trained on.

    Args:
        name: Its name.
        task: ``"classification"``, ``"regression"`` or ``"language_model"``.
        train: Samples to train on; a `Part` in memory or a `batchsel.data.sources.Source`.
        validation: Samples carved from the training data, to decide on.
        test: Samples to report on; never trained or tuned on.
        class_names: Names of the classes in the order of their numbers; empty for regression.
        split: Fingerprint of which rows went where, from `batchsel.data.splits.fingerprint`; empty if
            unknown.
        encoder: What turned texts into numbers, by words or by subwords; None for other data.
        true_labels: Labels of the training part before some were made wrong on purpose; None where none were.
        feature_names: Names of the columns of a table, if known.
        rows: Where the rows of each part stand in the files, training and validation part counted together and the
            test part apart where it is an official one; None if unknown.
        raw: Gives the inputs of a part, by its name, as they were before scaling or encoding; None where they are the
            same.

    Example:
        >>> part = Part(np.zeros((3, 2), np.float32), np.array([0, 1, 0], np.int32))
        >>> dataset = Dataset("mine", "classification", part, part, part, ("no", "yes"))
        >>> dataset.input_shape, dataset.outputs
        ((2,), 2)
    """

    name: str
    task: str
    train: Part | Source
    validation: Part | Source
    test: Part | Source
    class_names: tuple[str, ...] = ()
    split: str = ""
    encoder: Encoder | Subwords | None = None
    true_labels: np.ndarray | None = None
    feature_names: tuple[str, ...] = ()
    rows: Rows | None = None
    raw: Callable[[str], np.ndarray] | None = None

    @property
    def parts(self) -> dict[str, Part | Source]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(_resident(self.train).x.shape[1:])

    @property
    def outputs(self) -> int:
        """Outputs a model needs: the number of classes or of subwords, or 1 for regression."""
        if self.task == "language_model":
            return len(self.encoder.vocabulary)
        return len(self.class_names) if self.task == "classification" else 1

    def raw_inputs(self, part: str) -> np.ndarray:
        """The inputs of a part as they were before scaling or encoding.

        Args:
            part: "train", "validation" or "test", in memory.

        Returns:
            ``[n, ...]`` in the order of the part: unscaled features, texts, or what `x` holds.

        Example:
            >>> part = Part(np.array([[-1.0], [1.0]]), np.array([0, 1], np.int32))
            >>> inches = lambda name: np.array([[10.0], [14.0]])
            >>> dataset = Dataset("mine", "classification", part, part, part, ("no", "yes"), raw=inches)
            >>> dataset.raw_inputs("test").tolist()
            [[10.0], [14.0]]
        """
        return self.parts[part].x if self.raw is None else self.raw(part)

    def check(self) -> None:
        """Refuses data that nobody should train on.

        Of a source that is not in memory only the first sample is read.

        Raises:
            UserError: If a part is empty or unlike the training part, inputs and targets differ in length,
                values are NaN or infinite, or a label is outside the classes.

        Example:
            >>> part = Part(np.zeros((3, 2), np.float32), np.array([0, 1, 2], np.int32))
            >>> Dataset("mine", "classification", part, part, part, ("no", "yes")).check()
            Traceback (most recent call last):
            ...
            batchsel.errors.UserError: mine, train part: 1 label is outside the classes 0 to 1: row 2 (label
            2). ...
        """
        classes = None if self.task == "regression" else self.outputs
        for name, part in self.parts.items():
            where = f"{self.name}, {name} part"
            held = _resident(part)
            check_arrays(held.x, held.y, where=where, classes=classes)
            if held.x.shape[1:] != self.input_shape:
                raise UserError(
                    f"{where}: samples have the shape {held.x.shape[1:]}, those of the training part "
                    f"{self.input_shape}. Bring both into one shape."
                )


def check_arrays(x: np.ndarray, y: np.ndarray, *, where: str, classes: int | None = None) -> None:
    """Refuses arrays that nobody should train on.

    Args:
        x: Inputs, ``[n, ...]``.
        y: Targets, ``[n]`` or ``[n, ...]``.
        where: What the arrays are, the beginning of every message.
        classes: Number of classes if `y` holds class numbers.

    Raises:
        UserError: If the arrays are empty, of different length or not numeric, or hold NaN, infinite values
            or labels outside the classes; the message names the rows.

    Example:
        >>> check_arrays(np.array([[1.0], [np.nan]]), np.array([0, 1]), where="my data", classes=2)
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: my data: 1 sample holds NaN or infinite features: row 1. ...
    """
    if len(x) != len(y):
        raise UserError(
            f"{where}: {len(x)} samples but {len(y)} targets. Expected one target a sample; "
            "check that both come from the same file and none was cut short."
        )
    if len(x) == 0:
        raise UserError(f"{where}: no samples. Expected at least one; check the file or the sizes of the split.")
    _check_finite(x, where, "sample holds", "samples hold", "features")
    _check_finite(y, where, "sample has", "samples have", "targets")
    if classes is not None:
        _check_labels(y, where, classes)


def held_rows(source: Source, rows: np.ndarray) -> Part | Source:
    """Samples of a source with class numbers: in memory, unless they are more than `IN_MEMORY`.

    Args:
        source: The source.
        rows: ``int[n]`` their numbers.

    Example:
        >>> from batchsel.data.sources import ArraySource
        >>> held_rows(ArraySource(np.arange(4.0), np.arange(4)), np.array([2, 3])).y.tolist()
        [2, 3]
    """
    if source.take(rows[:1])[0].nbytes * len(rows) > IN_MEMORY:
        return Subset(source, rows)
    blocks = [source.take(rows[first : first + _BLOCK]) for first in range(0, len(rows), _BLOCK)]
    x, y = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Part(x, y.astype(np.int32))


def _resident(part: Part | Source) -> Part:
    """The part itself, or the first sample of a source."""
    return part if isinstance(part, Part) else Part(*part.take(np.arange(min(1, len(part))))[:2])


def _check_finite(values: np.ndarray, where: str, singular: str, plural: str, what: str) -> None:
    if values.dtype.kind not in "biuf":
        raise UserError(f"{where}: {what} of type {values.dtype}. Expected numbers; encode texts and dates as numbers.")
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    verb = singular if len(rows) == 1 else plural
    raise UserError(
        f"{where}: {len(rows)} {verb} NaN or infinite {what}: {_listed(rows)}. "
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
            f"{_listed(rows)} (label {np.ravel(y[rows[0]])[0]}). Correct the labels, or name all classes."
        )


def _listed(rows: np.ndarray) -> str:
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:_SHOWN]))}{more}"
