"""Batches that come in an order of their own (generators, tf.data, PyDataset), cached once for random access."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from batchsel.core.filesystem.byte_sizes import format_bytes
from batchsel.core.sources.column_file import MEMORY_LIMIT, Column
from batchsel.core.sources.leaves import as_array, is_kind
from batchsel.core.sources.nests import map_leaves, map_rows
from batchsel.core.sources.source import ArraySource, Columns, pick
from batchsel.errors import UsageError, UserError

ENDLESS_BATCHES, ENDLESS_BYTES = 1 << 16, 1 << 32
"""Batches and bytes after which an iterator of unknown length is taken for an endless one."""


class BatchesSource(ArraySource):
    """Samples of batches that were cached.

    Args:
        x: Inputs, first axis n.
        y: Targets, likewise.
        sample_weight: Weights, or None.
        batch_size: Samples of the first batch.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int) -> None:
        super().__init__(x, y, sample_weight)
        self.x, self.y, self.sample_weight = x, y, sample_weight
        self.batch_size = batch_size

    @property
    def in_memory(self) -> bool:
        """True if nothing lies on disk."""
        return self._in_memory


class _Batches(NamedTuple):
    """Batches to be cached."""

    iterator: Iterator[Any]
    length: int | None
    """Their number, or None if it is not known."""
    endless: bool


def is_batches(data: Any) -> bool:
    """Return whether data come in batches, one after the other.

    Args:
        data: Anything.

    Example:
        >>> is_batches(iter([1])), is_batches([1]), is_batches(np.zeros(3))
        (True, False, False)
    """
    if isinstance(data, str | bytes) or hasattr(data, "shape"):
        return False
    if is_tf_dataset(data) or is_kind(data, "PyDataset", "keras") or is_kind(data, "DataLoader", ""):
        return True
    return hasattr(data, "__iter__") and not hasattr(data, "__getitem__")


def is_tf_dataset(data: Any) -> bool:
    """Return whether data are a `tf.data.Dataset`.

    Args:
        data: Anything.
    """
    return is_kind(data, "DatasetV2", "tensorflow")


def count_batches(data: Any) -> int | None:
    """Return the number of batches, None if it is not known or there is no end.

    Args:
        data: Batches.
    """
    return _describe(data)[0]


class PeekedBatches:
    """Batches of which the first was looked at: they go on with it, not with another pass over their data.

    A second pass may have another order, or lack the batches that the first one took from an iterator.

    Args:
        data: The batches.
        iterator: Iterator over them, from the first on.
    """

    def __init__(self, data: Any, iterator: Iterator[Any]) -> None:
        self.data = data
        self._iterator = iterator

    def __iter__(self) -> Iterator[Any]:
        return self._iterator


def peek_batch_size(data: Any) -> tuple[int | None, Any]:
    """Return the size of the first batch, None if there is none, and the batches with the first.

    Args:
        data: Batches.

    Example:
        >>> size, data = peek_batch_size(iter([(np.zeros(5), np.zeros(5))]))
        >>> size, len(list(data))
        (5, 1)
    """
    iterator = _open(data).iterator
    for batch in iterator:
        leaves: list[Any] = []
        map_leaves(leaves.append, batch)
        shape: Any = getattr(leaves[0], "shape", ()) if leaves else ()
        size = int(shape[0]) if len(shape) else None
        return size, PeekedBatches(data, itertools.chain([batch], iterator))
    return None, data


