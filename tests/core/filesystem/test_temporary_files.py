"""Temporary files of killed processes are removed; those of living processes and of other machines are not."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchsel.core.filesystem import temporary
from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.temporary import MAX_AGE, remove_stale, temporary_path
from batchsel.data.download.fetch import DataFolder
from batchsel.data.formats.archives import unpack

KILLED = """
import os, sys, time
from pathlib import Path
from batchsel.core.filesystem.atomic_write import atomic_write
from batchsel.core.filesystem.temporary import temporary_path
folder = Path(sys.argv[1])
beside = temporary_path(folder / "set", ".unpacking")
beside.mkdir()
(beside / "a.txt").write_text("a")
temporary_path(folder / "train.gz", ".part").write_bytes(b"half")
with atomic_write(folder / "cache.npz") as path:
    path.write_bytes(b"half")
    print("written", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def nothing_searched(monkeypatch):
    monkeypatch.setattr(temporary, "_searched", set())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def aged(path, seconds):
    path.touch()
    os.utime(path, (time.time() - seconds, time.time() - seconds))
    return path


def foreign(path):
    """Return a temporary path as another machine would name it."""
    return path.with_name(re.sub(r"tmp-[0-9a-f]{8}", "tmp-01234567", temporary_path(path).name))


def test_files_of_a_writer_stay_while_it_lives_and_go_once_it_was_killed(tmp_path, monkeypatch):
    writer = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert writer.stdout.readline() == b"written\n"
        written = names(tmp_path)
        assert len(written) == 3
        for path in tmp_path.iterdir():
            os.utime(path, (0, 0))
        remove_stale(tmp_path)
        assert names(tmp_path) == written, "the writer lives, however old its files look"
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    monkeypatch.setattr(temporary, "_searched", set())
    with atomic_write(tmp_path / "other.txt") as path:
        path.write_text("done")
    assert names(tmp_path) == ["other.txt"]


def test_number_of_a_dead_writer_may_belong_to_a_living_process(tmp_path):
    own = temporary_path(tmp_path / "a.npz").name
    earlier = re.sub(rf"-{os.getpid()}-\d+-", f"-{os.getpid()}-1-", own)
    (tmp_path / earlier).touch()
    (tmp_path / own).touch()
    remove_stale(tmp_path)
    assert names(tmp_path) == [own]


def test_files_of_other_machines_and_earlier_versions_stay_for_a_week(tmp_path):
    old, new = MAX_AGE + 60, MAX_AGE - 60
    stays = [
        aged(foreign(tmp_path / "a.npz"), new),
        aged(tmp_path / ".b.1234-0123abcd.npz", new),
        aged(tmp_path / ".mine.npz", old),
        aged(tmp_path / ".mnist.gz.part", old),
        aged(tmp_path / "a.tmp-01234567-1-1-0123abcd.npz", old),
        aged(tmp_path / ".a.npz.lock", old),
    ]
    aged(foreign(tmp_path / "a.npz"), old)
    aged(tmp_path / ".b.1234-0123abce.npz", old)
    remove_stale(tmp_path)
    assert names(tmp_path) == sorted(path.name for path in stays)


def test_folder_is_searched_once(tmp_path, monkeypatch):
    for number in range(2):
        with atomic_write(tmp_path / f"{number}.txt") as path:
            path.write_text("done")
        monkeypatch.setattr(os, "scandir", None)


def test_names_are_those_of_the_file_and_fit_the_file_system(tmp_path):
    path = temporary_path(tmp_path / ("ä" * 120 + ".npz"))
    path.touch()
    assert path.suffix == ".npz"
    assert temporary_path(Path("set"), ".unpacking").name.startswith(".set.tmp-")


def test_downloads_and_unpackings_that_nobody_needs_are_removed(tmp_path):
    for name in (".a.zip.part", ".a.zip.part.json", ".b.zip.part"):
        (tmp_path / name).write_text("half")
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    file = type("File", (), {"name": "a.zip", "sha256": "0" * 64, "urls": ()})
    assert DataFolder(tmp_path, offline=True).fetch(file) == tmp_path / "a.zip"
    assert names(tmp_path) == [".b.zip.part", "a.zip"], "what can be resumed is kept"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "by hand.txt").touch()
    (tmp_path / ".a.unpacking").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "a")
    assert names(tmp_path) == [".b.zip.part", "a", "a.zip"]
