"""Pieces of work that are killed: how they are started, started again, and what they must leave."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import random
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, Protocol

from range_server import RangeServer
from starting import Zygote

from batchsel.experiments.run import records
from batchsel.experiments.run.arms import record_key

_VOLATILE = {"seconds", "duration", "elapsed"}


class Outcome(NamedTuple):
    """Outcome of one piece of work that was killed and started again until it ended."""

    kills: int
    problems: list[str]


class Scenario(Protocol):
    """Piece of work that can be killed and started again."""

    name: str
    duration: float
    """Seconds that it takes without a kill."""
    codes: ClassVar[Sequence[int]]
    """Exit codes of work that ended well."""

    def next_call(self, folder: Path) -> Callable[[], None]:
        """Return what a user calls next, given what is in the folder."""
        ...

    def problems(self, folder: Path) -> list[str]:
        """Return what is wrong with the results; none if all is well."""
        ...

    def measure(self, zygote: Zygote, folder: Path) -> None:
        """Do the work once without a kill, for its duration and results."""
        ...


def run_command(*words: str) -> None:
    """Run the command line in this process.

    Args:
        *words: Its arguments.
    """
    from batchsel.cli.main import main

    sys.argv = ["batchsel", *words]
    main()


def measure_duration(scenario: Scenario, zygote: Zygote, folder: Path) -> None:
    """Do the work of a scenario in a new folder without a kill, and note its seconds.

    Args:
        scenario: The scenario.
        zygote: Starts the process.
        folder: The folder.
    """
    folder.mkdir()
    start = time.monotonic()
    child = zygote.start(scenario.next_call(folder), folder)
    code = child.wait(timeout=300)
    scenario.duration = time.monotonic() - start
    if code not in scenario.codes:
        sys.exit(f"{scenario.name} fails without a kill, with code {code}: {child.errors()}")


def results_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same in records of the same run: all results but times.

    Args:
        record: The record.
    """
    keys = ("digest", "reached", "crossing", "test", "counts", "updates", "kept", "visits", "evaluations", "history")
    return {key: _without_times(record[key]) for key in keys}


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if key not in _VOLATILE}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def leftovers(folder: Path, expected: set[str]) -> list[str]:
    """Return a problem for each file that should not be in a folder.

    Args:
        folder: The folder.
        expected: Names that may be there.
    """
    found = sorted({path.name for path in folder.rglob("*") if path.is_file()} - expected)
    return [f"left over: {', '.join(found)}"] if found else []


class RunScenario:
    """`batchsel run`, resumed where there is a checkpoint."""

    codes: ClassVar = (0, 3)

    def __init__(self, dataset: str, selector: str, budget: str) -> None:
        self.name = f"{dataset} {selector}"
        self.duration = 0.0
        self.words = (
            "run", "--dataset", dataset, "--selector", selector, "--budget", budget, "--compile", "graph",
            "--deterministic", "--evaluations", "30", "--target", "loss<=0.000001", "--progress", "off",
        )  # fmt: skip
        self._expected: dict[str, Any] = {}

    @classmethod
    def all(cls) -> list[RunScenario]:
        """Return runs of several selectors and data sets."""
        return [
            cls("iris", "loss_ema", "60 passes"),
            cls("wine", "kakurenbo", "60 passes"),
            cls("digits", "smart", "8 passes"),
            cls("iris", "candidates(2)", "60 passes"),
        ]

    def next_call(self, folder: Path) -> Callable[[], None]:
        return functools.partial(run_command, *self.next_words(folder))

    def next_words(self, folder: Path) -> tuple[str, ...]:
        """Return the arguments of the next command: a resume if there is a checkpoint."""
        checkpoints = list(folder.glob("runs/*/checkpoint.npz"))
        if checkpoints:
            return ("run", "--resume", str(checkpoints[0].parent), "--progress", "off")
        return self.words

    def problems(self, folder: Path) -> list[str]:
        found = records.read_folder(folder / "runs")
        problems = [str(problem) for problem in found.problems]
        if len(found.runs) != 1:
            return [*problems, f"{len(found.runs)} records"]
        if results_of(found.runs[0]) != self._expected:
            problems.append("its results differ from those of a run without a kill")
        return problems + leftovers(folder, {"config.toml", "checkpoint.npz", records.FILE})

    def measure(self, zygote: Zygote, folder: Path) -> None:
        measure_duration(self, zygote, folder)
        (record,) = records.read_folder(folder / "runs").runs
        self._expected = results_of(record)