def cache_batches(
    data: Any,
    *,
    keys: Sequence[Columns] | None = None,
    steps: int | None = None,
    name: str = "x",
    verbose: Any = 1,
    memory_limit: int = MEMORY_LIMIT,
    folder: str | Path | None = None,
    needs_targets: bool = True,
) -> BatchesSource:
    """Read all batches once, into memory or, if they are larger, into a file without a name that ends with the process.

    The size is said first if the number of batches is known. A pipeline that changes samples at random, or a
    `PyDataset` that does so in `on_epoch_end`, is read once: use `augment=` for changes in each pass.

    Args:
        data: A `tf.data.Dataset`, `keras.utils.PyDataset`, generator, `DataLoader`, or anything else that yields
            batches ``(x, y)`` or ``(x, y, sample_weight)``.
        keys: Columns of input and target (and weight) if batches are dictionaries, or longer tuples.
        steps: Batches to read; None for all.
        name: Name of the data, for messages.
        verbose: 0 for silence.
        memory_limit: Bytes that are held in memory at most.
        folder: Folder of the file; None for the folder of temporary files.
        needs_targets: Whether batches must hold targets; else they may be inputs alone, also as ``(x,)``.

    Returns:
        The samples, in the order of the batches.

    Raises:
        UserError: If the batches never end, or are no batches of one form, or the disk has no space for them.

    Example:
        >>> source = cache_batches(((np.full([2, 3], i), np.full(2, i)) for i in range(4)), verbose=0)
        >>> len(source), source.batch_size, source.take(np.array([5, 0]))[1]
        (8, 2, array([2, 0]))
    """
    iterator, count, endless = _open(data)
    if endless and steps is None:
        raise UsageError(
            f"{name} is endless: a {kind_of(data)} that never ends. Say how many batches make an epoch, as in"
            " steps_per_epoch=100, or pass a part that ends, as in take(100)."
        )
    expected = steps if count is None else min(count, steps or count)
    cache = _Cache(
        name, expected, memory_limit, Path(folder or tempfile.gettempdir()), _Bar(name, expected, bool(verbose))
    )
    try:
        for read, batch in enumerate(itertools.islice(iterator, steps), 1):
            parts = batch if keys is None else tuple(pick(batch, columns) for columns in keys)
            cache.append(_as_parts(name, parts, needs_targets))
            if expected is None and (read >= ENDLESS_BATCHES or cache.nbytes > ENDLESS_BYTES):
                raise UserError(
                    f"{name} gave {read:,} batches ({format_bytes(cache.nbytes)}) and has not ended, so it may be"
                    " endless. Say how many batches make an epoch, as in steps_per_epoch=1000, or pass a part"
                    " that ends, as in itertools.islice(x, 1000)."
                )
        return cache.source()
    finally:
        cache.close()


def kind_of(data: Any) -> str:
    """Return the name of the type of data, also of batches of which the first was looked at.

    Args:
        data: Anything.
    """
    return type(data.data if isinstance(data, PeekedBatches) else data).__name__


class _Cache:
    """Columns that grow batch by batch; on disk once they are larger than the limit, or known to become so."""

    def __init__(self, name: str, expected: int | None, memory_limit: int, folder: Path, bar: _Bar) -> None:
        self._name, self._expected, self._memory_limit = name, expected, memory_limit
        self._folder, self._bar = folder, bar
        self._columns: list[Column] = []
        self._structure: Any = None
        self._first_size = self._batches = 0

    @property
    def nbytes(self) -> int:
        """Bytes so far."""
        return sum(column.nbytes for column in self._columns)

    def append(self, parts: Any) -> None:
        """Append a batch: x, y and weights (or None)."""
        rows = _rows_of(self._name, parts)
        if not self._columns:
            self._structure, self._first_size = parts, rows
            self._columns = [Column(leaf, self._folder) for leaf in _leaves(parts)]
            size = sum(leaf.nbytes for leaf in _leaves(parts)) * (self._expected or 1)
            self._bar.start(size if self._expected else None, size > self._memory_limit)
            if size > self._memory_limit:
                self._move_to_disk(size)
        try:
            leaves = _leaves(map_rows(lambda pair: pair[1], [self._structure, parts]))
            if len(leaves) != len(self._columns):
                raise ValueError("some parts are missing")
            for column, leaf in zip(self._columns, leaves, strict=True):
                column.append(leaf)
        except ValueError as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{self._name} gives batches of different forms: {error}. Samples must have one form; pad sequences to"
                " one length, and resize or crop images."
            ) from error
        if not self._columns[0].on_disk and self.nbytes > self._memory_limit:
            self._move_to_disk(self.nbytes)
        self._batches += 1
        self._bar.update(self._batches)

    def source(self) -> BatchesSource:
        """Return the samples."""
        if not self._columns:
            raise UserError(
                f"{self._name} is empty: it gave no batch. A generator that was used up before has to be made again."
            )
        self._bar.finish(self.nbytes)
        arrays = iter([column.array() for column in self._columns])
        x, y, sample_weight = map_leaves(lambda leaf: next(arrays), self._structure)
        return BatchesSource(x, y, sample_weight, self._first_size)

    def close(self) -> None:
        """Close files and the bar."""
        self._bar.stop()
        for column in self._columns:
            column.close()

    def _move_to_disk(self, expected: int) -> None:
        self._columns[0].check_space(expected, self._name)
        for column in self._columns:
            column.move_to_disk()


