"""Write data sets in forms that other programs read: CSV files of samples, or one npz of arrays as Keras has it.

A validation split that was carved from the training samples is written with them, in the order of the official files;
one that has files of its own stays apart. Values are those of the files, not scaled, as far as they are still known.
`batchsel.data.user.split_files` reads these files back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.data.dataset import Dataset, Split
from batchsel.data.encoding.padded_subwords import PaddedSubwordEncoder
from batchsel.data.sources import ArraySource
from batchsel.errors import UserError, unknown_name

FORMATS = ("csv", "npz")
_FILES = {"train": "train", "validation": "valid", "test": "test"}
_BLOCK = 4096
"""Number of rows that are converted to text at once."""


def output_paths(name: str, form: str, folder: Path, splits: Sequence[str] = ("train", "test")) -> list[Path]:
    """Return the files that a conversion writes: a CSV file for each split, or one npz file.

    Args:
        name: Name of the data set.
        form: ``"csv"`` or ``"npz"``.
        folder: The folder that they are written to.
        splits: The splits that are written apart.

    Raises:
        UsageError: If the format is unknown.

    Example:
        >>> [path.name for path in output_paths("mnist", "csv", Path("."))]
        ['train.csv', 'test.csv']
    """
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    return [folder / f"{_FILES[split]}.csv" for split in splits] if form == "csv" else [folder / f"{name}.npz"]


def written_splits(dataset: Dataset) -> list[str]:
    """Return the splits that are written apart: the validation split only if it has files of its own."""
    return ["train", *(["validation"] if dataset.rows is None and len(dataset.validation) else []), "test"]


def convert(dataset: Dataset, form: str, folder: Path, say: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Write a data set: all files completely, or none. Existing files are replaced.

    * CSV: ``train.csv``, ``test.csv`` and, for an official validation split, ``valid.csv``. Images:
      ``label,pixel0,pixel1,...``, the number of the class and bytes, row by row, the channels of a pixel side by side,
      as in the well-known ``mnist_train.csv``. Tables: ``label``, the name of the class or the value, and the features.
      Texts: ``label,text``.
    * npz: ``x_train``, ``y_train``, ``x_test``, ``y_test`` (and ``x_valid``, ``y_valid``), class numbers as labels;
      gray images without an axis for the channel, as in Keras's ``mnist.npz``. For texts, the numbers of their words,
      and ``vocabulary``, the words from number 2 on.

    Args:
        dataset: The data; for npz, in memory.
        form: ``"csv"`` or ``"npz"``.
        folder: The folder to write to; it need not exist.
        say: Called with a line before each file.

    Returns:
        The files.

    Raises:
        UsageError: If the format is unknown.
        UserError: If the data do not fit into the form, or the files cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from batchsel import cards, data
        >>> with TemporaryDirectory() as directory:
        ...     train, _ = convert(data.load(cards.load("datasets", "iris")), "csv", Path(directory))
        ...     train.read_text().splitlines()[1]
        '"setosa",5.1,3.5,1.4,0.2'
    """
    splits = written_splits(dataset)
    paths = output_paths(dataset.name, form, folder, splits)
    if form == "npz" and not all(isinstance(split, Split) for split in dataset.splits.values()):
        raise UserError(f"{dataset.name} is larger than memory allows, and an npz is written at once. Take --to csv.")
    if form == "csv" and dataset.task == "language_model":
        raise UserError(f"{dataset.name}: sequences of subwords do not fit into a table; write them with --to npz.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}.") from error
    with ExitStack() as all_or_none:
        # An error is attributed to the file that was entered last: the training split, which is the large one.
        beside = [all_or_none.enter_context(atomic_write(path)) for path in reversed(paths)][::-1]
        if form == "npz":
            say(f"writing {paths[0]}")
            np.savez_compressed(beside[0], **_arrays(dataset))
        else:
            for split, path, target in zip(splits, paths, beside, strict=True):
                samples = _official(dataset, split)
                say(f"writing {path}: {len(samples):,} rows")
                _write_csv(target, dataset, samples)
    return paths


