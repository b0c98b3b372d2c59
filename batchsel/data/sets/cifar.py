"""CIFAR-10 and CIFAR-100 in their official forms, and CIFAR-10 as JPEG streams.

The official archives are read in place, member by member; nothing is unpacked, so no path in them can lead anywhere.
The pickles of the Python form are read by an unpickler that knows arrays and nothing else.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.data.builders.image_arrays import Container, load_images
from batchsel.data.dataset import Dataset
from batchsel.data.download.fetch import DataFolder
from batchsel.data.download.hashing import check_content
from batchsel.data.formats.jpeg import decoded
from batchsel.data.variants.corruption import tail_sizes
from batchsel.errors import UserError

_SHAPE = (32, 32, 3)
_FILES = {
    10: {"train": [f"data_batch_{number}" for number in range(1, 6)], "test": ["test_batch"]},
    100: {"train": ["train"], "test": ["test"]},
}
_HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


def load(card: Any, seed: int, folder: DataFolder) -> Dataset:
    """Loads CIFAR from an official archive or the folder in it, binary or Python, or from JPEG streams.

    Args:
        card: The card; its class names say whether it is CIFAR-10 or CIFAR-100. The option ``imbalance`` leaves an
            exponential share of each class: ⌊n r^(−c / (C − 1))⌋ images of class c, the first in the official order.
        seed: Chooses the validation part among the training images.
        folder: Where the files lie or will be downloaded to.

    Returns:
        The data set: ``uint8[n, 32, 32, 3]`` images, ``int32[n]`` labels.

    Raises:
        UserError: If the files are missing, damaged or not CIFAR.

    Example:
        >>> from batchsel import cards
        >>> load(cards.load("datasets", "cifar10"), 0, DataFolder(Path("/nowhere"), offline=True))
        Traceback (most recent call last):
        ...
        batchsel.errors.UserError: cifar10 is not in /nowhere. Expected cifar-10-binary.tar.gz, ...
    """
    name = f"cifar-{_classes(card)}"
    expected = f"{name}-binary.tar.gz, {name}-python.tar.gz, or the folder of either"
    return load_images(card, seed, folder, _container, expected)


def find(card: Any, folder: DataFolder) -> str | None:
    """What of the data is in the folder already.

    Args:
        card: The card.
        folder: The folder.

    Returns:
        The form of the files; None if there are none.

    Example:
        >>> from batchsel import cards
        >>> find(cards.load("datasets", "cifar10"), DataFolder(Path("/nowhere")))
    """
    container = _container(card, folder)
    return container and container.form


def long_tailed(labels: np.ndarray, ratio: float) -> np.ndarray:
    """Rows of a training part whose classes shrink exponentially.

    Args:
        labels: ``int[n]``, classes of equal size.
        ratio: Size of the first class over that of the last.

    Returns:
        Row numbers, sorted: ⌊m ratio^(−c / (C − 1))⌋ rows of class c, the first ones, where m is the size of a class.

    Example:
        >>> len(long_tailed(np.repeat(np.arange(100), 500), 100.0))
        10847
    """
    counts = np.bincount(labels)
    sizes = tail_sizes(int(counts[0]), len(counts), ratio)
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:size] for c, size in enumerate(sizes)]))


def _classes(card: Any) -> int:
    return len(card.class_names)


def _container(card: Any, folder: DataFolder) -> Container | None:
    classes = _classes(card)
    for form, ending, inner, read in (
        ("binary", "bin", ".bin", _records),
        ("Python", "py", "", _pickled),
    ):
        unpacked = folder.file(f"cifar-10-batches-{ending}" if classes == 10 else f"cifar-100-{form.lower()}")
        archive = folder.file(f"cifar-{classes}-{form.lower()}.tar.gz")
        names = {part: [name + inner for name in files] for part, files in _FILES[classes].items()}
        every = [name for files in names.values() for name in files]
        if all((unpacked / name).is_file() for name in every):
            return _official(f"{form} files", names, _of_folder(unpacked), read, card)
        if archive.is_file():
            return _official(f"{form} archive", names, _of_archive(archive, every), read, card)
    npz = folder.file(f"{card.folder}_jpeg.npz")
    return Container("JPEG streams, lossy", lambda: _jpeg(npz, card)) if npz.is_file() else None


Contents = Callable[[], dict[str, bytes]]
Reader = Callable[[bytes, int, str], tuple[np.ndarray, np.ndarray]]


def _official(form: str, names: dict[str, list[str]], contents: Contents, read: Reader, card: Any) -> Container:
    def arrays() -> dict[str, np.ndarray]:
        raw, found = contents(), {}
        for part, files in names.items():
            pieces = [read(raw[name], _classes(card), f"{card.name}, {name}") for name in files]
            found[f"x_{part}"], found[f"y_{part}"] = (np.concatenate(values) for values in zip(*pieces, strict=True))
        return _thinned(found, card)

    return Container(form, arrays)


def _thinned(arrays: dict[str, np.ndarray], card: Any) -> dict[str, np.ndarray]:
    ratio = card.options.get("imbalance")
    if ratio:
        rows = long_tailed(arrays["y_train"], ratio)
        arrays |= {name: arrays[name][rows] for name in ("x_train", "y_train")}
    return arrays


def _of_folder(folder: Path) -> Contents:
    return lambda: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _of_archive(path: Path, wanted: Iterable[str]) -> Contents:
    def contents() -> dict[str, bytes]:
        found = {}
        try:
            with tarfile.open(path, "r:gz") as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in wanted and member.isfile():
                        found[name] = archive.extractfile(member).read()
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise UserError(f"{path} is damaged or cut short ({error}). Delete it and get it anew.") from error
        missing = sorted(set(wanted) - set(found))
        if missing:
            raise UserError(f"{path} holds no {', '.join(missing)}. Get the official archive.")
        return found

    return contents


def _records(raw: bytes, classes: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The binary form: a label (of CIFAR-100 a coarse one and a fine one), then all of red, green and blue."""
    labels = 1 if classes == 10 else 2
    width = labels + int(np.prod(_SHAPE))
    if not raw or len(raw) % width:
        raise UserError(f"{where}: {len(raw)} bytes are no whole number of records of {width}. Get the file anew.")
    table = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return _pictures(table[:, labels:]), table[:, labels - 1]


