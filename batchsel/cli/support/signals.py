"""Signals that end a command as Ctrl-C does: SIGTERM (SLURM, Kubernetes) and SIGHUP (a closed terminal)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

_NAMES = ("SIGTERM", "SIGHUP")
_INTERRUPTED = 130


class Terminated(KeyboardInterrupt):
    """Interruption by a signal other than that of Ctrl-C.

    Args:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def raise_on_termination() -> Iterator[None]:
    """Raise `Terminated` for signals that would end the process at once, while the block runs.

    Signals that are ignored, as SIGHUP under nohup, or have another handler are left alone.

    Example:
        >>> try:
        ...     with raise_on_termination():
        ...         signal.raise_signal(signal.SIGTERM)
        ... except Terminated as error:
        ...     print(error)
        SIGTERM
    """
    terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

    def end(number: int, frame: Any) -> None:
        # Writing to a terminal that is gone would fail.
        for descriptor in terminals:
            if not os.isatty(descriptor):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        raise Terminated(number)

    changed = []
    with contextlib.suppress(ValueError):  # outside the main thread there are no signals
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, end)
                changed.append(number)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def exit_code(error: BaseException | None) -> int:
    """Return the exit code of an interrupted command: 128 and the number of the signal.

    Args:
        error: The interruption.

    Example:
        >>> exit_code(KeyboardInterrupt()), exit_code(Terminated(signal.SIGTERM))
        (130, 143)
    """
    return 128 + error.number if isinstance(error, Terminated) else _INTERRUPTED