class _Samples:
    """Samples of an official split, read some at a time.

    Args:
        parts: The parts of it that are held apart.
        order: Numbers of their samples, one part after the other, in the order of the files.
    """

    def __init__(self, parts: Sequence[Any], order: np.ndarray) -> None:
        self._parts, self._order = parts, order
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return len(self._order)

    def take(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets of some rows."""
        numbers = self._order[rows]
        owners = np.searchsorted(self._ends, numbers, side="right")
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            start = self._ends[owner - 1] if owner else 0
            x, y = self._parts[owner].take(numbers[places] - start)[:2]
            found.append((places, x, y))
        places, x, y = (np.concatenate(column) for column in zip(*found, strict=True))
        back = np.argsort(places)
        return x[back], y[back]


def _official(dataset: Dataset, split: str) -> _Samples:
    """Return an official split, whose samples need not lie in memory."""
    if all(isinstance(part, Split) for part in dataset.splits.values()):
        x, y = official_arrays(dataset, split)
        return _Samples([ArraySource(x, y)], np.arange(len(y)))
    parts = [_as_source(dataset.splits[name]) for name in _names(dataset, split)]
    order = _order(dataset, split)
    return _Samples(parts, np.arange(sum(map(len, parts))) if order is None else order)


def _order(dataset: Dataset, split: str) -> np.ndarray | None:
    """Return the order of an official split in its file, among the samples of the splits that it holds, if known."""
    if dataset.rows is None or split != "train":
        return None
    return np.argsort(np.concatenate([dataset.rows.train, dataset.rows.validation]))


def _as_source(part: Any) -> Any:
    return ArraySource(part.x, part.y) if isinstance(part, Split) else part


def _names(dataset: Dataset, split: str) -> list[str]:
    """Return the splits that an official one holds."""
    return ["train", "validation"] if split == "train" and "validation" not in written_splits(dataset) else [split]


def official_arrays(dataset: Dataset, split: str, *, raw: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return an official split, in the order of the files as far as that is known.

    Args:
        dataset: The data, in memory.
        split: ``"train"``, with the rows of a validation split that was carved from it in their places,
            ``"validation"`` or ``"test"``.
        raw: Whether to return the inputs as they were before scaling and encoding.

    Returns:
        Inputs, ``[n, ...]``, and targets, ``[n]``.

    Example:
        >>> from batchsel import cards, data
        >>> x, y = official_arrays(data.load(cards.load("datasets", "iris")), "train")
        >>> x[:2].tolist(), np.bincount(y).tolist()
        ([[5.1, 3.5, 1.4, 0.2], [4.9, 3.0, 1.4, 0.2]], [40, 40, 40])
    """
    names = _names(dataset, split)
    y = np.concatenate([dataset.in_memory(name).y for name in names])
    x = np.concatenate([dataset.raw_inputs(name) if raw else dataset.in_memory(name).x for name in names])
    order = _order(dataset, split)
    return (x, y) if order is None else (x[order], y[order])


def _arrays(dataset: Dataset) -> dict[str, Any]:
    arrays = {}
    for split in written_splits(dataset):
        x, y = official_arrays(dataset, split, raw=dataset.encoder is None)
        if x.ndim == 4:
            x, y = x[..., 0] if x.shape[-1] == 1 else x, _labels_as_bytes(y, dataset)
        arrays |= {f"x_{_FILES[split]}": x, f"y_{_FILES[split]}": y}
    if isinstance(dataset.encoder, PaddedSubwordEncoder):
        arrays["subwords"] = np.array(dataset.encoder.serialize())
    elif dataset.encoder is not None:
        arrays["vocabulary"] = np.array(dataset.encoder.vocabulary, str)
    return arrays


def _labels_as_bytes(y: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return labels as bytes if they fit, as in Keras's files."""
    return y.astype(np.uint8) if 0 < len(dataset.class_names) <= 256 else y


def _write_csv(path: Path, dataset: Dataset, samples: _Samples) -> None:
    import pyarrow
    import pyarrow.csv

    blocks = _blocks(dataset, samples)
    first = next(blocks)
    x, _ = samples.take(slice(0, 1))
    header = io.StringIO(newline="")
    csv.writer(header, lineterminator="\n").writerow(_header(dataset, x))
    columns = [pyarrow.array(column) for column in first]
    schema = pyarrow.schema([(str(index), column.type) for index, column in enumerate(columns)])
    options = pyarrow.csv.WriteOptions(include_header=False)
    with open(path, "wb") as file:
        file.write(header.getvalue().encode())
        with pyarrow.csv.CSVWriter(file, schema, write_options=options) as writer:
            writer.write_batch(pyarrow.record_batch(columns, schema))
            for block in blocks:
                writer.write_batch(pyarrow.record_batch([pyarrow.array(column) for column in block], schema))


def _header(dataset: Dataset, x: np.ndarray) -> list[str]:
    if x.dtype == object:
        return ["label", "text"]
    width = int(np.prod(x.shape[1:]))
    if x.ndim > 2:
        return ["label", *(f"pixel{index}" for index in range(width))]
    names = list(dataset.feature_names) or [f"feature{index}" for index in range(width)]
    if len({"label", *names}) <= width:
        raise UserError(f"{dataset.name}: the features {', '.join(names)} need distinct names other than 'label'.")
    return ["label", *names]


def _blocks(dataset: Dataset, samples: _Samples) -> Iterator[Sequence[Any]]:
    """Yield the columns, some rows at a time."""
    names = np.array(dataset.class_names, object)
    for start in range(0, len(samples), _BLOCK):
        x, y = samples.take(slice(start, start + _BLOCK))
        flat = x.reshape(len(y), -1)
        label = names[y] if len(names) and x.ndim <= 2 else y
        yield [label, *np.ascontiguousarray(flat.T)]
