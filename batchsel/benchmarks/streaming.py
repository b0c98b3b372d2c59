"""What it costs to read samples from the disk as they are needed: speed against data in memory, and memory."""

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

from batchsel.benchmarks.loop import TASKS, compiled
from batchsel.training.fit_model import fit

_SHAPE = (28, 28, 1)
_BUFFER_BYTES = 1 << 24
_TIMES = 20
"""How much larger than the buffer the set is whose memory is watched."""
_EVERY = 0.02


class RawRows:
    """A file of raw rows as a source.

    Args:
        path: The file, as `numpy.save` writes it.
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
        """Reads samples.

        Args:
            indices: ``int[k]`` their numbers.
        """
        return np.asarray(self._x[indices]), self._y[indices]


def measure_speed(
    rounds: int, n: int = 60_000, on_progress: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """A small CNN on as many samples as Fashion-MNIST has, of its form, in memory and from a file of raw rows, in turn.

    Args:
        rounds: Times that each is timed, after a run that compiles it.
        n: Samples.
        on_progress: Called with a line before each round.

    Returns:
        Seconds of each round by arm, and the share of the speed in memory that streaming has; JSON.
    """
    task = TASKS["cnn"]
    x, y = task.data(n)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "x.npy"), x)
        source = RawRows(Path(folder, "x.npy"), y)
        data: dict[str, tuple[Any, ...]] = {"in memory": (x, y), "streamed": (source,)}
        seconds: dict[str, list[float]] = {arm: [] for arm in data}
        models = {arm: compiled(task) for arm in data}
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
    """A pass over a set much larger than the buffer, and what the process took meanwhile, mapped files left out.

    Args:
        buffer_bytes: Memory for reading ahead.
        times: Size of the set over that of the buffer.

    Returns:
        Bytes of the set and of the buffer, and by how much the memory of the process rose during the pass, at most;
        None where the system does not say. JSON.
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
        options = {"batch_size": 128, "verbose": 0, "buffer_bytes": buffer_bytes}
        fit(model, RawRows(path, y), epochs=2 / times, **options)  # what is made once is made
        with _watched() as most:
            fit(model, RawRows(path, y), epochs=1, **options)
    set_bytes = n * int(np.prod(_SHAPE))
    return {"set_bytes": set_bytes, "buffer_bytes": buffer_bytes, "rise_bytes": most[0] if most else None}


@contextmanager
def _watched() -> Iterator[list[int]]:
    """Holds, when it is left, by how much the memory in use rose; empty where the system does not say."""
    before, most, done = _anonymous(), [0], threading.Event()
    if before is None:
        yield []
        return

    def watch() -> None:
        while not done.wait(_EVERY):
            most[0] = max(most[0], _anonymous() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def _anonymous() -> int | None:
    """Bytes of this process that no file stands behind."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon")), None)
