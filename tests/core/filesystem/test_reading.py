"""Whatever happens while a file of a user is read becomes one error that names the file; interruptions do not."""

import errno
import os
import socket

import pytest

from batchsel.core.filesystem.reading import reading
from batchsel.errors import UsageError, UserError


class PanicException(BaseException):  # the name under which Rust's panics arrive
    pass


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError("bad magic"), r"\(bad magic\)"),
        (KeyError("x"), r"\(KeyError: 'x'\)"),
        (RecursionError(), r"\(RecursionError\)"),
        (RuntimeError("a\n\n  b."), r"\(RuntimeError: a b\)"),
        (MemoryError(), r"\(MemoryError; it asks for more memory than there is\)"),
        (OSError("not a picture"), r"\(not a picture\)"),
        (PanicException("panicked"), r"\(PanicException: panicked\)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_any_failure_names_the_file_and_keeps_its_cause(tmp_path, error, why):
    path = tmp_path / "a.bin"
    path.write_bytes(b"")
    with (
        pytest.raises(UserError, match=rf"a\.bin is not sound {why}\. Try another\.$") as caught,
        reading(path, "is not sound", "Try another."),
    ):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_interruptions_and_errors_of_users_pass(tmp_path, error):
    with pytest.raises(error), reading(tmp_path):
        raise error
    mistake = UsageError("mine")
    with pytest.raises(UsageError) as caught, reading(tmp_path):
        raise mistake
    assert caught.value is mistake


def test_errors_of_the_system_are_said_as_such_and_passed_on_to_writers(tmp_path):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(UserError, match="cannot read .*: No space left on device. Check"), reading(tmp_path):
        raise full
    with pytest.raises(OSError, match="No space left") as caught, reading(tmp_path, writes=True):
        raise full
    assert caught.value is full


def test_long_and_impossible_paths_are_told_in_short():
    for name, why in (("a/" * 3000, "File name too long"), ("a\0b", "embedded null"), ("/nowhere", "No such file")):
        with pytest.raises(UserError, match=why) as caught, reading(name):
            raise AssertionError("the block must not run")
        assert len(str(caught.value)) < 500


def test_pipes_sockets_devices_and_links_to_nothing_are_refused_before_the_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    os.symlink("/dev/zero", "device")
    os.symlink("pipe", "link")
    os.symlink("gone", "dangling")
    os.symlink("loop", "loop")
    said = {
        "pipe": "pipe is a pipe. Expected a file",
        "link": "link is a pipe",
        "socket": "socket is a socket",
        "device": "device is a device",
        "dangling": "cannot read dangling: No such file",
        "loop": "cannot read loop: Too many levels",
    }
    for name, words in said.items():
        with pytest.raises(UserError, match=words), reading(name):
            raise AssertionError("the block must not run")
