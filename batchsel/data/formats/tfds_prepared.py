"""Read image sets that TensorFlow Datasets prepared on disk, and restore their official order.

Preparing shuffles: samples are written in the order of the MD5 of split name and key, and the key of the MNIST family
is the official row number. Sorting the same hashes undoes the order, so a split by seed is the same from these files as
from the official ones.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.reading import check_is_file, reading
from batchsel.data.sources import SequenceSource

_SIGN = "dataset_info.json"


def find_prepared(name: str, folder: Path) -> Path | None:
    """Return the folder of the newest prepared version, ``<version>/`` or ``<name>/<version>/``, or None.

    Args:
        name: Name of the data set.
        folder: Where to look.

    Example:
        >>> find_prepared("mnist", Path("/nowhere"))
    """
    signs = [*folder.glob(f"*/{_SIGN}"), *folder.glob(f"{name}/*/{_SIGN}")]
    return max((sign.parent for sign in signs), key=lambda path: _version(path.name), default=None)


def read_prepared(folder: Path) -> dict[str, np.ndarray]:
    """Read the splits ``train`` and ``test`` with the features ``image`` and ``label``.

    Args:
        folder: Folder of one version.

    Returns:
        The arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test`` in official order.

    Raises:
        UserError: If the files are damaged, or have other splits or features.

    Example:
        >>> read_prepared(Path("/nowhere/3.0.1"))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cannot read /nowhere/3.0.1: No such file or directory. Check ...
    """
    import tensorflow_datasets as tfds

    arrays = {}
    failed = (
        "cannot be read as files prepared by TensorFlow Datasets with the splits train and test and the features image"
        " and label"
    )
    with reading(folder, failed, "Prepare it again."):
        for path in folder.iterdir():
            check_is_file(path)
        builder = tfds.builder_from_directory(str(folder))
        for split in ("train", "test"):
            x, y = _read_split(builder, split)
            order = slice(None) if builder.info.disable_shuffling else _official_order(split, len(y))
            arrays |= {f"x_{split}": x[order], f"y_{split}": y[order]}
    return arrays


def _read_split(builder: Any, split: str) -> tuple[np.ndarray, ...]:
    import tensorflow_datasets as tfds

    if builder.info.file_format in tfds.core.FileFormat.with_random_access():
        source = SequenceSource(builder.as_data_source(split), ("image", "label"))
        return source.take(np.arange(len(source)))
    # One file after the other, because interleaving them would mix their order.
    in_order = tfds.ReadConfig(interleave_cycle_length=1)
    samples: Any = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False, read_config=in_order)
    return samples["image"].numpy(), samples["label"].numpy()


def _official_order(split: str, count: int) -> np.ndarray:
    keys = [hashlib.md5(f"{split}{row}".encode(), usedforsecurity=False).digest() for row in range(count)]
    written = sorted(range(count), key=keys.__getitem__)
    return np.argsort(written)


def _version(name: str) -> tuple[int, ...]:
    numbers = name.split(".")
    return tuple(map(int, numbers)) if all(number.isdigit() for number in numbers) else ()
