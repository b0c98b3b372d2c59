"""Processes of runs: one that dies takes no other run with it, and none outlives its parent."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from batchsel.experiments.compare.fresh_processes import FreshProcesses, ProcessDied


def die_on(folder, name, deaths):
    """Die by SIGKILL as often as stated, then return the name and the number of calls."""
    with open(folder / name, "a+") as file:
        file.write("x")
        file.seek(0)
        calls = len(file.read())
    if calls <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return name, calls


def fail(text):
    raise ValueError(text)


def test_the_call_whose_process_dies_is_tried_again_once_and_the_others_go_on(tmp_path):
    with FreshProcesses(2) as pool:
        futures = [pool.submit(die_on, tmp_path, f"call {i}", deaths) for i, deaths in enumerate((0, 1, 9, 0))]
        failing = pool.submit(fail, "not this time")
    results = [future.exception() or future.result() for future in futures]
    assert [results[i] for i in (0, 1, 3)] == [("call 0", 1), ("call 1", 2), ("call 3", 1)]
    assert isinstance(results[2], ProcessDied)
    assert "killed by SIGKILL" in str(results[2])
    assert (tmp_path / "call 2").read_text() == "xx"
    with pytest.raises(ValueError, match="not this time"):
        failing.result()


def test_an_interruption_drops_what_is_waiting_and_ends_what_is_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr("batchsel.experiments.compare.fresh_processes._GRACE", 0.1)
    started = time.monotonic()
    pool = FreshProcesses(1)
    futures = [pool.submit(time.sleep, 60) for _ in range(3)]
    while not futures[0].running():
        time.sleep(0.01)
    pool.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert time.monotonic() - started < 20
    assert futures[1].cancelled()
    assert futures[2].cancelled()


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks into /proc")
def test_processes_end_with_their_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        import os, sys, time
        from pathlib import Path
        from batchsel.experiments.compare.fresh_processes import FreshProcesses

        def work(path):
            path.write_text(str(os.getpid()))
            time.sleep(60)

        if __name__ == "__main__":
            with FreshProcesses(1) as pool:
                pool.submit(work, Path(sys.argv[1]))
        """)
    )
    child = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, str(script), str(child)])
    try:
        limit = time.monotonic() + 60
        while not (child.is_file() and child.read_text()):
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert is_alive(int(child.read_text()))
    finally:
        parent.kill()
        parent.wait()
    limit = time.monotonic() + 10
    while is_alive(int(child.read_text())):
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_they_begin_with_the_variables_of_the_call_and_without_messages_of_tensorflow(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent("""
        import os
        from batchsel.experiments.compare.fresh_processes import FreshProcesses

        def look():
            import tensorflow as tf
            return len(tf.config.list_logical_devices("CPU"))

        if __name__ == "__main__":
            with FreshProcesses(1) as pool:
                print(pool.submit(look).result())
                os.environ["BATCHSEL_CPU_DEVICES"] = "3"  # after the process was started that others are forked from
                print(pool.submit(look).result())
        """)
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TF_CPP", "XLA_"))}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr, done.returncode) == ("1\n3\n", "", 0)
