"""A random-access source that counts the rows and bytes it returned."""

import threading
import weakref

import numpy as np


class CountingSource:
    """Arrays behind `take`, which counts its calls, its rows, and the bytes it returned that are still alive."""

    def __init__(self, *arrays):
        self.arrays = arrays
        self.live_bytes = self.peak_bytes = self.reads = self.rows = 0
        self.lock = threading.Lock()

    def __len__(self):
        return len(self.arrays[0])

    def take(self, indices):
        rows = tuple(np.ascontiguousarray(array[indices]) for array in self.arrays)
        size = sum(array.nbytes for array in rows)
        with self.lock:
            self.reads += 1
            self.rows += len(indices)
            self.live_bytes += size
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        for array in rows:
            weakref.finalize(array, self._release, array.nbytes)
        return rows

    def _release(self, size):
        with self.lock:
            self.live_bytes -= size