def _open(data: Any) -> _Batches:
    count, endless = _describe(data)
    if is_kind(data, "PyDataset", "keras"):
        return _Batches(_read_ahead(data, itertools.count() if count is None else range(count)), count, endless)
    return _Batches(iter(data), count, endless)


def _describe(data: Any) -> tuple[int | None, bool]:
    """Return the number of batches, None if it is not known, and whether there is no end; nothing is read."""
    if isinstance(data, PeekedBatches):
        return _describe(data.data)
    if is_tf_dataset(data):
        count = int(data.cardinality())
        return count if count >= 0 else None, count == -1
    if is_kind(data, "PyDataset", "keras"):
        return data.num_batches, data.num_batches is None
    try:
        count = len(data)
    except TypeError:
        count = None
    return count, isinstance(data, itertools.cycle | itertools.count)


def _read_ahead(data: Any, numbers: Iterable[int]) -> Iterator[Any]:
    """Yield the batches of a PyDataset in order, read by as many threads as it has workers."""
    workers = max(1, int(getattr(data, "workers", 1)))
    if workers == 1:
        yield from map(data.__getitem__, numbers)
        return
    remaining = iter(numbers)
    with ThreadPoolExecutor(workers) as pool:
        while block := list(itertools.islice(remaining, 4 * workers)):
            yield from pool.map(data.__getitem__, block)


def _as_parts(name: str, batch: Any, needs_targets: bool = True) -> tuple[Any, Any, Any]:
    """Return x, y and weights (or None) of a batch, as arrays."""
    if not needs_targets and (not isinstance(batch, tuple | list) or len(batch) == 1):
        x = batch[0] if isinstance(batch, tuple | list) else batch
        return map_leaves(lambda leaf: _to_numpy(name, leaf), _lists_to_tuples(x)), None, None
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        found = f"{type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, tuple | list) else "")
        raise UserError(
            f"{name} must give batches (x, y) or (x, y, sample_weight), and gave a {found}. If they are dictionaries,"
            " say which column is which, as in batchsel.data.source_of(data, x='image', y='label')."
        )
    x, y, *weights = map_leaves(lambda leaf: _to_numpy(name, leaf), _lists_to_tuples(batch))
    return x, y, weights[0] if weights else None


def _lists_to_tuples(nest: Any) -> Any:
    if isinstance(nest, tuple | list):
        return tuple(map(_lists_to_tuples, nest))
    return {key: _lists_to_tuples(member) for key, member in nest.items()} if isinstance(nest, dict) else nest


def _to_numpy(name: str, leaf: Any) -> np.ndarray:
    array = np.asarray(as_array(f"a batch of {name}", leaf))
    return array.astype(object) if array.dtype.kind in "US" else array


def _rows_of(name: str, parts: Any) -> int:
    shapes: list[tuple[int, ...]] = [leaf.shape for leaf in _leaves(parts)]
    lengths = {shape[0] if shape else -1 for shape in shapes}
    if len(lengths) != 1 or -1 in lengths:
        shown = ", ".join(str(list(shape)) for shape in shapes[:5])
        raise UserError(
            f"{name} must give batches, whose arrays have the same first axis; one has the shapes {shown}. Single"
            " samples have to be batched first, as in x.batch(32)."
        )
    return lengths.pop()


def _leaves(parts: Any) -> list[np.ndarray]:
    leaves: list[np.ndarray] = []
    map_leaves(leaves.append, parts)
    return leaves


class _Bar:
    """Progress on standard error: the size first, then a bar on a terminal."""

    def __init__(self, name: str, total: int | None, shown: bool) -> None:
        self._name, self._total, self._shown = name, total, shown
        self._bar: Any = None

    def start(self, size: int | None, on_disk: bool) -> None:
        """Say the size, and show the bar."""
        if not self._shown:
            return
        where = "on disk" if on_disk else "in memory"
        about = f"{self._total} batches, about {format_bytes(size)}, {where}" if size else f"batches, {where}"
        print(f"caching {self._name}: {about}", file=sys.stderr, flush=True)
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(f"caching {self._name}", total=self._total)
            self._bar.start()

    def update(self, done: int) -> None:
        """Show the number of batches that were read."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)

    def finish(self, size: int) -> None:
        """Say the size, if it was not known before."""
        if self._shown and not self._total:
            self.stop()
            print(f"caching {self._name}: {format_bytes(size)}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
