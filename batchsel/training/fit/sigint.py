"""Ctrl-C that waits until the compiled call under way has returned."""

from __future__ import annotations

import signal
import threading
from types import TracebackType
from typing import Any


class Interruption:
    """Notes the first Ctrl-C instead of raising; a second one is as usual.

    Outside the main thread, where Python delivers no signals, it does nothing.

    Example:
        >>> with Interruption() as interruption:
        ...     pass
        >>> interruption.asked
        False
    """

    def __init__(self) -> None:
        self.asked = False
        self._outer: Any = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._outer = signal.getsignal(signal.SIGINT)
            if callable(self._outer):
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if callable(self._outer):
            signal.signal(signal.SIGINT, self._outer)

    def _note(self, number: int, frame: Any) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self._outer)
