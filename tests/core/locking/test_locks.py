"""Locks are held by one thread or process at a time."""

import signal
import subprocess
import sys
import threading
import time

from made_up import record_of
from study_records import failure_of

from batchsel.core.locking import holder, locks
from batchsel.core.locking.holder import Holder
from batchsel.core.locking.locks import hold_lock
from batchsel.experiments.run import records


def test_one_thread_at_a_time_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PAUSE", 0.0005)
    inside, most, turns = [], [], []

    def work():
        for _ in range(30):
            with hold_lock(tmp_path / "file") as held:
                inside.append(held)
                time.sleep(0.0002)
                most.append(len(inside))
                inside.pop()
            turns.append(held)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert max(most) == 1
    assert turns == [True] * 120
    assert list(tmp_path.iterdir()) == []


def test_lock_of_a_dead_process_is_taken_over(tmp_path):
    (tmp_path / ".file.lock").write_bytes(b"")
    told = []
    with hold_lock(tmp_path / "file", lambda: told.append(1)) as held:
        assert held
    assert told == []
    assert list(tmp_path.iterdir()) == []


def test_error_releases_the_lock(tmp_path):
    for _ in range(2):
        try:
            with hold_lock(tmp_path / "file"):
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
    assert list(tmp_path.iterdir()) == []


HOLDING = """
import fcntl, sys, time
with open(sys.argv[1], "ab") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_writer_that_waits_for_records_names_the_stopped_process_that_holds_them(tmp_path, monkeypatch, capsys):
    command = [sys.executable, "-c", HOLDING, str(tmp_path / records.FILE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        find_users = records.find_users

        def find_and_kill(path):
            found = list(map(str, find_users(path)))
            process.kill()
            return found

        monkeypatch.setattr(records, "find_users", find_and_kill)
        monkeypatch.setattr(records, "PATIENCE", 0.1)
        too_late = threading.Timer(20, process.kill)
        too_late.start()
        records.append(tmp_path, failure_of(record_of("random", 0)))
        too_late.cancel()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"waiting for {tmp_path / records.FILE}, which is open in `{sys.executable} -c ")
    assert f"(process {process.pid}, which is stopped) and locked" in line
    assert len(records.read(tmp_path).failures) == 1


def test_on_windows_no_signal_is_sent_to_look_up_a_process(monkeypatch):
    def kill(pid, number):
        raise AssertionError("a console event was sent")

    own = Holder.this_process()
    monkeypatch.setattr(holder, "os", type("os", (), {"name": "nt", "kill": kill}))
    assert holder._state_by_signal(own.pid) == "unknown"
