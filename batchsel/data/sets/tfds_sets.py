"""Classification sets of TensorFlow Datasets by name: ``tfds:cifar10``, prepared on disk or downloaded by it.

Samples come from its random-access `data_source`: into memory where they fit, else one by one as they are asked for.
Sets that were prepared in a format without random access (TFRecord) are read whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.data.builders.image_files import fitted
from batchsel.data.dataset import Dataset, held_rows
from batchsel.data.sets.labelled_texts import Texts, encoded
from batchsel.data.sources import ArraySource, SequenceSource, Source
from batchsel.data.splits import rows_of_parts
from batchsel.errors import UsageError, UserError

PREFIX = "tfds:"
_SHARES = (0.1, 0.2)
"""Validation and test part, where the set has none."""
_WORDS, _LENGTH = 20_000, 100
_BLOCK = 1024
_NAMES = ("id", "idx", "index", "key", "file_name", "filename", "image/filename")
"""Features that only tell samples apart."""
_FORM = re.compile(rf"^{PREFIX}(?P<name>.+?)(?::size=(?P<size>[1-9]\d*))?$")
_SIDE = 64
"""Height and width that pictures of several sizes are brought to, unless told otherwise."""


class _Held(NamedTuple):
    """A split as it was found."""

    source: Source | None
    labels: np.ndarray
    texts: np.ndarray | None


def is_tfds(name: str) -> bool:
    """Whether the name of a data set is one of TensorFlow Datasets.

    Args:
        name: As in ``"tfds:cifar10"`` or ``"tfds:imagenet_resized/32x32:0.1.0"``.

    Example:
        >>> is_tfds("tfds:cifar10"), is_tfds("cifar10")
        (True, False)
    """
    return name.startswith(PREFIX)


def load_tfds(name: str, seed: int = 0, folder: str | os.PathLike[str] | None = None, offline: bool = False) -> Dataset:
    """A classification set, split.

    Official validation and test splits are kept. If there is only one beside the training split, it is the test part;
    what is missing is carved from the training split, each class by its share: a tenth for validation, a fifth for the
    test.

    Args:
        name: ``tfds:NAME``, with configuration and version as TensorFlow Datasets writes them, and at the end
            ``:size=96`` for pictures to be brought to 96 by 96 pixels.
        seed: Chooses what is carved for validation.
        folder: Folder with prepared sets below it, ``tensorflow_datasets`` in it, or None for the usual places.
        offline: Whether downloads are forbidden.

    Returns:
        The data set: pictures (``uint8[n, height, width, channels]``; those of several sizes brought to 64 by 64),
        numbers, or texts as ``int32[n, 100]`` words.

    Raises:
        UserError: If the set is unknown, is no classification, cannot be had, or has numbers of several shapes.

    Example:
        >>> load_tfds("tfds:no_such_set", offline=True)
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: TensorFlow Datasets knows no set 'no_such_set'. ...
    """
    form = _FORM.match(name)
    builder = _builder(form["name"], folder, offline)
    keys = _keys(builder)
    shape = _shape(builder, keys[0], form["size"])
    found = {part: _read(builder, split, keys, shape) for part, split in _splits(builder).items()}
    if (found.get("test", found["train"]).labels < 0).all():
        # Competitions keep the labels of their test part to themselves.
        found = {"train": found["train"]} | ({"test": found["validation"]} if "validation" in found else {})
    held_out = (max(1, round(share * len(found["train"].labels))) for share in _SHARES)
    rows, split = rows_of_parts({part: held.labels for part, held in found.items()}, *held_out, seed)
    class_names = tuple(map(str, builder.info.features[keys[1]].names))
    if found["train"].texts is not None:
        parts = {part: Texts(found[own].texts[some], found[own].labels[some]) for part, (own, some) in rows.items()}
        arrays, encoder = encoded(parts, _WORDS, _LENGTH)
        return Dataset(name, "classification", **arrays, class_names=class_names, split=split, encoder=encoder)
    held = {part: held_rows(found[own].source, some) for part, (own, some) in rows.items()}
    return Dataset(name, "classification", **held, class_names=class_names, split=split)


def _builder(name: str, folder: str | os.PathLike[str] | None, offline: bool) -> Any:
    import tensorflow_datasets as tfds

    root = folder or os.environ.get("BATCHSEL_DATA")
    places = [Path(root).expanduser() / "tensorflow_datasets", Path(root).expanduser()] if root else []
    for place in (*places, None):
        try:
            builder = tfds.builder(name, data_dir=place, try_gcs=False)
        except tfds.core.DatasetNotFoundError:
            continue
        except (ValueError, AssertionError, RuntimeError) as error:
            raise UsageError(f"TensorFlow Datasets cannot make {name!r}: {error}") from error
        if builder.info.splits or place is None:
            break
    else:
        raise UsageError(
            f"TensorFlow Datasets knows no set {name!r}. Its names: https://www.tensorflow.org/datasets/catalog."
        )
    if builder.info.splits:
        return builder
    if offline:
        raise UserError(f"{name} is not prepared in {builder.data_dir}, and offline nothing is downloaded.")
    try:
        place = places[0] if places else None
        builder = tfds.builder(name, data_dir=place, file_format="array_record", try_gcs=False)
        builder.download_and_prepare()
    except Exception as error:  # whatever the network, the disk and the code of the set may raise
        raise UserError(
            f"TensorFlow Datasets could not prepare {name}: {type(error).__name__}: {str(error)[:300]}"
        ) from error
    return builder


def _keys(builder: Any) -> tuple[str, str]:
    """The features that are input and label."""
    import tensorflow_datasets as tfds

    keys = builder.info.supervised_keys
    label = keys[1] if keys and len(keys) == 2 and isinstance(keys[1], str) else "label"
    features = builder.info.features
    if label not in features or not isinstance(features[label], tfds.features.ClassLabel):
        raise UserError(f"{builder.info.full_name} is no classification: it has no class label as its target.")
    others = [key for key in features if key not in (label, *_NAMES)]
    inputs = keys[0] if keys else others[0] if len(others) == 1 else tuple(others)
    if not isinstance(inputs, str):
        raise UserError(
            f"{builder.info.full_name} has the features {', '.join(features)}, and it is not clear which is the input."
            " Give it as a function of yours: --dataset ./mine.py:load."
        )
    return inputs, label


def _shape(builder: Any, inputs: str, size: str | None) -> tuple[int, int, int] | None:
    """The shape that pictures are to be brought to; None where they may stay as they are."""
    import tensorflow_datasets as tfds

    feature = builder.info.features[inputs]
    if isinstance(feature, tfds.features.Image) and (size or None in feature.shape):
        side = int(size) if size else _SIDE
        return side, side, 1 if feature.shape[-1] == 1 else 3
    if size:
        raise UserError(f"{builder.info.full_name} has no pictures; leave :size={size} out.")
    if None in feature.shape:
        raise UserError(f"{builder.info.full_name} has inputs of several shapes ({feature.shape}). Expected one.")
    return None


def _splits(builder: Any) -> dict[str, str]:
    there = set(builder.info.splits)
    if "train" not in there:
        raise UserError(f"{builder.info.full_name} has the splits {', '.join(sorted(there))}; expected train.")
    found = {"train": "train"}
    if "test" in there:
        found |= {"test": "test"} | ({"validation": "validation"} if "validation" in there else {})
    elif "validation" in there:
        found["test"] = "validation"
    return found


def _read(builder: Any, split: str, keys: tuple[str, str], shape: tuple[int, int, int] | None) -> _Held:
    import tensorflow_datasets as tfds

    inputs, label = keys
    told = isinstance(builder.info.features[inputs], tfds.features.Text)
    if builder.info.file_format not in tfds.core.FileFormat.with_random_access():
        x, y = zip(*_in_order(builder, split, keys, shape), strict=True)
        labels = np.array(y, np.int32)
        if told:
            return _Held(None, labels, np.array([text.decode("utf-8") for text in x], object))
        return _Held(ArraySource(np.stack(x), labels), labels, None)
    records = builder.as_data_source(split)
    if told:
        pairs = [(record[inputs].decode("utf-8"), record[label]) for record in _all(records)]
        return _Held(None, np.array([y for _, y in pairs], np.int32), np.array([text for text, _ in pairs], object))
    bare = builder.as_data_source(split, decoders={inputs: tfds.decode.SkipDecoding()})
    labels = np.array([record[label] for record in _all(bare)], np.int32)
    return _Held(SequenceSource(_Fitted(records, keys, shape) if shape else records, keys), labels, None)


def _in_order(
    builder: Any, split: str, keys: tuple[str, str], shape: tuple[int, int, int] | None
) -> Iterable[tuple[Any, Any]]:
    """The samples of a format without random access, in the order of the files."""
    import tensorflow_datasets as tfds

    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    samples = builder.as_dataset(split=split, shuffle_files=False, read_config=in_order)
    for sample in tfds.as_numpy(samples):
        x = sample[keys[0]]
        yield (fitted(x, shape) if shape else x), sample[keys[1]]


def _all(records: Any) -> Iterable[Any]:
    for first in range(0, len(records), _BLOCK):
        yield from records.__getitems__(list(range(first, min(first + _BLOCK, len(records)))))


class _Fitted:
    """Records whose pictures are brought to one shape as they are read."""

    def __init__(self, records: Any, keys: tuple[str, str], shape: tuple[int, int, int]) -> None:
        self._records, self._keys, self._shape = records, keys, shape

    def __len__(self) -> int:
        return len(self._records)

    def __getitems__(self, numbers: list[int]) -> list[tuple[np.ndarray, Any]]:
        inputs, label = self._keys
        return [(fitted(record[inputs], self._shape), record[label]) for record in self._records.__getitems__(numbers)]
