"""The lock of the device: alone or shared, who holds it, holders that are stopped or dead, systems without locks."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from batchsel.cli.support import display
from batchsel.core.locking import locks
from batchsel.core.locking.holder import Holder
from batchsel.experiments.run import device_lock, records
from batchsel.experiments.run.device_lock import lock_device

FAILURE = {
    "schema": records.SCHEMA,
    "failed": "out of luck",
    "spec": {},
    "digest": "0",
    "arm": {"name": "smart", "role": "arm"},
}
HOLDING = """
import sys, time
from batchsel.experiments.run.device_lock import lock_device
used = sys.argv[3:]
with lock_device(sys.argv[1] == "alone", lambda line: print(line, flush=True), used) as alone:
    print("held", alone, flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def own_lock_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(locks, "_reported", set())


@pytest.fixture
def start():
    """Return a function that starts a process which holds the lock for some time."""
    started = []

    def start(form, seconds, *used):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDING, form, str(seconds), *used], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def refuse(descriptor, operation):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_one_run_alone_or_several_that_share():
    told = []
    with lock_device(exclusive=False) as alone, lock_device(exclusive=False):
        assert not alone
    with lock_device(on_wait=told.append) as alone:
        assert alone
    assert told == []


def test_a_run_waits_and_hears_who_holds_the_device(start):
    with lock_device() as alone:
        assert alone
        waiting = start("shared", 0)
        line = waiting.stdout.readline()
    assert re.fullmatch(
        rf"waiting for the device, which is held by `.+` \(process {os.getpid()}\) since [\d-]+ [\d:]+\n", line
    )
    assert waiting.stdout.readline() == "held False\n"


@pytest.mark.parametrize(
    ("form", "used", "waits"),
    [
        ("alone", ("1",), True),
        ("alone", ("0", "1"), True),
        ("alone", ("2",), False),
        ("alone", (), True),  # on the CPU, which works for every GPU
        ("shared", ("2",), True),  # not timed, but it would disturb
    ],
)
def test_timed_runs_on_other_gpus_go_on_at_once_and_nothing_else_does(form, used, waits, start, monkeypatch):
    monkeypatch.setenv("BATCHSEL_SIMULATED_GPUS", "4")
    with lock_device(used=["1"]) as alone:
        assert alone
        other = start(form, 0, *used)
        line = other.stdout.readline()
        assert line.startswith("waiting for the device") == waits
        assert waits or line == "held True\n"
    if waits:
        assert other.stdout.readline() == f"held {form == 'alone'}\n"


def test_untimed_runs_on_several_gpus_share_the_machine(start, monkeypatch):
    monkeypatch.setenv("BATCHSEL_SIMULATED_GPUS", "4")
    with lock_device(exclusive=False, used=["0"]):
        assert start("shared", 0, "1").stdout.readline() == "held False\n"
        assert start("shared", 0).stdout.readline() == "held False\n"


def test_all_that_share_the_device_are_named(start):
    told = []
    sharing = [start("shared", 3), start("shared", 3)]
    for process in sharing:
        assert process.stdout.readline() == "held False\n"
    with lock_device(exclusive=False):
        pass  # no longer named
    with lock_device(on_wait=told.append) as alone:
        assert alone
    assert all(f"(process {process.pid})" in told[0] for process in sharing)
    assert f"process {os.getpid()}" not in told[0]


def test_a_holder_that_stays_stopped_does_not_block_forever(start, monkeypatch):
    monkeypatch.setattr(device_lock, "PATIENCE", 0.5)
    told = []
    holder = start("alone", 60)
    assert holder.stdout.readline() == "held True\n"
    holder.send_signal(signal.SIGSTOP)
    with lock_device(on_wait=told.append) as alone:
        assert not alone  # so that the record is marked
    assert f"(process {holder.pid}, which is stopped)" in told[0]
    assert "has not been running for 0.5 s" in told[-1]


