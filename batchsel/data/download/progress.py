"""Progress of a download, or of decoding: `total`, `update`, `reset`, `close`, as in tqdm."""

from __future__ import annotations

import sys
from typing import TextIO


class LineProgress:
    """Says at the start what is downloaded and at the end how much it was; for logs.

    Args:
        label: What is downloaded.
        stream: Where to write; standard error unless given.
        verb: What happens to it, if it is not downloaded.

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
        """Counts bytes.

        Args:
            count: Bytes that came.
        """
        self._done += count

    def reset(self) -> None:
        """Starts to count again, when an attempt begins; what is there already is counted next."""
        self._done = 0

    def close(self) -> None:
        """Says how much it was; harmless when called again."""
        if self._open:
            print(f"{self._label}: {self._done / 1e6:.1f} MB", file=self._stream, flush=True)
        self._open = False


class BarProgress:
    """A bar with speed and time left, drawn by rich on a terminal.

    Args:
        label: What is downloaded.

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
        """Bytes to come; None while unknown."""
        return self._display.tasks[0].total

    @total.setter
    def total(self, count: int) -> None:
        self._display.update(self._task, total=count or None)

    def update(self, count: int) -> None:
        """Counts bytes.

        Args:
            count: Bytes that came.
        """
        self._display.advance(self._task, count)

    def reset(self) -> None:
        """Starts to count again, when an attempt begins; what is there already is counted next."""
        self._display.reset(self._task)

    def close(self) -> None:
        """Leaves the bar as it is; harmless when called again."""
        self._display.stop()


def download_progress(label: str, verb: str = "downloading") -> BarProgress | LineProgress:
    """The progress that suits where standard error goes: a bar on a terminal, lines elsewhere.

    Args:
        label: What is downloaded.
        verb: What happens to it, if it is not downloaded.

    Returns:
        The progress, to be driven by `batchsel.data.download.http_download`.

    Example:
        >>> bar = download_progress("train.gz")
        >>> isinstance(bar, BarProgress | LineProgress)
        True
        >>> bar.close()
    """
    return BarProgress(label) if sys.stderr.isatty() else LineProgress(label, verb=verb)
