"""Write data sets in forms that other programs read: CSV files of samples, or one npz of arrays as Keras has it.

Other programs know a training and a test split: training and validation split are written as one, in the order of the
official files. Values are those of the files, not scaled, as far as they are still known.
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
from batchsel.errors import UserError, unknown_name

FORMATS = ("csv", "npz")
_SPLITS = ("train", "test")
_BLOCK = 4096
"""Number of rows that are converted to text at once."""


def output_paths(name: str, form: str, folder: Path) -> list[Path]:
    """Return the files that a conversion writes: two CSV files, or one npz file.

    Args:
        name: Name of the data set.
        form: ``"csv"`` or ``"npz"``.
        folder: The folder that they are written to.

    Raises:
        UsageError: If the format is unknown.

    Example:
        >>> [path.name for path in output_paths("mnist", "csv", Path("."))]
        ['train.csv', 'test.csv']
    """
    if form not in FORMATS:
        raise unknown_name("format", form, FORMATS)
    return [folder / f"{split}.csv" for split in _SPLITS] if form == "csv" else [folder / f"{name}.npz"]


def convert(dataset: Dataset, form: str, folder: Path, say: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Write a data set: all files completely, or none. Existing files are replaced.

    * CSV: ``train.csv`` and ``test.csv``. Images: ``label,pixel0,pixel1,...``, the number of the class and bytes, row
      by row, the channels of a pixel side by side, as in the well-known ``mnist_train.csv``. Tables: ``label``, the
      name of the class or the value, and the features. Texts: ``label,text``.
    * npz: ``x_train``, ``y_train``, ``x_test``, ``y_test``, class numbers as labels; gray images without an axis for
      the channel, as in Keras's ``mnist.npz``. For texts, the numbers of their words, and ``vocabulary``, the words
      from number 2 on.

    Args:
        dataset: The data, in memory.
        form: ``"csv"`` or ``"npz"``.
        folder: The folder to write to; it need not exist.
        say: Called with a line before each file.

    Returns:
        The files.

    Raises:
        UsageError: If the format is unknown.
        UserError: If the data are not in memory, or the files cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from batchsel import cards, data
        >>> with TemporaryDirectory() as directory:
        ...     train, _ = convert(data.load(cards.load("datasets", "iris")), "csv", Path(directory))
        ...     train.read_text().splitlines()[1]
        '"setosa",5.1,3.5,1.4,0.2'
    """
    paths = output_paths(dataset.name, form, folder)
    if not all(isinstance(split, Split) for split in dataset.splits.values()):
        raise UserError(f"{dataset.name} is larger than memory allows, and only data in memory can be converted.")
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
            for split, path, target in zip(_SPLITS, paths, beside, strict=True):
                x, y = official_arrays(dataset, split)
                say(f"writing {path}: {len(y):,} rows")
                _write_csv(target, dataset, x, y)
    return paths


def official_arrays(dataset: Dataset, split: str, *, raw: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return an official split, in the order of the files as far as that is known.

    Args:
        dataset: The data, in memory.
        split: ``"train"``, with the rows of the validation split in their places, or ``"test"``.
        raw: Whether to return the inputs as they were before scaling and encoding.

    Returns:
        Inputs, ``[n, ...]``, and targets, ``[n]``.

    Example:
        >>> from batchsel import cards, data
        >>> x, y = official_arrays(data.load(cards.load("datasets", "iris")), "train")
        >>> x[:2].tolist(), np.bincount(y).tolist()
        ([[5.1, 3.5, 1.4, 0.2], [4.9, 3.0, 1.4, 0.2]], [40, 40, 40])
    """
    names = ("train", "validation") if split == "train" else ("test",)
    y = np.concatenate([dataset.in_memory(name).y for name in names])
    x = np.concatenate([dataset.raw_inputs(name) if raw else dataset.in_memory(name).x for name in names])
    if dataset.rows is None or split == "test":
        return x, y
    order = np.argsort(np.concatenate([dataset.rows.train, dataset.rows.validation]))
    return x[order], y[order]


def _arrays(dataset: Dataset) -> dict[str, Any]:
    arrays = {}
    for split in _SPLITS:
        x, y = official_arrays(dataset, split, raw=dataset.encoder is None)
        if x.ndim == 4:
            x, y = x[..., 0] if x.shape[-1] == 1 else x, _labels_as_bytes(y, dataset)
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    if dataset.encoder is not None:
        arrays["vocabulary"] = np.array(dataset.encoder.vocabulary, str)
    return arrays


def _labels_as_bytes(y: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return labels as bytes if they fit, as in Keras's files."""
    return y.astype(np.uint8) if 0 < len(dataset.class_names) <= 256 else y


def _write_csv(path: Path, dataset: Dataset, x: np.ndarray, y: np.ndarray) -> None:
    import pyarrow
    import pyarrow.csv

    blocks = _blocks(dataset, x, y)
    first = next(blocks)
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


def _blocks(dataset: Dataset, x: np.ndarray, y: np.ndarray) -> Iterator[Sequence[Any]]:
    """Yield the columns, some rows at a time."""
    names = np.array(dataset.class_names, object)
    for start in range(0, len(y), _BLOCK):
        rows = slice(start, start + _BLOCK)
        flat = x[rows].reshape(len(y[rows]), -1)
        label = names[y[rows]] if len(names) and x.ndim <= 2 else y[rows]
        yield [label, *np.ascontiguousarray(flat.T)]
