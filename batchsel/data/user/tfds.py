"""Classification sets of TensorFlow Datasets by name: ``tfds:cifar10``, prepared on disk or downloaded by it.

Samples come from its random-access `data_source`: into memory if they fit, else on access. Sets that were prepared in
a format without random access (TFRecord) are read into memory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.reading import describe, reading
from batchsel.data.builders.image_files import fit_image
from batchsel.data.builders.texts import Texts, encode_texts, learn_encoder
from batchsel.data.dataset import Dataset, load_if_small
from batchsel.data.sources import ArraySource, SequenceSource
from batchsel.data.splits import assign_rows
from batchsel.errors import UsageError, UserError

PREFIX = "tfds:"
_VALIDATION_SHARE, _TEST_SHARE = 0.1, 0.2
_WORDS, _LENGTH = 20_000, 100
_BLOCK = 1024
_IDENTIFIERS = ("id", "idx", "index", "key", "file_name", "filename", "image/filename")
"""Features that only identify samples."""
_FORM = re.compile(rf"^{PREFIX}(?P<name>.+?)(?::size=(?P<size>[1-9]\d*))?$")
_FAILED, _REMEDY = "cannot be read as files prepared by TensorFlow Datasets", "Prepare it again."
_SIDE = 64
"""Height and width that images of several sizes are scaled to by default."""

Shape = tuple[int, int, int]


class _OfficialSplit(NamedTuple):
    """Official split: a source of the samples, or their texts, ``object[n]``; and their labels."""

    samples: Any
    labels: np.ndarray


class _Features(NamedTuple):
    """Features to read, and the shape that images are brought to; None to keep theirs."""

    inputs: str
    label: str
    shape: Shape | None
    is_text: bool

    @property
    def keys(self) -> tuple[str, str]:
        return self.inputs, self.label


def is_tfds(name: str) -> bool:
    """Return whether the name of a data set is one of TensorFlow Datasets.

    Args:
        name: As in ``"tfds:cifar10"`` or ``"tfds:imagenet_resized/32x32:0.1.0"``.

    Example:
        >>> is_tfds("tfds:cifar10"), is_tfds("cifar10")
        (True, False)
    """
    return name.startswith(PREFIX)


def load_tfds(name: str, seed: int = 0, folder: str | os.PathLike[str] | None = None, offline: bool = False) -> Dataset:
    """Load a classification set and split it.

    Official validation and test splits are kept. If there is only one of them, it is the test split. Missing splits
    are carved from the training split, stratified by class: a tenth for validation, a fifth for the test.

    Args:
        name: ``tfds:NAME``, with configuration and version as TensorFlow Datasets writes them, optionally followed by
            ``:size=96`` to scale images to 96 by 96 pixels.
        seed: Seed of the validation split.
        folder: Folder that contains prepared sets, or ``tensorflow_datasets`` with them; None for the usual places.
        offline: Whether downloads are forbidden.

    Returns:
        The data set: images (``uint8[n, height, width, channels]``; those of several sizes scaled to 64 by 64),
        numbers, or texts as ``int32[n, 100]`` words.

    Raises:
        UserError: If the set is unknown, is not a classification, is not available, or has inputs of several shapes.

    Example:
        >>> load_tfds("tfds:no_such_set", offline=True)
        Traceback (most recent call last):
        ...
        batchsel.errors.UsageError: TensorFlow Datasets has no set 'no_such_set'. ...
    """
    match = _FORM.match(name)
    if match is None:
        raise UsageError(f"{name!r} does not name a set of TensorFlow Datasets. Expected {PREFIX}NAME.")
    builder = _find_builder(match["name"], folder, offline)
    with reading(builder.data_dir, _FAILED, _REMEDY):
        features = _choose_features(builder, match["size"])
        official = _read_splits(builder, features)
    count = len(official["train"].labels)
    validation, test = (max(1, round(share * count)) for share in (_VALIDATION_SHARE, _TEST_SHARE))
    rows, fingerprint = assign_rows({split: held.labels for split, held in official.items()}, validation, test, seed)
    encoder = None
    if features.is_text:
        texts = {split: Texts(*official[origin]).select(chosen) for split, (origin, chosen) in rows.items()}
        encoder = learn_encoder(texts["train"].texts, _WORDS, _LENGTH)
        splits = encode_texts(texts, encoder)
    else:
        with reading(builder.data_dir, _FAILED, _REMEDY):
            splits = {
                split: load_if_small(official[origin].samples, chosen) for split, (origin, chosen) in rows.items()
            }
    class_names = tuple(map(str, builder.info.features[features.label].names))
    return Dataset(
        name,
        "classification",
        splits["train"],
        splits["validation"],
        splits["test"],
        class_names=class_names,
        split_fingerprint=fingerprint,
        encoder=encoder,
    )


def _find_builder(name: str, folder: str | os.PathLike[str] | None, offline: bool) -> Any:
    """Return the builder of a prepared set; prepare it if need be."""
    import tensorflow_datasets as tfds

    root = folder or os.environ.get("BATCHSEL_DATA")
    data_dirs = [Path(root).expanduser() / "tensorflow_datasets", Path(root).expanduser()] if root else []
    builder: Any = None
    for data_dir in (*data_dirs, None):
        try:
            builder = tfds.builder(name, data_dir=data_dir, try_gcs=False)
        except tfds.core.DatasetNotFoundError:
            continue
        except Exception as error:  # unknown configurations, and whatever damaged descriptions cause
            raise UsageError(f"TensorFlow Datasets cannot make {name!r}: {describe(error)}") from error
        if builder.info.splits or data_dir is None:
            break
    else:
        raise UsageError(
            f"TensorFlow Datasets has no set {name!r}. Its names: https://www.tensorflow.org/datasets/catalog."
        )
    if builder.info.splits:
        return builder
    if offline:
        raise UserError(f"{name} is not prepared in {builder.data_dir}, and --offline forbids downloading it.")
    return _prepare(name, data_dirs[0] if data_dirs else None)


def _prepare(name: str, data_dir: Path | None) -> Any:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir, file_format="array_record", try_gcs=False)
        builder.download_and_prepare()
    except Exception as error:  # whatever the network, the disk and the code of the set may raise
        raise UserError(
            f"TensorFlow Datasets could not prepare {name}: {type(error).__name__}: {str(error)[:300]}"
        ) from error
    return builder


def _choose_features(builder: Any, size: str | None) -> _Features:
    import tensorflow_datasets as tfds

    keys, features = builder.info.supervised_keys, builder.info.features
    label = keys[1] if keys and len(keys) == 2 and isinstance(keys[1], str) else "label"
    if label not in features or not isinstance(features[label], tfds.features.ClassLabel):
        raise UserError(f"{builder.info.full_name} is not a classification: its target is not a class label.")
    others = [key for key in features if key not in (label, *_IDENTIFIERS)]
    inputs = keys[0] if keys else others[0] if len(others) == 1 else tuple(others)
    if not isinstance(inputs, str):
        raise UserError(
            f"{builder.info.full_name} has the features {', '.join(features)}, and it is not clear which is the input."
            " Write a function that loads it: --dataset ./mine.py:load."
        )
    shape = _choose_shape(builder, inputs, size)
    return _Features(inputs, label, shape, isinstance(features[inputs], tfds.features.Text))


def _choose_shape(builder: Any, inputs: str, size: str | None) -> Shape | None:
    """Return the shape that images are to be brought to; None if they may keep theirs."""
    import tensorflow_datasets as tfds

    feature = builder.info.features[inputs]
    shape: Any = feature.shape
    if isinstance(feature, tfds.features.Image) and (size or None in shape):
        side = int(size) if size else _SIDE
        return side, side, 1 if shape[-1] == 1 else 3
    if size:
        raise UserError(f"{builder.info.full_name} has no images; leave :size={size} out.")
    if None in shape:
        raise UserError(f"{builder.info.full_name} has inputs of several shapes ({shape}). Expected one.")
    return None


def _read_splits(builder: Any, features: _Features) -> dict[str, _OfficialSplit]:
    there = set(builder.info.splits)
    if "train" not in there:
        raise UserError(f"{builder.info.full_name} has the splits {', '.join(sorted(there))}; expected train.")
    names = {"train": "train"}
    if "test" in there:
        names |= {"test": "test"} | ({"validation": "validation"} if "validation" in there else {})
    elif "validation" in there:
        names["test"] = "validation"
    read = _read_texts if features.is_text else _read_samples
    splits = {split: read(builder, name, features) for split, name in names.items()}
    if (splits.get("test", splits["train"]).labels < 0).all():
        # Competitions do not publish the labels of their test split.
        validation = {"test": splits["validation"]} if "validation" in splits else {}
        splits = {"train": splits["train"], **validation}
    return splits


def _read_texts(builder: Any, split: str, features: _Features) -> _OfficialSplit:
    if _has_random_access(builder):
        records = _iterate(builder.as_data_source(split))
        pairs = [(record[features.inputs], record[features.label]) for record in records]
    else:
        pairs = list(_iterate_in_order(builder, split, features))
    texts = np.array([text.decode("utf-8") for text, _ in pairs], object)
    return _OfficialSplit(texts, np.array([label for _, label in pairs], np.int32))


def _read_samples(builder: Any, split: str, features: _Features) -> _OfficialSplit:
    import tensorflow_datasets as tfds

    if not _has_random_access(builder):
        x, y = zip(*_iterate_in_order(builder, split, features), strict=True)
        labels = np.array(y, np.int32)
        return _OfficialSplit(ArraySource(np.stack(x), labels), labels)
    records = builder.as_data_source(split)
    undecoded = builder.as_data_source(split, decoders={features.inputs: tfds.decode.SkipDecoding()})
    labels = np.array([record[features.label] for record in _iterate(undecoded)], np.int32)
    if features.shape:
        records = _FittedImages(records, features.keys, features.shape)
    return _OfficialSplit(SequenceSource(records, features.keys), labels)


def _has_random_access(builder: Any) -> bool:
    import tensorflow_datasets as tfds

    return builder.info.file_format in tfds.core.FileFormat.with_random_access()


def _iterate_in_order(builder: Any, split: str, features: _Features) -> Iterable[tuple[Any, Any]]:
    """Yield the samples of a format without random access, in the order of the files."""
    import tensorflow_datasets as tfds

    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    samples = builder.as_dataset(split=split, shuffle_files=False, read_config=in_order)
    for sample in tfds.as_numpy(samples):
        x = sample[features.inputs]
        yield (fit_image(x, features.shape) if features.shape else x), sample[features.label]


def _iterate(records: Any) -> Iterable[Any]:
    for first in range(0, len(records), _BLOCK):
        yield from records.__getitems__(list(range(first, min(first + _BLOCK, len(records)))))


class _FittedImages:
    """Records whose images are brought to one shape when they are read."""

    def __init__(self, records: Any, keys: tuple[str, str], shape: Shape) -> None:
        self._records, self._keys, self._shape = records, keys, shape

    def __len__(self) -> int:
        return len(self._records)

    def __getitems__(self, numbers: list[int]) -> list[dict[str, Any]]:
        inputs, label = self._keys
        records = self._records.__getitems__(numbers)
        return [{inputs: fit_image(record[inputs], self._shape), label: record[label]} for record in records]
