"""Stand-in for the commands of SLURM: sbatch, squeue, scancel and scontrol, for one job at a time on this machine.

`install` puts them into a folder for PATH. The file `refuse` in the folder makes sbatch fail with its text; `calls` has
a line for each call of sbatch; `state-JOB` may be overwritten by a test.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = "FAKE_SLURM"


def install(folder, monkeypatch):
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel", "scontrol"):
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} -S {Path(__file__).resolve()} {name} "$@"\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}:{Path(__file__).parents[2]}")
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


def sbatch(folder, *arguments):
    if (folder / "refuse").exists():
        sys.exit(f"sbatch: error: {(folder / 'refuse').read_text()}")
    with open(folder / "calls", "a") as file:
        print(*arguments, file=file)
    options = dict(part.removeprefix("--").split("=", 1) for part in arguments if "=" in part)
    count = int(options["array"].split("%")[0].split("-")[1]) + 1
    for index in range(count):
        write(folder, f"7_{index}", "PENDING")
    script = sys.stdin.read()
    if os.fork() == 0:
        os.setsid()
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        for index in range(count):
            run(folder, script, index, options["output"], last=index == count - 1)
        os._exit(0)
    print("7")


def run(folder, script, index, log, last):
    job = f"7_{index}"
    # As in SLURM, the last job has the number of the array, which commands take for all of its jobs.
    names = {"SLURM_JOB_ID": "7" if last else str(70 + index)}
    names |= {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(index)}
    while read(folder, job) == "PENDING" and not (folder / "canceled").exists():
        write(folder, job, "RUNNING")
        (folder / f"requeue-{job}").unlink(missing_ok=True)
        with open(log.replace("%A", "7").replace("%a", str(index)), "a") as output:
            process = subprocess.Popen(["sh", "-c", script], stdout=output, stderr=output, env=os.environ | names)
            write(folder, f"pid-{job}", str(process.pid))
            code = process.wait()
        if (folder / f"requeue-{job}").exists():
            write(folder, job, "PENDING")
        elif read(folder, job) == "RUNNING":
            write(folder, job, "COMPLETED" if code == 0 else "FAILED")


def squeue(folder, *arguments):
    for path in sorted(folder.glob("state-7_*")):
        print(path.name.removeprefix("state-"), path.read_text(), "Resources", "2:00", sep="|")


def scancel(folder, array):
    (folder / "canceled").touch()
    for path in folder.glob(f"state-{array}_*"):
        job = path.name.removeprefix("state-")
        state = read(folder, job)
        if state in ("PENDING", "RUNNING"):
            write(folder, job, "CANCELLED")
        if state == "RUNNING":
            os.kill(int(read(folder, f"pid-{job}")), signal.SIGTERM)


def scontrol(folder, verb, number):
    jobs = [path.name.removeprefix("state-") for path in sorted(folder.glob("state-7_*"))]
    for job in jobs if number == "7" else [number]:
        if read(folder, job) != "RUNNING":
            sys.exit(f"{job}: Job is pending execution")
        (folder / f"{verb}-{job}").touch()


def read(folder, job):
    return (folder / f"state-{job}").read_text()


def write(folder, job, state):
    (folder / f"new-{job}").write_text(state)
    (folder / f"new-{job}").replace(folder / f"state-{job}")


class Counting:
    """A call that takes several attempts: each adds a line to a file and waits to be told of its time limit."""

    def __init__(self, attempts, advances=True):
        self.attempts, self.advances = attempts, advances

    def __call__(self, path):
        lines = self._lines(path)
        if len(lines) + 1 < self.attempts:
            with open(path, "a") as file:
                print("attempt", file=file)
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(60)
        return len(lines) + 1

    def progress(self, path):
        return len(self._lines(path)) if self.advances else 0

    def _lines(self, path):
        return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "scontrol": scontrol}[sys.argv[1]](
        Path(os.environ[FOLDER]), *sys.argv[2:]
    )
