"""What stands at the path of an output stays what it is: links, names, mode and owner, devices and pipes."""

import os
import pty
import stat
import subprocess
import sys
import threading

import pytest

from batchsel.core.filesystem.atomic_write import atomic_write, check_output
from batchsel.errors import UserError


def write(path, text="new", error=None):
    with atomic_write(path) as beside:
        beside.write_text(text)
        if error:
            raise error


def test_a_symbolic_link_is_written_through(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.csv").write_text("old")
    for link, behind in (("a.csv", "there/a.csv"), ("b.csv", "a.csv"), ("new.csv", "there/new.csv")):
        (tmp_path / link).symlink_to(behind)
        write(tmp_path / link, link)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / behind).read_text() == link
    assert sorted(os.listdir(tmp_path / "there")) == ["a.csv", "new.csv"]


def test_all_names_of_a_file_have_the_new_content(tmp_path):
    (tmp_path / "a.csv").write_text("old and longer")
    os.link(tmp_path / "a.csv", tmp_path / "b.csv")
    write(tmp_path / "a.csv")
    assert (tmp_path / "b.csv").read_text() == "new"
    assert os.path.samefile(tmp_path / "a.csv", tmp_path / "b.csv")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_of_a_file_stays_and_a_new_one_has_that_of_the_umask(tmp_path, mode):
    (tmp_path / "a.csv").write_text("old")
    (tmp_path / "a.csv").chmod(mode)
    write(tmp_path / "a.csv")
    write(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("")
    assert stat.S_IMODE(os.stat(tmp_path / "a.csv").st_mode) == mode
    assert os.stat(tmp_path / "b.csv").st_mode == os.stat(tmp_path / "c.csv").st_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_of_a_file_stays(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    os.chown(tmp_path / "a.csv", 1234, 2345)
    write(tmp_path / "a.csv")
    status = os.stat(tmp_path / "a.csv")
    assert (status.st_uid, status.st_gid, (tmp_path / "a.csv").read_text()) == (1234, 2345, "new")


def test_where_the_owner_cannot_be_given_the_content_is_copied(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("old")
    before = os.stat(tmp_path / "a.csv")
    real = os.stat

    def stat_as_of_another_user(path, **options):
        found = real(path, **options)
        if os.path.basename(path) != "a.csv":
            return found
        return os.stat_result((*found[:4], 4321, *found[5:]))

    monkeypatch.setattr(os, "stat", stat_as_of_another_user)
    monkeypatch.setattr(os, "chown", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    write(tmp_path / "a.csv")
    monkeypatch.undo()
    assert os.stat(tmp_path / "a.csv").st_ino == before.st_ino
    assert (tmp_path / "a.csv").read_text() == "new"


def test_a_pipe_gets_the_content_and_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=write, args=(tmp_path / "pipe.csv", "1,2\n"))
    writer.start()
    assert (tmp_path / "pipe.csv").read_text() == "1,2\n"
    writer.join()
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe.csv").st_mode)


def test_a_device_gets_the_content_and_stays_a_device(tmp_path):
    control, terminal = pty.openpty()
    name = os.ttyname(terminal)
    (tmp_path / "link.csv").symlink_to(name)
    for path in (tmp_path / "link.csv", tmp_path.__class__(name)):
        write(path, "1,2")
        assert os.read(control, 100) == b"1,2"
        assert stat.S_ISCHR(os.stat(path).st_mode)
    os.close(control)
    os.close(terminal)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr"])
def test_standard_output_in_a_file_keeps_what_was_written_before(tmp_path, name):
    code = (
        "import sys; from pathlib import Path; from batchsel.core.filesystem.atomic_write import atomic_write\n"
        f"stream = sys.stderr if {name!r} == '/dev/stderr' else sys.stdout\n"
        "stream.write('before ')\n"
        f"with atomic_write(Path({name!r})) as beside: beside.write_text('content ')\n"
        "stream.write('after')"
    )
    with open(tmp_path / "log", "wb") as log:
        subprocess.run([sys.executable, "-c", code], stdout=log, stderr=log, check=True)
    assert (tmp_path / "log").read_text() == "before content after"
    assert os.listdir(tmp_path) == ["log"]


def test_what_cannot_be_written_is_refused_before_and_while_writing(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "folder.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "file").write_text("")
    for name in ("folder.csv", "link.csv", "loop.csv", "missing/a.csv", "file/a.csv"):
        with pytest.raises(UserError, match="cannot write"):
            check_output(tmp_path / name)
        with pytest.raises(UserError, match="cannot write"):
            write(tmp_path / name)
    assert (tmp_path / "folder.csv").is_dir()


def test_a_file_stays_as_it_was_where_the_block_fails(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    os.link(tmp_path / "a.csv", tmp_path / "b.csv")
    for name in ("a.csv", "b.csv", "c.csv"):
        with pytest.raises(RuntimeError):
            write(tmp_path / name, "half", RuntimeError())
    assert (tmp_path / "b.csv").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "b.csv"]
