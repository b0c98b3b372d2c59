"""Kill runs, experiments and downloads at random moments and at exact system calls, and check what is left.

``make soak`` prints a table; it is not part of CI, because it takes an hour on two cores. After each kill the same
work is started again, as a user would, until it ends; then nothing may be missing, doubled, different or left over.
``PYTHONPATH=tests/helpers python tests/soak/soak.py --kills 50`` is a short form.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from scenarios import ExperimentScenario, FetchScenario, Outcome, RunScenario, Scenario
from starting import Zygote
from syscalls import kill_at_system_calls

SHARES = {"run": 0.2, "experiment": 0.05, "fetch": 0.75}
KILLS_OF_ONE = 3
"""Kills of one piece of work before it may end."""


def kill_and_finish(scenario: Scenario, zygote: Zygote, folder: Path, generator: random.Random) -> Outcome:
    """Kill a piece of work up to three times, let it end, and return what is wrong with its results.

    Args:
        scenario: What is run, and what it must leave.
        zygote: Starts processes.
        folder: Empty folder to work in.
        generator: Draws the moments, uniform over the duration of the work.
    """
    kills = 0
    for _ in range(KILLS_OF_ONE):
        child = zygote.start(scenario.next_call(folder), folder)
        if child.kill_after(generator.uniform(0, 1.05 * scenario.duration)):
            kills += 1
        else:
            break
    child = zygote.start(scenario.next_call(folder), folder)
    code = child.wait(timeout=600)
    problems = [] if code in scenario.codes else [f"exit code {code}: {child.errors()[-300:]}"]
    return Outcome(kills, problems + scenario.problems(folder))


def main() -> None:
    """Parse the options, do all kills, print the table, and exit with 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="SIGKILLs at random moments")
    parser.add_argument("--syscalls", type=int, default=24, help="SIGKILLs at exact system calls; 0 for none")
    parser.add_argument("--only", choices=SHARES, help="kill this kind of work only")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    zygote = Zygote()
    rows: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    found: list[str] = []
    with tempfile.TemporaryDirectory() as root, FetchScenario.serving() as server:
        tempfile.tempdir = os.environ["TMPDIR"] = root  # where the device's lock lies: other runs are not waited for
        for name, share in SHARES.items():
            if options.only not in (None, name):
                continue
            share = 1.0 if options.only else share
            scenarios = {
                "run": RunScenario.all, "experiment": ExperimentScenario.all, "fetch": lambda: FetchScenario.all(server)
            }[name]()  # fmt: skip
            for scenario in scenarios:
                scenario.measure(zygote, Path(root) / f"{name} {scenario.name} reference")
            start, work = time.monotonic(), 0
            while rows[name][0] < share * options.kills:
                scenario = scenarios[work % len(scenarios)]
                folder = Path(root) / f"{name} {work}"
                folder.mkdir()
                outcome = kill_and_finish(scenario, zygote, folder, generator)
                work += 1
                rows[name][0] += outcome.kills
                rows[name][1] += 1
                rows[name][2] += bool(outcome.problems)
                found += [f"{name}, {scenario.name}, piece {work}: {problem}" for problem in outcome.problems]
                shutil.rmtree(folder)
                print(f"\r{name}: {rows[name][0]} kills, {time.monotonic() - start:.0f} s", end="", file=sys.stderr)
            print(file=sys.stderr)
        if options.syscalls:
            for outcome in kill_at_system_calls(RunScenario.all()[0], zygote, Path(root), options.syscalls):
                rows["exact system calls"][0] += outcome.kills
                rows["exact system calls"][1] += 1
                rows["exact system calls"][2] += bool(outcome.problems)
                found += [f"system call: {problem}" for problem in outcome.problems]
    print(f"{'':20} {'kills':>6} {'pieces of work':>15} {'wrong at the end':>17}")
    for name, (kills, pieces, wrong) in rows.items():
        print(f"{name:20} {kills:6} {pieces:15} {wrong:17}")
    print("\n".join(found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
