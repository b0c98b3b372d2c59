"""A random-access source that counts what it gave out."""

import threading
import weakref

import numpy as np


class Source:
    """Arrays behind `take`, which counts the bytes that it gave out and that are still alive."""

    def __init__(self, *arrays):
        self.arrays = arrays
        self.alive = self.most = self.reads = self.rows = 0
        self.lock = threading.Lock()

    def __len__(self):
        return len(self.arrays[0])

    def take(self, indices):
        taken = tuple(np.ascontiguousarray(array[indices]) for array in self.arrays)
        size = sum(array.nbytes for array in taken)
        with self.lock:
            self.reads += 1
            self.rows += len(indices)
            self.alive += size
            self.most = max(self.most, self.alive)
        for array in taken:
            weakref.finalize(array, self._freed, array.nbytes)
        return taken

    def _freed(self, size):
        with self.lock:
            self.alive -= size
