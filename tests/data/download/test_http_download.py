"""Downloads that are interrupted, dropped, refused or mixed: only the missing bytes are sent, and the right ones arrive."""

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from data_files import sha256
from range_server import RangeServer

from batchsel.core.locking import locks
from batchsel.data.download import http_download
from batchsel.data.download.fetch import DataFolder
from batchsel.data.storage import disk_space
from batchsel.data.storage.progress import LineProgress
from batchsel.errors import UserError

BODY = bytes(range(256)) * 1000
OTHER = BODY[::-1]
HALF = 120_000


@pytest.fixture
def server():
    with RangeServer() as server:
        yield server


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """Return the list of pauses, none of which takes time."""
    made = []
    monkeypatch.setattr(http_download, "time", SimpleNamespace(sleep=made.append))
    return made


def remote(*urls, body=BODY, **more):
    return SimpleNamespace(name="train.gz", sha256=sha256(body), urls=urls, **more)


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def interrupted(folder, server, body=BODY, **how):
    """Download half of a file; then reset the counts of the server, and keep the connection."""
    url = server.add("/train.gz", body, breaks_after=HALF, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_download, "PAUSES", ())
        with pytest.raises(UserError, match=r"120\.0 kB received are kept; the next try resumes there"):
            DataFolder(folder).fetch(remote(url))
    assert (folder / ".train.gz.part").stat().st_size == HALF
    server.pages["/train.gz"].breaks_after = None
    for counted in (server.asked, server.conditions, server.sent):
        counted.clear()
    return url


@pytest.mark.parametrize(
    ("how", "condition"),
    [
        ({"etag": '"v1"'}, '"v1"'),
        ({"modified": "Mon"}, "Mon"),
        ({"etag": 'W/"v1"', "modified": "Mon"}, "Mon"),
        ({}, None),
    ],
)
def test_interrupted_download_resumes(tmp_path, server, how, condition):
    url = interrupted(tmp_path, server, **how)
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.asked == [f"bytes={HALF}-"]
    assert server.conditions == [condition]
    assert server.sent == [len(BODY) - HALF]
    assert names(tmp_path) == ["train.gz"]


def test_dropped_connection_resumes_at_once(tmp_path, server, pauses):
    url = server.add("/train.gz", BODY, breaks_after=100_000)
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"]
    assert sum(server.sent) == len(BODY)
    assert pauses == [1, 1], "the pauses start over whenever more bytes arrive"


def test_server_without_ranges_starts_over(tmp_path, server):
    url = interrupted(tmp_path, server, ranges=False)
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.sent == [len(BODY)]


def test_server_without_ranges_that_keeps_dropping_fails(tmp_path, server, pauses):
    url = server.add("/train.gz", BODY, ranges=False, breaks_after=HALF)
    with pytest.raises(UserError, match="IncompleteRead"):
        DataFolder(tmp_path).fetch(remote(url))
    assert pauses == [1, 3, 9]


def test_file_that_changed_between_the_halves_starts_over(tmp_path, server):
    url = interrupted(tmp_path, server, etag='"old"')
    server.add("/train.gz", OTHER, etag='"new"')
    assert DataFolder(tmp_path).fetch(remote(url, body=OTHER)).read_bytes() == OTHER
    assert server.conditions == ['"old"']
    assert server.sent == [len(OTHER)]


def test_halves_of_different_files_are_detected_and_downloaded_again(tmp_path, server):
    url = interrupted(tmp_path, server)
    server.add("/train.gz", OTHER)
    assert DataFolder(tmp_path).fetch(remote(url, body=OTHER)).read_bytes() == OTHER
    assert server.asked == [f"bytes={HALF}-", None]
    assert names(tmp_path) == ["train.gz"]


def test_another_length_starts_over(tmp_path, server):
    url = interrupted(tmp_path, server)
    server.add("/train.gz", BODY + b"more")
    assert DataFolder(tmp_path).fetch(remote(url, body=BODY + b"more")).stat().st_size == len(BODY) + 4
    assert server.asked == [f"bytes={HALF}-", None]


def test_wrong_bytes_are_corrupt_after_one_restart(tmp_path, server):
    url = interrupted(tmp_path, server)
    with pytest.raises(UserError, match=r"wrong content.*kept as .*train\.gz\.corrupt"):
        DataFolder(tmp_path).fetch(remote(url, body=OTHER))
    assert server.asked == [f"bytes={HALF}-", None]
    assert names(tmp_path) == ["train.gz.corrupt"]
    assert (tmp_path / "train.gz.corrupt").read_bytes() == BODY


