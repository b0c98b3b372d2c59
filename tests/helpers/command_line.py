"""The command line, run in this process as its entry point does."""

from dataclasses import dataclass

import pytest

from batchsel.cli import main as entry


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


class CommandLine:
    """Callable that runs a command and returns its result."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: str) -> Result:
        self._capfd.readouterr()
        self._monkeypatch.setattr("sys.argv", ["batchsel", *words])
        with pytest.raises(SystemExit) as exit_:
            entry.main()
        captured = self._capfd.readouterr()
        return Result(exit_.value.code, captured.out, captured.err)
