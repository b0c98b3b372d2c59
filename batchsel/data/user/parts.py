"""Parts of user data: the samples of each split as files hold them, and the data set that they make."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsel.core.filesystem.reading import shorten_path
from batchsel.data.dataset import Dataset, split_arrays
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.encoding.vocabulary import WordEncoder
from batchsel.data.splits import SplitRows, carve_rows, draw_test_rows, fingerprint
from batchsel.errors import UserError, shorten

_HELD_OUT = {"validation": 0.1, "test": 0.2}
"""Share of the samples that is drawn for a split that has no file."""


class Part(NamedTuple):
    """Samples of one split."""

    x: np.ndarray
    y: np.ndarray


def assemble(
    name: str,
    parts: Mapping[str, Part],
    classes: tuple[str, ...],
    seed: int,
    encoder: WordEncoder | PaddedSubwordEncoder | None = None,
) -> Dataset:
    """Make a data set of parts, and draw the splits that are missing.

    Args:
        name: Name of the data set.
        parts: The samples of each split, "train" at least.
        classes: Names of the classes; empty for a regression.
        seed: Seed of the validation split.
        encoder: Encoder of the texts that the samples were, or None.
    """
    counts = {split: len(part.y) for split, part in parts.items()}
    x, y = (np.concatenate([part[axis] for part in parts.values()]) for axis in (0, 1))
    rows = draw_rows(counts, y if classes else np.zeros(len(y), np.int64), seed)
    return Dataset(
        name,
        "classification" if classes else "regression",
        *split_arrays(x, y, rows),
        class_names=classes,
        split_fingerprint=fingerprint(*rows),
        encoder=encoder,
        rows=official_rows(rows, counts),
    )


def draw_rows(counts: Mapping[str, int], strata: np.ndarray, seed: int) -> SplitRows:
    """Return the rows of each split among the samples of all parts, one part after the other.

    Args:
        counts: Number of samples of each part.
        strata: ``int[n]`` classes, by which splits are stratified.
        seed: Seed of the validation split.
    """
    ends = np.cumsum(list(counts.values()))
    places = {split: np.arange(end - counts[split], end) for split, end in zip(counts, ends, strict=True)}
    train = places["train"]
    for split in ("test", "validation"):
        if split in places:
            continue
        count = max(1, round(_HELD_OUT[split] * counts["train"]))
        if split == "test":  # the same for every seed
            drawn = draw_test_rows(strata[train], count)
            kept = np.setdiff1d(np.arange(len(train)), drawn)
        else:
            drawn, kept = carve_rows(strata[train], count, seed)
        places[split], train = train[drawn], train[kept]
    return SplitRows(train, places["validation"], places["test"])


def official_rows(rows: SplitRows, counts: Mapping[str, int]) -> SplitRows | None:
    """Return the rows as `Dataset.rows` has them; None where the validation split has a file of its own."""
    if "validation" in counts:
        return None
    return rows if "test" not in counts else rows._replace(test=rows.test - counts["train"])


def class_names(labels: np.ndarray) -> tuple[str, ...]:
    """Return the different labels, by their numbers if all are numbers.

    Example:
        >>> class_names(np.array(["10", "9"], object)), class_names(np.array(["b", "a"], object))
        (('9', '10'), ('a', 'b'))
    """
    found = sorted(set(labels.tolist()))
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(found)


def class_numbers(labels: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Return labels as numbers of classes, ``int32[n]``."""
    number = {name: place for place, name in enumerate(classes)}
    return np.array([number[label] for label in labels.tolist()], np.int32)


def check_labels(labels: np.ndarray, classes: tuple[str, ...], path: Path) -> None:
    """Refuse labels that occur in no training sample.

    Args:
        labels: ``object[n]`` labels of all parts.
        classes: Those of the training samples.
        path: The data, for the message.

    Raises:
        UserError: If there are any, or all training samples have one label.
    """
    if len(classes) < 2:
        raise UserError(f"{shorten_path(path)}: all training samples have one label. Expected two classes or more.")
    unknown = sorted(set(labels.tolist()) - set(classes))
    if unknown:
        raise UserError(
            f"{shorten_path(path)}: the label {shorten(str(unknown[0]))!r} of another split occurs in none of the"
            " training samples."
        )


def describe(counts: Mapping[str, int], kind: str) -> str:
    """Describe the files, as in "2 parts (60,000 train, 10,000 test): images, 28×28×1"."""
    sizes = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return f"{len(counts)} parts ({sizes}): {kind}" if len(counts) > 1 else f"one part ({sizes}): {kind}"
