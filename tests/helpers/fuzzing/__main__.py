"""Try hostile and damaged files on every reader in processes of their own, and print a table: ``make fuzz``.

A process that dies or hangs is a failure of the case that it was at; another goes on behind it. A case is tried again with
``PYTHONPATH=tests/helpers python -m fuzzing --only NAME --case NUMBER``.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HANG = 30
"""Seconds without the end of a case after which a process is killed: longer than any case may take."""
BLOCK = 5000
_FIELDS = ("tried", "refused", "read", "slowest s", "peak MB", "failed")


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


def _try_block(name: str, first: int, last: int) -> Row:
    """Try cases; after one that kills its process, or hangs, the rest in another process."""
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
            _add(whole, row)
            return whole
        if seen < first:
            raise RuntimeError(f"{name}: the process ended before its first case")
        # Cases before it ended, but what came of them is lost with the process: they are tried again without it.
        if seen > first:
            _add(whole, _try_block(name, first, seen))
        whole.tried += 1
        whole.problems.append(f"{name}, case {seen}: the process ended or hung (exit code {process.exitcode})")
        first = seen + 1
    return whole


def _add(whole: Row, row: Row) -> None:
    whole.tried, whole.refused = whole.tried + row.tried, whole.refused + row.refused
    whole.slowest, whole.peak = max(whole.slowest, row.slowest), max(whole.peak, row.peak)
    whole.problems += row.problems


def _blocks(cases: int, shares: dict[str, float], first: int) -> Iterator[tuple[str, int, int]]:
    """Yield names of targets with the first and last numbers of cases, so many in all."""
    total = sum(shares.values())
    for name, share in shares.items():
        count = round(cases * share / total)
        for start in range(0, count, BLOCK):
            yield name, first + start, first + min(start + BLOCK, count)


def _run(arguments: tuple[str, int, int]) -> tuple[str, Row]:
    return arguments[0], _try_block(*arguments)


def main() -> None:
    """Parse the options, try all cases, print the table, and exit with 1 if anything went wrong."""
    from fuzzing.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="cases of all readers together")
    parser.add_argument("--only", choices=TARGETS, help="one reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="this case alone, with its traceback")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    shares = {name: target.share for name, target in TARGETS.items() if options.only in (None, name)}
    blocks = [*_blocks(options.cases, shares, options.first)]
    if options.case is not None:
        blocks = [(options.only, options.case, options.case + 1)]
    from concurrent.futures import ThreadPoolExecutor

    rows = {name: Row() for name in shares}
    start = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as threads:
        for place, (name, row) in enumerate(threads.map(_run, blocks), 1):
            _add(rows[name], row)
            for problem in row.problems:
                print(problem, flush=True)
            print(
                f"{name}: block {place} of {len(blocks)}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True
            )
    print(f"{'':24}" + "".join(f"{name:>11}" for name in _FIELDS))
    for name, row in rows.items():
        values = (row.tried, row.refused, row.tried - row.refused - len(row.problems))
        numbers = [f"{value:,}" for value in values] + [
            f"{row.slowest:.2f}",
            f"{row.peak / 1000:.0f}",
            f"{len(row.problems)}",
        ]
        print(f"{name:24}" + "".join(f"{value:>11}" for value in numbers))
    print(f"{sum(row.tried for row in rows.values()):,} cases in {time.monotonic() - start:.0f} s")
    sys.exit(any(row.problems for row in rows.values()))


if __name__ == "__main__":
    main()