class ExperimentScenario:
    """`batchsel compare` with two arms and two seeds, called again until all runs are recorded."""

    name = "iris, 2 arms, 2 seeds"
    codes: ClassVar = (0,)
    _WORDS = (
        "compare", "--dataset", "iris", "--selector", "loss_ema", "--seeds", "2", "--budget", "8 passes", "--compile",
        "graph", "--deterministic", "--evaluations", "8", "--target", "accuracy>=0.8",
    )  # fmt: skip

    def __init__(self) -> None:
        self.duration = 0.0
        self._expected: dict[Any, Any] = {}

    @classmethod
    def all(cls) -> list[ExperimentScenario]:
        """Return the one experiment."""
        return [cls()]

    def next_call(self, folder: Path) -> Callable[[], None]:
        return functools.partial(run_command, *self._WORDS)

    def problems(self, folder: Path) -> list[str]:
        found = self._read(folder)
        problems = [str(problem) for problem in found.problems] + [record["failed"] for record in found.failures]
        keys = [record_key(record) for record in found.runs]
        if sorted(keys) != sorted(self._expected):
            return [*problems, f"{len(keys)} records of {len(set(keys))} runs, expected {len(self._expected)}"]
        wrong = (
            record_key(record) for record in found.runs if results_of(record) != self._expected[record_key(record)]
        )
        return problems + [f"the results of {key} differ from those without a kill" for key in wrong]

    @staticmethod
    def _read(folder: Path) -> records.Records:
        return records.read(*sorted(folder.rglob(records.FILE)))

    def measure(self, zygote: Zygote, folder: Path) -> None:
        measure_duration(self, zygote, folder)
        self._expected = {record_key(record): results_of(record) for record in self._read(folder).runs}


class FetchScenario:
    """Download of three files from a web server, one of them an archive that is unpacked."""

    name = "three files, one of them unpacked"
    codes: ClassVar = (0,)

    def __init__(self, server: RangeServer) -> None:
        generator = random.Random(0)
        self.duration = 0.0
        self._bodies = {f"part{number}.bin": generator.randbytes(3_000_000) for number in range(2)}
        self._members = {f"{number}.bin": generator.randbytes(20_000) for number in range(60)}
        self._bodies["set.tar.gz"] = _archive(self._members)
        self._files = [
            SimpleNamespace(
                name=name,
                bytes=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
                urls=(server.add(f"/{name}", body, etag=f'"{name}"'),),
            )
            for name, body in self._bodies.items()
        ]

    @staticmethod
    @contextlib.contextmanager
    def serving() -> Iterator[RangeServer]:
        """Serve the files while the block runs."""
        with RangeServer() as server:
            yield server

    @classmethod
    def all(cls, server: RangeServer) -> list[FetchScenario]:
        """Return the one download.

        Args:
            server: The server, which must be running.
        """
        return [cls(server)]

    def next_call(self, folder: Path) -> Callable[[], None]:
        def work() -> None:
            from batchsel.data.download.fetch import DataFolder
            from batchsel.data.formats.archives import unpack

            for file in self._files:
                DataFolder(folder).fetch(file)
            unpack(folder / "set.tar.gz", folder / "set")

        return work

    def problems(self, folder: Path) -> list[str]:
        expected = {**self._bodies, **{f"set/{name}": body for name, body in self._members.items()}}
        problems = []
        for name, body in expected.items():
            path = folder / name
            if not path.is_file() or path.read_bytes() != body:
                problems.append(f"{name} is missing or wrong")
        return problems + leftovers(folder, {Path(name).name for name in expected})

    def measure(self, zygote: Zygote, folder: Path) -> None:
        measure_duration(self, zygote, folder)
        if problems := self.problems(folder):
            sys.exit(f"the download fails without a kill: {problems}")


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()
