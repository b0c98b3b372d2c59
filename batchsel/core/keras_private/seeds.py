"""Seeds that Keras makes up for initializers and random layers that state none."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keras.src.random import seed_generator


class _Generators(threading.local):
    """Generator that each thread draws from; Python's global one where none is stated."""

    current: random.Random | None = None

    def randint(self, low: int, high: int) -> int:
        """Draw an integer, as `random.randint` does."""
        return (self.current or random).randint(low, high)


_GENERATORS = _Generators()


@contextmanager
def draw_seeds_from(generator: random.Random) -> Iterator[None]:
    """Let Keras make up seeds from a generator, in this thread, until the block ends.

    Private: `python_random` in `keras.src.random.seed_generator`, the module from whose function `randint` Keras takes
    them. That is Python's global generator, which other threads draw from as well, such as those of a Dask worker: the
    weights of a seed would then depend on what they do.

    Args:
        generator: The generator.

    Example:
        >>> import keras
        >>> def draw():
        ...     with draw_seeds_from(random.Random(1)):
        ...         return keras.initializers.GlorotUniform().seed
        >>> draw() == draw()
        True
    """
    module: Any = seed_generator
    module.python_random = _GENERATORS  # stays: other threads may be within such a block when this one ends
    before, _GENERATORS.current = _GENERATORS.current, generator
    try:
        yield
    finally:
        _GENERATORS.current = before
