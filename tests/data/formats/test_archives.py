"""Archives: unpacked completely, inside their folder and within the disk space, or not at all."""

import gzip
import io
import random
import subprocess
import sys
import tarfile
import threading
import zipfile
from types import SimpleNamespace

import pytest

from batchsel.data.formats import archives
from batchsel.data.formats.archives import unpack
from batchsel.data.storage import disk_space
from batchsel.errors import UserError

FILES = {"set/train/a.bin": bytes(range(256)) * 40, "set/test/ü.bin": b"test", "set/empty.bin": b""}
KINDS = [".zip", ".tar", ".tar.gz", ".tgz"]


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)


def write_tar(path, members):
    """Write members of any kind: name, body or None, and further attributes."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, body, facts in members:
            member = tarfile.TarInfo(name)
            member.size = len(body or b"")
            for key, value in facts.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(body) if body is not None else None)


def write(path, files=FILES):
    if path.suffix == ".zip":
        write_zip(path, files)
    else:
        write_tar(path, [(name, body, {}) for name, body in files.items()])
    return path


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archive, message):
    """Check that unpacking raises and changes no file."""
    before = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(UserError, match=message):
        unpack(archive, archive.parent / "unpacked")
    assert sorted(archive.parent.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_all_files_are_unpacked(tmp_path, kind):
    archive = write(tmp_path / f"set{kind}")
    folder = unpack(archive, tmp_path / "deep" / "unpacked")
    assert contents(folder) == FILES
    assert sorted(path.name for path in folder.parent.iterdir()) == ["unpacked"]
    archive.write_bytes(b"no longer an archive")
    assert unpack(archive, folder) == folder, "existing contents are assumed to be whole"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../up.txt", "set/../../up.txt", "/tmp/up.txt", "C:\\up.txt", "set\\..\\..\\up.txt"])
def test_names_outside_the_folder_raise(tmp_path, kind, name):
    (tmp_path / "inner").mkdir()
    archive = write(tmp_path / "inner" / f"set{kind}", {"fine.txt": b"fine", name: b"up"})
    refused(archive, "its member '.*up.txt' leads out of the folder")


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "a/../../secret", "a/../b"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_outside_the_folder_raise(tmp_path, target, kind):
    write_tar(tmp_path / "set.tar", [("set/link", None, {"type": kind, "linkname": target}), ("set/link/x", b"x", {})])
    refused(tmp_path / "set.tar", "its member 'set/link' is a link to '.*', out of the folder")


def test_links_within_the_folder_are_kept(tmp_path):
    link = {"type": tarfile.SYMTYPE, "linkname": "a.txt"}
    hard = {"type": tarfile.LNKTYPE, "linkname": "set/a.txt"}
    write_tar(tmp_path / "set.tar", [("set/a.txt", b"a", {}), ("set/b.txt", None, link), ("set/c.txt", None, hard)])
    folder = unpack(tmp_path / "set.tar", tmp_path / "unpacked")
    assert contents(folder) == dict.fromkeys(["set/a.txt", "set/b.txt", "set/c.txt"], b"a")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_raise(tmp_path, kind):
    write_tar(tmp_path / "set.tar.gz", [("set/null", None, {"type": kind, "devmajor": 1, "devminor": 3})])
    refused(tmp_path / "set.tar.gz", "its member 'set/null' is a device or a pipe")


def test_links_and_encrypted_members_of_zips_raise(tmp_path):
    link = zipfile.ZipInfo("set/link")
    link.external_attr = 0o120777 << 16
    write_zip(tmp_path / "set.zip", {link: "/etc/passwd"})
    refused(tmp_path / "set.zip", "its member 'set/link' is a link or a device")
    body = bytearray(write(tmp_path / "set.zip").read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "set.zip").write_bytes(body)
    refused(tmp_path / "set.zip", "its member 'set/train/a.bin' is encrypted")


@pytest.mark.parametrize("kind", KINDS)
def test_archive_truncated_anywhere_raises(tmp_path, kind):
    archive = write(tmp_path / f"set{kind}")
    # A tar archive ends with two blocks of zeros and is filled up with more; nothing is lost with those.
    whole = archive.read_bytes()
    needed = len(whole.rstrip(b"\0")) // 512 * 512 if kind == ".tar" else len(whole)
    for size in {0, 1, 100, 511, 512, 1024, 10752, 11264, 11776, needed // 2, needed - 1}:
        if size < needed:
            archive.write_bytes(whole[:size])
            refused(archive, "is damaged or truncated")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_wrong_checksum_raises(tmp_path, kind):
    archive = write(tmp_path / f"set{kind}")
    body = bytearray(archive.read_bytes())
    at = body.index(b"PK\x01\x02") + 16 if kind == ".zip" else len(body) - 8
    body[at] ^= 1
    archive.write_bytes(body)
    refused(archive, "is damaged or truncated .*CRC")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archive_leaves_nothing_behind(tmp_path, kind):
    archive = write(tmp_path / f"set{kind}")
    whole, numbers = archive.read_bytes(), random.Random(5)
    for _ in range(60):
        body = bytearray(whole)
        for _ in range(numbers.choice([1, 3, 20])):
            body[numbers.randrange(len(body))] = numbers.randrange(256)
        archive.write_bytes(body)
        folder = tmp_path / "unpacked"
        try:
            unpack(archive, folder)
        except UserError:
            assert not folder.exists()
        else:
            folder.rename(folder.with_name(f"done {numbers.random()}"))
        assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", KINDS)
def test_archive_bomb_raises_before_anything_is_written(tmp_path, kind, monkeypatch):
    archive = write(tmp_path / f"set{kind}", {"zeros.bin": bytes(3_000_000)})
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: SimpleNamespace(free=2_000_000))
    refused(archive, rf"set\{kind}, unpacked, needs 3\.0 MB in .*, where 2\.0 MB are free")


def test_sparse_archive_bomb_raises(tmp_path):
    with gzip.open(tmp_path / "set.tar.gz", "wb") as packed:
        member = tarfile.TarInfo("huge.bin")
        member.size = 1 << 60
        packed.write(member.tobuf(tarfile.GNU_FORMAT))
    refused(tmp_path / "set.tar.gz", "needs 1152921.5 TB")


def test_other_files_are_not_archives(tmp_path):
    refused(tmp_path / "set.rar", r"cannot be unpacked. Expected a name that ends with \.zip, \.tar")
    refused(tmp_path / "set.zip", "there is no archive")
    for name in ("set.zip", "set.tar", "set.tgz"):
        (tmp_path / name).write_text("<html>Please log in</html>")
        refused(tmp_path / name, "is damaged or truncated")


def test_empty_folder_is_filled_and_a_file_is_left_alone(tmp_path):
    archive = write(tmp_path / "set.zip")
    (tmp_path / "mine").mkdir()
    assert contents(unpack(archive, tmp_path / "mine")) == FILES
    (tmp_path / "file").write_text("I am a file")
    with pytest.raises(UserError, match="cannot unpack"):
        unpack(tmp_path / "set.zip", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "I am a file"


def test_only_one_of_four_threads_unpacks(tmp_path, monkeypatch):
    archive, times = write(tmp_path / "set.zip"), []
    extract = archives._extract
    monkeypatch.setattr(archives, "_extract", lambda *words: (times.append(words), extract(*words)))
    threads = [threading.Thread(target=unpack, args=(archive, tmp_path / "unpacked")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert contents(tmp_path / "unpacked") == FILES
    assert len(times) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip", "unpacked"]


def test_killed_process_leaves_no_folder(tmp_path):
    archive = write(tmp_path / "set.zip")
    code = (
        "import os, sys; from pathlib import Path; from batchsel.data.formats import archives; "
        "extract = archives._extract; "
        "archives._extract = lambda *words: (extract(*words), os.kill(os.getpid(), 9)); "
        "archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(archive), str(tmp_path / "unpacked")]).returncode == -9
    assert (tmp_path / ".unpacked.unpacking").is_dir()
    assert not (tmp_path / "unpacked").exists()
    assert contents(unpack(archive, tmp_path / "unpacked")) == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip", "unpacked"]


def test_python_without_tar_filter_raises_too(tmp_path, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    monkeypatch.delattr(tarfile, "FilterError")
    assert contents(unpack(write(tmp_path / "set.tar"), tmp_path / "unpacked")) == FILES
    (tmp_path / "inner").mkdir()
    refused(write(tmp_path / "inner" / "set.tar", {"../up.txt": b"up"}), "leads out of the folder")
