"""User arrays in one npz, named as in the files of Keras, scikit-learn or MedMNIST."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from batchsel.core.filesystem.reading import reading, shorten_path
from batchsel.data.dataset import Dataset
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.encoding.subwords import SubwordEncoder
from batchsel.data.encoding.vocabulary import WordEncoder
from batchsel.data.formats.npz import read_npz
from batchsel.data.splits import SPLIT_NAMES
from batchsel.data.user.parts import Part, assemble, check_labels, class_names, class_numbers, describe
from batchsel.errors import UserError, shorten

_AXES = {
    "x": ("x", "images", "image", "data", "features", "inputs"),
    "y": ("y", "labels", "label", "targets", "target"),
}
_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}
_AXIS = "|".join(itertools.chain.from_iterable(_AXES.values()))
_MEMBER = re.compile(
    rf"(?:(?P<axis>{_AXIS})(?:_?(?P<split>{'|'.join(_SPLITS)}))?|(?P<first>{'|'.join(_SPLITS)})_?(?P<last>{_AXIS}))",
    re.IGNORECASE,
)
_SMALLEST = 8
"""Side of the smallest images that numbers of other types than bytes may be."""
_FEW = 20
"""Most different whole numbers that are classes whatever they are, as in tables."""


def load_npz(name: str, path: Path, seed: int, say: Callable[[str], None]) -> Dataset:
    """Read an npz with ``x_train``, ``y_train``, ``x_test`` and ``y_test``, or with ``x`` and ``y`` alone.

    Names may also be ``X``, ``images``, ``data`` or ``features``, and ``labels`` or ``target``, before or after that of
    the split. Labels are numbers, names, or rows with one 1. Whole numbers are classes if they are few, or begin at 0
    and are fewer than half of the samples; others are values to predict.

    Args:
        name: Name of the data set.
        path: The file.
        seed: Seed of the validation split.
        say: Called with a line that says what the arrays are.

    Raises:
        UserError: If arrays are missing, of other forms, or do not fit each other.
    """
    with reading(path, "is not a whole npz file"), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        members = arrays.files
    names = _find_members(path, members)
    vocabulary = [member for member in ("vocabulary", "subwords") if member in members][:1]
    arrays = read_npz(path, [*itertools.chain(*(both.values() for both in names.values())), *vocabulary])
    parts = {split: Part(arrays[both["x"]], _flat_labels(arrays[both["y"]])) for split, both in names.items()}
    _check_parts(path, parts)
    channels_first = _has_channels_first(parts["train"].x)
    if channels_first:
        parts = {
            split: part._replace(x=np.ascontiguousarray(np.moveaxis(part.x, 1, -1))) for split, part in parts.items()
        }
    encoder: WordEncoder | PaddedSubwordEncoder | None = None
    if "vocabulary" in vocabulary:
        encoder = WordEncoder(tuple(map(str, arrays["vocabulary"])), parts["train"].x.shape[1])
    elif vocabulary:
        encoder = PaddedSubwordEncoder(SubwordEncoder(str(arrays["subwords"])), parts["train"].x.shape[1])
    classes = _find_classes(parts["train"].y)
    labels = {split: part.y.astype(str).astype(object) if classes else part.y for split, part in parts.items()}
    if classes and parts["train"].y.dtype.kind == "f":  # 1.0 is the class 1
        labels = {split: part.y.astype(np.int64).astype(str).astype(object) for split, part in parts.items()}
    kind = "texts" if encoder else f"samples of shape {'×'.join(map(str, _as_inputs(parts['train'].x).shape[1:]))}"
    kind += " (channels first in the file)" if channels_first else ""
    counts = {split: len(part.y) for split, part in parts.items()}
    say(f"{describe(counts, kind)}; {f'{len(classes)} classes' if classes else 'a number to predict'}")
    if classes:
        check_labels(np.concatenate(list(labels.values())), classes, path)
    y = {split: class_numbers(y, classes) if classes else y.astype(np.float32) for split, y in labels.items()}
    parts = {split: Part(_as_inputs(part.x), y[split]) for split, part in parts.items()}
    return assemble(name, parts, classes, seed, encoder)


def _find_members(path: Path, members: list[str]) -> dict[str, dict[str, str]]:
    """Return the members with inputs and labels of each split; "train" alone if all samples are in one part."""
    found: dict[str, dict[str, str]] = {}
    axes = {name: axis for axis, names in _AXES.items() for name in names}
    for member in members:
        if match := _MEMBER.fullmatch(member):
            axis = axes[(match["axis"] or match["last"]).lower()]
            split = _SPLITS.get((match["split"] or match["first"] or "").lower(), "")
            other = found.setdefault(split, {}).setdefault(axis, member)
            if other != member:
                raise UserError(f"{path} has {other} and {member} for one part. Save the one that counts alone.")
    whole = found.pop("", {})
    if "train" not in found and len(whole) == 2:
        return {"train": whole}
    missing = [
        f"{axis}_{split}"
        for split in ("train", *(split for split in found if split != "train"))
        for axis in "xy"
        if axis not in found.get(split, {})
    ]
    if missing:
        raise UserError(
            f"{path} has no {missing[0]}; it has {', '.join(map(shorten, members[:10])) or 'nothing'}. Expected"
            " x_train, y_train, x_test and y_test, as in the files of Keras, or x and y."
        )
    return {split: found[split] for split in SPLIT_NAMES if split in found}


def _flat_labels(y: np.ndarray) -> np.ndarray:
    """Return labels as an array of one axis, rows with one 1 as the numbers of their columns."""
    y = y.astype(np.int32) if y.dtype.kind == "b" else y
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "buif" and np.isin(y, (0, 1)).all():
        return y.argmax(axis=1) if (y.sum(axis=1) == 1).all() else y
    return y.reshape(-1) if y.ndim and y.size == len(y) else y


def _check_parts(path: Path, parts: Mapping[str, Part]) -> None:
    for split, (x, y) in parts.items():
        if x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or x.dtype.kind not in "buif" or y.dtype.kind not in "buifU":
            raise UserError(
                f"{path}: {split} is {x.dtype}{list(x.shape)} with {y.size} labels, {y.dtype}{list(y.shape)}. Expected"
                " numbers, a label for each sample."
            )
        if x.shape[1:] != parts["train"].x.shape[1:]:
            raise UserError(f"{path}: samples of {split} have another shape than those to train on.")
        if y.dtype.kind != parts["train"].y.dtype.kind:
            raise UserError(f"{shorten_path(path)}: labels of {split} have another type than those to train on.")


def _find_classes(y: np.ndarray) -> tuple[str, ...]:
    """Return the names of the classes of training labels; none if they are values."""
    if y.dtype.kind == "U":
        return class_names(y.astype(object))
    different = np.unique(y)
    if y.dtype.kind == "f" and not (np.isfinite(different).all() and (different == np.round(different)).all()):
        return ()
    low, high = int(different[0]), int(different[-1])
    if len(different) > _FEW and (y.dtype.kind == "f" or low < 0 or high >= len(y) / 2):
        return ()
    # Numbers of classes stay what they are, also where one does not occur.
    numbers = range(high + 1) if low >= 0 and high < 2 * len(different) else different.astype(np.int64).tolist()
    return tuple(map(str, numbers))


def _has_channels_first(x: np.ndarray) -> bool:
    """Return whether samples are square images of one or three channels, which come first, as PyTorch has them."""
    return x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[2] == x.shape[3] > 4


def _as_inputs(x: np.ndarray) -> np.ndarray:
    """Return images with a channel, whole pixels as bytes, and other numbers in the types that models take."""
    if _are_images(x):
        x = x if x.dtype.kind == "f" else x.astype(np.uint8)
        x = x[..., None] if x.ndim == 3 else x
    if x.dtype == np.uint8:
        return x[..., None] if x.ndim == 3 else x
    return x.astype(np.float32 if x.dtype.kind == "f" else np.int32)


def _are_images(x: np.ndarray) -> bool:
    """Return whether samples of any type are square images with pixels from 0 to 255, or to 1."""
    is_square = x.ndim in (3, 4) and x.shape[1] == x.shape[2] >= _SMALLEST and (x.ndim == 3 or x.shape[3] in (1, 3))
    return is_square and x.size > 0 and 0 <= x.min() <= x.max() <= 255