def test_mirror_resumes_the_download_of_another(tmp_path, server, monkeypatch):
    monkeypatch.setattr(http_download, "PAUSES", ())
    broken = server.add("/broken", BODY, etag='"a"', breaks_after=HALF)
    mirror = server.add("/mirror", BODY, etag='"b"')
    assert DataFolder(tmp_path).fetch(remote(broken, mirror)).read_bytes() == BODY
    assert server.sent == [HALF, len(BODY) - HALF]
    assert server.conditions == [None, None], "the mirror does not know the version of the other server"


def test_complete_partial_download_sends_no_request(tmp_path, server):
    url = interrupted(tmp_path, server)
    (tmp_path / ".train.gz.part").write_bytes(BODY)
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.asked == []
    assert names(tmp_path) == ["train.gz"]


def test_partial_download_that_is_too_long_starts_over(tmp_path, server):
    url = interrupted(tmp_path, server)
    (tmp_path / ".train.gz.part").write_bytes(BODY + b"more")
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY) + 4}-", None]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"total": "many", "version": 3, "url": "%s"}'])
def test_damaged_metadata_are_ignored(tmp_path, server, note):
    url = interrupted(tmp_path, server)
    (tmp_path / ".train.gz.part.json").write_text(note.replace("%s", url))
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY


def test_busy_server_is_retried(tmp_path, server, pauses):
    url = server.add("/train.gz", BODY, refusals=[503, 429])
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert pauses == [7, 7], "the pauses that the server requested"


def test_permanent_errors_are_not_retried(tmp_path, server, pauses):
    lost, forbidden = server.add("/lost", BODY, refusals=[404]), server.add("/forbidden", BODY, refusals=[403])
    with pytest.raises(
        UserError, match=r"404(.|\n)*403(.|\n)*dead: ConnectionError: Failed to establish a new connection:"
    ):
        DataFolder(tmp_path).fetch(remote(lost, forbidden, "http://127.0.0.1:9/dead"))
    assert pauses == []
    assert names(tmp_path) == []


def test_received_bytes_outlive_a_dead_server(tmp_path, server):
    interrupted(tmp_path, server)
    with pytest.raises(UserError, match="are kept"):
        DataFolder(tmp_path).fetch(remote("http://127.0.0.1:9/dead"))
    assert (tmp_path / ".train.gz.part").stat().st_size == HALF


def test_resumed_bar_starts_at_the_received_bytes(tmp_path, server, capsys):
    url = interrupted(tmp_path, server)
    moves = []

    class Bar(LineProgress):
        def update(self, count):
            super().update(count)
            moves.append(count)

    DataFolder(tmp_path, progress=Bar).fetch(remote(url))
    assert moves[0] == HALF
    assert sum(moves) == len(BODY)
    assert capsys.readouterr().err == "downloading train.gz\ntrain.gz: 0.3 MB\n"


def test_encoded_answer_is_stored_unchanged(tmp_path, server):
    # Servers say so of .gz files as such; unpacked they would not be the files of the card.
    body = gzip.compress(BODY)
    url = server.add("/train.gz", body, etag='"v"\r\nContent-Encoding: x-gzip')
    assert DataFolder(tmp_path).fetch(remote(url, body=body)).read_bytes() == body


def test_file_larger_than_the_disk_is_not_requested(tmp_path, server, monkeypatch):
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))
    url = server.add("/train.gz", BODY)
    message = r"train\.gz needs 256\.0 kB in .*, where 100\.0 kB are free"
    with pytest.raises(UserError, match=message):
        DataFolder(tmp_path / "mnist").fetch(remote(url, bytes=len(BODY)))
    assert server.asked == []
    assert not (tmp_path / "mnist").exists()
    with pytest.raises(UserError, match=message):
        DataFolder(tmp_path).fetch(remote(url))
    assert names(tmp_path) == []


def test_only_the_missing_bytes_must_fit(tmp_path, server, monkeypatch):
    url = interrupted(tmp_path, server)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: SimpleNamespace(free=len(BODY) - HALF))
    assert DataFolder(tmp_path).fetch(remote(url, bytes=len(BODY))).read_bytes() == BODY


