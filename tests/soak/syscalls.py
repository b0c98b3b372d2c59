"""Kill a run at exact system calls: before each of the calls that change files for good."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scenarios import Outcome, RunScenario
from starting import Zygote

_CALLS = ("rename", "fsync", "flock", "unlink", "ftruncate", "mkdir")
_AT = (1, 2, 3, 5, 9, 17, 33)
"""Numbers of the calls, counted from 1."""


def kill_at_system_calls(scenario: RunScenario, zygote: Zygote, root: Path, kills: int) -> Iterator[Outcome]:
    """Kill a run in a process of its own at the n-th call of a kind, resume it, and yield what is wrong.

    Args:
        scenario: The run.
        zygote: Starts the processes that finish the work.
        root: Folder for the folders of the runs.
        kills: Number of kills; calls that a run does not reach do not count.
    """
    if shutil.which("strace") is None:
        sys.exit("strace is not installed; --syscalls 0 leaves it out.")
    scenario.measure(zygote, root / "system calls reference")
    done = 0
    for number, call in itertools.product(_AT, _CALLS):
        if done == kills:
            return
        folder = root / f"{call} {number}"
        folder.mkdir()
        inject = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
        inject += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
        words = [sys.executable, "-m", "batchsel", *scenario.words]
        killed = subprocess.run([*inject, *words], cwd=folder, capture_output=True, check=False).returncode
        if killed in scenario.codes:
            continue
        child = zygote.start(scenario.next_call(folder), folder)
        code = child.wait(timeout=120)
        problems = [] if code in scenario.codes else [f"{call} {number}: exit code {code}: {child.errors()[-300:]}"]
        problems += [f"{call} {number}: {problem}" for problem in scenario.problems(folder)]
        done += 1
        yield Outcome(1, problems)
