"""Queue of calls for several workers, in which the calls of a group go to one worker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Alone:
    """The group of one item that any worker may take."""


class GroupedQueue(Generic[T]):
    """Queue whose items belong to groups; a group is bound to the worker that takes its first item.

    Example:
        >>> queue = GroupedQueue()
        >>> for item, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        ...     queue.put(item, group)
        >>> queue.get(worker=0), queue.get(worker=1), queue.get(worker=0)
        ('a1', 'b1', 'a2')
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[T]] = {}
        self._workers: dict[Hashable, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T, group: Hashable = None) -> None:
        """Append an item.

        Args:
            item: The item.
            group: Its group; None if any worker may take it.
        """
        key = _Alone() if group is None else group
        with self._changed:
            self._waiting.setdefault(key, deque()).append(item)
            self._changed.notify_all()

    def get(self, worker: int) -> T | None:
        """Return the next item that a worker may take, once there is one; None when the queue is closed and has none.

        Args:
            worker: Number of the worker.
        """
        with self._changed:
            while True:
                for group, items in self._waiting.items():
                    if self._workers.get(group, worker) == worker:
                        return self._take(group, items, worker)
                if self._closed:
                    return None
                self._changed.wait()

    def close(self) -> None:
        """Let workers end when nothing is left that they may take."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def clear(self) -> list[T]:
        """Remove all items, and return them."""
        with self._changed:
            items = [item for waiting in self._waiting.values() for item in waiting]
            self._waiting.clear()
        return items

    def _take(self, group: Hashable, items: deque[T], worker: int) -> T:
        item = items.popleft()
        if not items:
            del self._waiting[group]
        if not isinstance(group, _Alone):
            self._workers[group] = worker
        return item