def _pickled(raw: bytes, classes: int, where: str) -> tuple[np.ndarray, np.ndarray]:
    """The Python form: a dictionary with an array of pictures and a list of labels."""
    try:
        held = _Arrays(io.BytesIO(raw), encoding="bytes").load()
        labels = np.array(held[b"labels" if classes == 10 else b"fine_labels"], np.uint8)
        return _pictures(np.asarray(held[b"data"], np.uint8)), labels
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise UserError(f"{where}: no batch of CIFAR in Python form ({error}). Get the file anew.") from error


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return super().find_class(module, name)


def _pictures(rows: np.ndarray) -> np.ndarray:
    channels_first = rows.reshape(-1, _SHAPE[2], _SHAPE[0], _SHAPE[1])
    return np.ascontiguousarray(channels_first.transpose(0, 2, 3, 1))


def _jpeg(path: Path, card: Any) -> dict[str, np.ndarray]:
    arrays = {}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            names = ("jpeg", "offsets", "y")
            parts = {part: [held[f"{name}_{part}"] for name in names] for part in ("train", "test")}
    except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a whole npz file of JPEG streams: {error}. Get it anew.") from error
    check_content(
        {f"jpeg_{part}": streams for part, (streams, *_) in parts.items()},
        card.content,
        where=str(path),
        remedy="Get the file that the card describes.",
    )
    for part, (streams, offsets, labels) in parts.items():
        arrays[f"x_{part}"] = decoded(streams, offsets, _SHAPE, f"{path}, {part} part")
        arrays[f"y_{part}"] = labels
    return _thinned(arrays, card)
