"""Try hostile and damaged files on every reader in processes of their own, and print a table: ``make fuzz``.

A process that dies or hangs is a failure of the case that it was at; another goes on behind it. A case is tried again with
``PYTHONPATH=tests/helpers python -m fuzzing --only NAME --case NUMBER``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from fuzzing.processes import Row, add_rows, try_cases

BLOCK = 5000
_FIELDS = ("tried", "refused", "read", "slowest s", "peak MB", "failed")


def _blocks(cases: int, shares: dict[str, float], first: int) -> Iterator[tuple[str, int, int]]:
    """Yield names of targets with the first and last numbers of cases, so many in all."""
    total = sum(shares.values())
    for name, share in shares.items():
        count = round(cases * share / total)
        for start in range(0, count, BLOCK):
            yield name, first + start, first + min(start + BLOCK, count)


def _run(arguments: tuple[str, int, int]) -> tuple[str, Row]:
    return arguments[0], try_cases(*arguments)


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
    if options.case is not None and options.only is None:
        parser.error("--case is the number of a case of one reader: name it by --only")
    shares = {name: target.share for name, target in TARGETS.items() if options.only in (None, name)}
    blocks = [*_blocks(options.cases, shares, options.first)]
    if options.case is not None:
        blocks = [(options.only, options.case, options.case + 1)]
    rows = {name: Row() for name in shares}
    start = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as threads:
        for place, (name, row) in enumerate(threads.map(_run, blocks), 1):
            add_rows(rows[name], row)
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
