"""Try cases in a process of their own, which may die or hang at one of them.

Not a part of ``__main__``: a process that is started anew does not import the main module of a package.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HANG = 30
"""Seconds without the end of a case after which a process is killed: longer than any case may take."""


@dataclass
class Row:
    """Results of a target."""

    tried: int = 0
    refused: int = 0
    slowest: float = 0.0
    peak: int = 0
    problems: list[str] = field(default_factory=list)


def _work(name: str, first: int, last: int, at: Any, results: Any) -> None:
    """Try cases in a process of its own, and send what came of them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: F401 - lists the fonts of the system when it is imported, which is no work of a reader
    import matplotlib.font_manager  # noqa: F401

    from fuzzing.harness import limited_memory, try_case
    from fuzzing.targets import TARGETS

    target, row = TARGETS[name], Row()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "case")
        folder.mkdir()
        os.environ |= {"XDG_CACHE_HOME": f"{folder}/cache", "MPLCONFIGDIR": root}
        target.prepare()
        with limited_memory():
            for number in range(first, last):
                at.value = number
                before = _reset_peak()
                outcome = try_case(target, number, folder)
                row.tried += 1
                row.refused += outcome.refused
                row.slowest = max(row.slowest, outcome.seconds)
                row.peak = max(row.peak, _memory("VmHWM") - before)
                if outcome.problem:
                    row.problems.append(outcome.problem)
    at.value = last
    results.put(row)


def _memory(name: str) -> int:
    """Return a line of the status of this process in kilobytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


def _reset_peak() -> int:
    """Reset the peak of the memory in use, and return what is in use, in kilobytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return _memory("VmRSS")


def try_cases(name: str, first: int, last: int) -> Row:
    """Try cases of a target; after one that kills its process, or hangs, the rest in another process."""
    context = multiprocessing.get_context("spawn")
    whole = Row()
    while first < last:
        at, results = context.Value("q", first - 1), context.Queue()
        process = context.Process(target=_work, args=(name, first, last, at, results))
        process.start()
        seen, since = at.value, time.monotonic()
        row = None
        while row is None and process.is_alive():
            with contextlib.suppress(Exception):
                row = results.get(timeout=0.5)
            if at.value != seen:
                seen, since = at.value, time.monotonic()
            started = seen >= first
            if row is None and time.monotonic() - since > (HANG if started else 10 * HANG):
                process.kill()
        with contextlib.suppress(Exception):
            row = row or results.get(timeout=1)
        process.join()
        if row is not None:
            add_rows(whole, row)
            return whole
        if seen < first:
            raise RuntimeError(f"{name}: the process ended before its first case")
        # Cases before it ended, but what came of them is lost with the process: they are tried again without it.
        if seen > first:
            add_rows(whole, try_cases(name, first, seen))
        whole.tried += 1
        whole.problems.append(f"{name}, case {seen}: the process ended or hung (exit code {process.exitcode})")
        first = seen + 1
    return whole


def add_rows(whole: Row, row: Row) -> None:
    """Add the results of a row to those of another."""
    whole.tried, whole.refused = whole.tried + row.tried, whole.refused + row.refused
    whole.slowest, whole.peak = max(whole.slowest, row.slowest), max(whole.peak, row.peak)
    whole.problems += row.problems
