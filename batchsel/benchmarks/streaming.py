"""Cost of streaming samples from disk: speed relative to data in memory, and memory in use."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from batchsel.benchmarks.loop import build_compiled
from batchsel.benchmarks.tasks import TASKS
from batchsel.training.fit_model import fit

_SHAPE = (28, 28, 1)
_BUFFER_BYTES = 1 << 24
_TIMES = 20
"""Size of the data set over that of the buffer, when memory is measured."""
_EVERY = 0.02


class RawRows:
    """A source that reads rows of a NumPy file.

    Args:
        path: A file of `numpy.save`.
        y: Targets, ``int32[n]``.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "x.npy"), np.arange(6).reshape(3, 2))
        ...     RawRows(Path(folder, "x.npy"), np.arange(3)).take(np.array([2, 0]))
        (array([[4, 5], [0, 1]]), array([2, 0]))
    """

    def __init__(self, path: Path, y: np.ndarray) -> None:
        self._x = np.load(path, mmap_mode="r")
        self._y = y

    def __len__(self) -> int:
        return len(self._y)

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the samples with the given indices, ``int[k]``."""
        return np.asarray(self._x[indices]), self._y[indices]


def measure_speed(
    rounds: int, n: int = 60_000, on_progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Time a small CNN on data of the size of Fashion-MNIST, in memory and streamed from a file, in turn.

    Args:
        rounds: Number of timed runs of each arm, after one that compiles it.
        n: Number of samples.
        on_progress: Called with a line before each round.

    Returns:
        Seconds of each round by arm, and the speed of streaming as a share of that in memory; JSON.
    """
    task = TASKS["cnn"]
    x, y = task.data(n)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "x.npy"), x)
        source = RawRows(Path(folder, "x.npy"), y)
        data: dict[str, tuple[Any, ...]] = {"in memory": (x, y), "streamed": (source,)}
        seconds: dict[str, list[float]] = {arm: [] for arm in data}
        models = {arm: build_compiled(task) for arm in data}
        for number in range(rounds + 1):
            on_progress(f"streaming: {f'round {number} of {rounds}' if number else 'compiling'}")
            for arm, given in data.items():
                start = time.perf_counter()
                fit(models[arm], *given, batch_size=task.batch_size, epochs=1, verbose=0)
                seconds[arm].append(time.perf_counter() - start)
    seconds = {arm: values[1:] for arm, values in seconds.items()}
    shares = [a / b for a, b in zip(seconds["in memory"], seconds["streamed"], strict=True)]
    share = {"median": statistics.median(shares), "min": min(shares), "max": max(shares)}
    return {"n": n, "rounds": rounds, "seconds": seconds, "share_of_the_speed_in_memory": share}


def measure_memory(buffer_bytes: int = _BUFFER_BYTES, times: int = _TIMES) -> dict[str, Any]:
    """Measure the memory, without mapped files, of a pass over a data set much larger than the buffer.

    Args:
        buffer_bytes: Memory for prefetching.
        times: Size of the data set over that of the buffer.

    Returns:
        Bytes of the data set and of the buffer, and the peak increase of the memory of the process during the pass, or
        None if the system does not report it; JSON.
    """
    n = times * buffer_bytes // int(np.prod(_SHAPE))
    y = np.arange(n, dtype=np.int32) % 10
    model = keras.Sequential([keras.Input(_SHAPE), layers.Flatten(), layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.npy")
        written = np.lib.format.open_memmap(path, "w+", np.uint8, (n, *_SHAPE))
        written.flush()
        del written
        options: dict[str, Any] = {"batch_size": 128, "verbose": 0, "buffer_bytes": buffer_bytes}
        fit(model, RawRows(path, y), epochs=2 / times, **options)  # allocates everything that is allocated once
        with _peak_increase() as peak:
            fit(model, RawRows(path, y), epochs=1, **options)
    set_bytes = n * int(np.prod(_SHAPE))
    return {"set_bytes": set_bytes, "buffer_bytes": buffer_bytes, "rise_bytes": peak[0] if peak else None}


@contextmanager
def _peak_increase() -> Iterator[list[int]]:
    """Yield a list whose only item is the peak increase of the memory; empty if the system does not report it."""
    before, most, done = _anonymous_bytes(), [0], threading.Event()
    if before is None:
        yield []
        return

    def watch() -> None:
        while not done.wait(_EVERY):
            most[0] = max(most[0], (_anonymous_bytes() or 0) - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def _anonymous_bytes() -> int | None:
    """Return the memory of this process without mapped files, in bytes; None if the system does not report it."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), None)