def fetching(folder, url, progress="None"):
    """Return another process that fetches."""
    code = (
        "import sys; from pathlib import Path; from types import SimpleNamespace; "
        "from batchsel.data.download.fetch import DataFolder; from batchsel.data.storage.progress import LineProgress; "
        "file = SimpleNamespace(name='train.gz', sha256=sys.argv[3], urls=(sys.argv[2],)); "
        f"DataFolder(Path(sys.argv[1]), progress={progress}).fetch(file)"
    )
    words = [sys.executable, "-c", code, str(folder), url, sha256(BODY)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_download_resumes(tmp_path, server, how):
    part = tmp_path / ".train.gz.part"
    url = server.add("/train.gz", BODY, etag='"v"', held_at=200_000)
    process = fetching(tmp_path, url)
    wait_until(lambda: part.is_file() and part.stat().st_size >= 190_000)
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    kept = part.stat().st_size
    server.pages["/train.gz"].go.set()
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY
    assert server.asked == [None, f"bytes={kept}-"]
    assert server.sent[1] == len(BODY) - kept <= 66_000
    assert names(tmp_path) == ["train.gz"]


def test_only_one_of_two_processes_downloads(tmp_path, server):
    url = server.add("/train.gz", BODY, held_at=100_000)
    first = fetching(tmp_path, url)
    wait_until(lambda: server.asked)
    second = fetching(tmp_path, url, progress="LineProgress")
    assert second.stderr.readline() == "another process is downloading train.gz; waiting for it\n"
    server.pages["/train.gz"].go.set()
    assert [process.communicate(timeout=30)[1] for process in (first, second)] == ["", ""]
    assert first.returncode == second.returncode == 0
    assert server.sent == [len(BODY)]
    assert (tmp_path / "train.gz").read_bytes() == BODY
    assert names(tmp_path) == ["train.gz"]


def test_waiting_process_resumes_when_the_other_was_killed(tmp_path, server):
    url = server.add("/train.gz", BODY, held_at=100_000)
    first = fetching(tmp_path, url)
    wait_until(lambda: server.asked)
    second = fetching(tmp_path, url, progress="LineProgress")
    second.stderr.readline()
    first.kill()
    first.communicate()
    server.pages["/train.gz"].go.set()
    assert second.communicate(timeout=30)[1] == "downloading train.gz\ntrain.gz: 0.3 MB\n"
    assert second.returncode == 0
    assert names(tmp_path) == ["train.gz"]


def at_once(folder, url, count=4):
    threads = [threading.Thread(target=DataFolder(folder).fetch, args=(remote(url),)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (folder / "train.gz").read_bytes() == BODY
    assert names(folder) == ["train.gz"]


def test_only_one_of_four_threads_downloads(tmp_path, server):
    at_once(tmp_path, server.add("/train.gz", BODY))
    assert server.sent == [len(BODY)]


def test_every_process_downloads_without_locks(tmp_path, server, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "fcntl", SimpleNamespace(flock=refuse, LOCK_EX=2, LOCK_NB=4, LOCK_UN=8))
    url = server.add("/train.gz", BODY, held_at=0)
    threading.Timer(0.5, server.pages["/train.gz"].go.set).start()
    at_once(tmp_path, url)
    assert 1 <= len(server.sent) <= 4


@pytest.mark.skipif(os.name != "posix", reason="there the other branch is the one in use")
def test_windows_locks_work(tmp_path, server, monkeypatch):
    import fcntl

    def locking(descriptor, mode, count):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(13, "Permission denied") from error

    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    at_once(tmp_path, server.add("/train.gz", BODY), count=2)
    assert server.sent == [len(BODY)]


@pytest.mark.parametrize("left", [".train.gz.lock", ".train.gz.part", ".train.gz.part.json"])
def test_what_a_download_killed_at_its_end_left_is_removed(tmp_path, server, left):
    """The file is in its place before the rest is cleaned up, and a kill may come in between."""
    file = remote(server.add("/train.gz", BODY))
    DataFolder(tmp_path).fetch(file)
    (tmp_path / left).write_bytes(b"{}")
    DataFolder(tmp_path).fetch(file)
    assert names(tmp_path) == ["train.gz"]


def test_the_lock_of_a_download_under_way_stays(tmp_path, server):
    file = remote(server.add("/train.gz", BODY))
    path = DataFolder(tmp_path).fetch(file)
    with locks.hold_lock(path):
        DataFolder(tmp_path).fetch(file)
        assert names(tmp_path) == [".train.gz.lock", "train.gz"]