def test_a_running_holder_is_waited_for(start, monkeypatch):
    monkeypatch.setattr(device_lock, "PATIENCE", 0.1)
    holder = start("alone", 2.5)
    assert holder.stdout.readline() == "held True\n"
    with lock_device(on_wait=lambda line: None) as alone:
        assert alone


def test_a_dead_holder_whose_child_keeps_the_file_open_does_not_block_forever(monkeypatch):
    monkeypatch.setattr(device_lock, "PATIENCE", 0.2)
    told = []
    dead = subprocess.run(
        [sys.executable, "-c", "from batchsel.core.locking.holder import Holder as H\nprint(H.this_process().to_line().decode())"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    with open(device_lock._path(), "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.write(file.fileno(), dead)
        with lock_device(on_wait=told.append) as alone:
            assert not alone
    assert "which is dead" in told[0]


def test_a_holder_on_another_machine_is_never_taken_for_dead():
    holder = Holder(pid=2**22 + 1, command="batchsel run", since="now", born="1", space="elsewhere")
    assert holder.state() == "unknown"


def test_runs_go_on_without_locks_and_say_so_once(tmp_path, monkeypatch, capsys):
    without = SimpleNamespace(flock=refuse, LOCK_EX=2, LOCK_SH=1, LOCK_NB=4, LOCK_UN=8)
    monkeypatch.setattr(locks, "fcntl", without)
    for _ in range(2):
        with lock_device() as alone:
            assert not alone
        records.append(tmp_path / "runs", FAILURE)
        with locks.hold_lock(tmp_path / "file") as held:
            assert not held
    assert len(records.read(tmp_path / "runs").failures) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("No locks available" in line for line in lines)
    assert "the seconds of runs do not count" in lines[0]


def test_a_lock_file_that_cannot_be_opened_is_no_error(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with lock_device() as alone:
        assert not alone
    assert "No such file" in capsys.readouterr().err


def test_runs_go_on_where_the_system_call_fails(tmp_path):
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"]
    try:
        subprocess.run([*strace, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        strace = []  # not installed, or not allowed; patched instead
    code = (
        "import errno, fcntl, sys\n"
        "from pathlib import Path\n"
        "def refuse(*a): raise OSError(errno.ENOLCK, 'No locks available')\n"
        "if sys.argv[2] == 'patch': fcntl.flock = refuse\n"
        "from batchsel.experiments.run import device_lock, records\n"
        "with device_lock.lock_device() as alone: print(alone)\n"
        f"records.append(Path(sys.argv[1]), {FAILURE!r})\n"
    )
    done = subprocess.run(
        [*strace, sys.executable, "-c", code, str(tmp_path / "runs"), "" if strace else "patch"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
    assert done.stderr.count("No locks available") == 2
    assert len(records.read(tmp_path / "runs").failures) == 1


@pytest.mark.parametrize("mode", ["plain", "off", "rich"])
def test_every_progress_display_shows_what_a_run_waits_for(mode, capsys):
    with display.watch(mode, "accuracy>=0.9", lambda state: 0.0) as (_, say):
        say("waiting for [the device]")
    assert "waiting for [the device]" in capsys.readouterr().err


def test_runs_of_one_process_one_after_the_other_are_one_line_of_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(device_lock, "_QUIET", 0.0)
    monkeypatch.setattr(locks, "PAUSE", 0.0)
    looks = [Holder(os.getpid(), "batchsel compare", f"10:00:0{second}") for second in range(4)]
    looks += [Holder(os.getppid(), "batchsel run", "10:00:09")] * 2
    attempts = iter([False] * len(looks) + [True])
    monkeypatch.setattr(device_lock, "_attempt", lambda file, exclusive: next(attempts))
    monkeypatch.setattr(device_lock, "_read_holders", lambda file: [looks.pop(0)])
    told = []
    with lock_device(on_wait=told.append) as alone:
        assert alone
    assert [line.partition("held by ")[2][:18] for line in told] == ["`batchsel compare`", "`batchsel run` (pr"]
