"""Locks are held by one thread or process at a time."""

import threading
import time

from batchsel.core.locking import locks
from batchsel.core.locking.locks import hold_lock


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
