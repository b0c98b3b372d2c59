"""Run experiments on a real SLURM of two nodes on this machine, and compare them with the same runs in one process.

``make slurm`` prints a line for each check; it needs root and Debian's packages slurm-wlm and munge, takes about twenty
minutes, and is not part of CI. A node is drained while runs are under way, one run is told of its time limit and goes
on from its checkpoint, another is killed at its limit; then no record may be missing, doubled or different.
"""

from __future__ import annotations

import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CLUSTER = Path(__file__).with_name("slurm_cluster.sh")
SMALL = ("--dataset", "iris", "--selector", "loss_ema", "--seeds", "10", "--deterministic")
LONG = (
    "--dataset", "digits", "--selector", "loss_ema", "--seeds", "1", "--target", "loss<=1e-9",
    "--model", "mlp(hidden=[256, 256])", "--evaluations", "100", "--deterministic", "--compile", "graph",
)  # fmt: skip
LONG_SECONDS = 150
"""Seconds of training that do not fit into the time limit of three minutes: SLURM tells jobs up to a minute too early."""


class Comparison:
    """A comparison that is under way as a process.

    Args:
        out: Folder of the records.
        options: Options of the command.
    """

    def __init__(self, out: Path, *options: str) -> None:
        self.out = out
        words = ["compare", *options, "--no-controls", "--out", str(out)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "batchsel", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def wait(self) -> str:
        """Wait for its end and return what it said."""
        said = self.process.communicate()[1]
        if not self.lines():
            sys.exit(f"there are no records in {self.out}: {said}")
        return said

    def lines(self) -> list[dict]:
        """Return the records, in any order."""
        path = self.out / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def results(lines: Sequence[dict]) -> dict:
    """Return the losses of all evaluations, which no seconds are part of, by arm and seed."""
    return {
        (line["arm"]["name"], line["spec"]["seed"]): [point["loss"] for point in line["evaluations"]]
        for line in lines
        if "failed" not in line
    }


def call(*command: str) -> str:
    """Run a command of SLURM and return its output."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_until(condition) -> None:
    """Wait for a condition, at most ten minutes."""
    end = time.monotonic() + 600
    while not condition():
        if time.monotonic() > end:
            sys.exit("it takes too long")
        time.sleep(0.5)


def check(description: str, holds: bool, *evidence: object) -> bool:
    """Print whether something holds, and what was found instead."""
    print(f"{'ok    ' if holds else 'WRONG '} {description}", flush=True)
    for found in () if holds else evidence:
        print(f"       {str(found)[-2000:]}", flush=True)
    return holds


def drain(folder: Path) -> bool:
    """Run twenty short runs, and drain a node after the first three."""
    here = Comparison(folder / "here", *SMALL, "--untimed")
    here.wait()
    there = Comparison(folder / "drain", *SMALL, "--executor", "slurm")
    wait_until(lambda: len(there.lines()) >= 3)
    limits = set(call("squeue", "--noheader", "--format=%l").split())
    call("scontrol", "update", "nodename=node2", "state=drain", "reason=test")
    wait_until(lambda: "R" not in call("squeue", "--noheader", "--nodelist=node2", "--format=%t").split())
    drained = len(there.lines())
    said = there.wait()
    call("scontrol", "update", "nodename=node2", "state=resume")
    counts = collections.Counter((line["arm"]["name"], line["spec"]["seed"]) for line in there.lines())
    return all(
        [
            check(f"jobs have no time limit of their own: {', '.join(limits)}", limits == {"UNLIMITED"}),
            check(f"{20 - drained} runs were left when node2 was drained", drained < 20),
            check("20 runs are recorded once each", sorted(counts.values()) == [1] * 20),
            check("their losses are those of runs here, to the digit", results(there.lines()) == results(here.lines())),
            check("nothing is said but the progress of runs", "sacct" not in said and "WARNING" not in said),
            check("no files are left but records and report", _names(there.out) == {"records.jsonl", "report.html"}),
        ]
    )


def long_options(folder: Path) -> tuple[str, ...]:
    """Return the options of runs that take longer than their time limit on this machine."""
    probe = Comparison(folder / "probe", *LONG, "--budget", "100 passes", "--untimed")
    probe.wait()
    seconds = min(line["seconds"]["training"] for line in probe.lines())
    return *LONG, "--budget", f"{100 * LONG_SECONDS / seconds:.0f} passes"


def requeue(folder: Path) -> bool:
    """Run two runs that take longer than their time limit, which go on from their checkpoints."""
    options = long_options(folder)
    here = Comparison(folder / "long here", *options, "--untimed")
    here.wait()
    there = Comparison(folder / "requeue", *options, "--executor", "slurm", "--requeue", "--slurm", "time=3m")
    restarts: dict[str, int] = {}

    def ended() -> bool:
        for job, count in re.findall(r"JobId=(\d+).*?Restarts=(\d+)", call("scontrol", "show", "jobs", "--oneliner")):
            restarts[job] = max(restarts.get(job, 0), int(count))
        return there.process.poll() is not None

    before = set(re.findall(r"JobId=(\d+)", call("scontrol", "show", "jobs", "--oneliner")))
    wait_until(ended)
    said = there.wait()
    counts = [count for job, count in restarts.items() if job not in before]
    return all(
        [
            check(f"jobs were queued again at their time limit: {counts} times", len(counts) == 2 and min(counts) > 0),
            check(
                "2 runs are recorded once each", len(there.lines()) == 2 and "FAILED" not in said, there.lines(), said
            ),
            check("their losses are those of runs here, to the digit", results(there.lines()) == results(here.lines())),
            check("no checkpoints are left", os.listdir(there.out / "unfinished") == []),
        ]
    )


def time_limit(folder: Path) -> bool:
    """Run two runs that are killed at their time limit, and once more with enough time."""
    options = (*long_options(folder), "--executor", "slurm")
    killed = Comparison(folder / "limit", *options, "--slurm", "time=1m")
    said = killed.wait()
    again = Comparison(folder / "limit", *options, "--slurm", "time=1h")
    again.wait()
    lines = [line for line in again.lines() if "failed" not in line]
    return all(
        [
            check("runs that are killed fail with the reason", said.count("it reached its time limit of 1:00") >= 2),
            check("called again, 2 runs are recorded once each", len(lines) == 2),
        ]
    )


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def main() -> None:
    """Start the cluster, make all checks or those that are named, stop it, and exit with 1 if anything is wrong."""
    parts = [part for part in (drain, requeue, time_limit) if part.__name__ in sys.argv[1:] or not sys.argv[1:]]
    missing = [name for name in ("sbatch", "slurmctld", "slurmd", "munged") if shutil.which(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not found; apt-get install slurm-wlm munge brings a real SLURM")
        return
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        os.environ |= {"TMPDIR": root, "SLURM_CONF": str(folder / "cluster" / "slurm.conf")}
        subprocess.run([CLUSTER, "start", folder / "cluster"], check=True)
        try:
            sound = [part(folder) for part in parts]
        finally:
            subprocess.run([CLUSTER, "stop", folder / "cluster"], check=True)
            time.sleep(3)  # its daemons write into the folder until they end
    sys.exit(not all(sound))


if __name__ == "__main__":
    main()
