"""Progress of a download or of decoding: `total`, `update`, `reset`, `close`, as in tqdm."""

from __future__ import annotations

import sys
from typing import TextIO


class LineProgress:
    """Progress in a log: a line at the start, and one with the size at the end.

    Args:
        label: Name of the file.
        stream: Where to write; standard error by default.
        verb: Verb of the first line.

    Example:
        >>> bar = LineProgress("train.gz", sys.stdout)
        downloading train.gz
        >>> bar.update(1_500_000)
        >>> bar.close()
        train.gz: 1.5 MB
    """

    def __init__(self, label: str, stream: TextIO | None = None, verb: str = "downloading") -> None:
        self.total = 0
        self._label = label
        self._stream = stream or sys.stderr
        self._done = 0
        self._open = True
        print(f"{verb} {label}", file=self._stream, flush=True)

    def update(self, count: int) -> None:
        """Count received bytes."""
        self._done += count

    def reset(self) -> None:
        """Restart the count for a new attempt; bytes that are already there are counted next."""
        self._done = 0

    def close(self) -> None:
        """Print the size; further calls do nothing."""
        if self._open:
            print(f"{self._label}: {self._done / 1e6:.1f} MB", file=self._stream, flush=True)
        self._open = False


class BarProgress:
    """Bar with speed and time left, drawn by rich on a terminal.

    Args:
        label: Name of the file.

    Example:
        >>> bar = BarProgress("train.gz")
        >>> bar.total = 2_000
        >>> bar.update(500)
        >>> bar.close()
    """

    def __init__(self, label: str) -> None:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        )
        self._display = progress.Progress(*columns, console=Console(stderr=True))
        self._task = self._display.add_task(label, total=None)
        self._display.start()

    @property
    def total(self) -> int | None:
        """Number of bytes expected; None while unknown."""
        total = self._display.tasks[0].total
        return None if total is None else int(total)

    @total.setter
    def total(self, count: int) -> None:
        self._display.update(self._task, total=count or None)

    def update(self, count: int) -> None:
        """Count received bytes."""
        self._display.advance(self._task, count)

    def reset(self) -> None:
        """Restart the count for a new attempt; bytes that are already there are counted next."""
        self._display.reset(self._task)

    def close(self) -> None:
        """Leave the bar as it is; further calls do nothing."""
        self._display.stop()


def download_progress(label: str, verb: str = "downloading") -> BarProgress | LineProgress:
    """Return a bar if standard error is a terminal, else lines.

    Args:
        label: Name of the file.
        verb: Verb of the first line.

    Example:
        >>> bar = download_progress("train.gz")
        >>> isinstance(bar, BarProgress | LineProgress)
        True
        >>> bar.close()
    """
    return BarProgress(label) if sys.stderr.isatty() else LineProgress(label, verb=verb)
