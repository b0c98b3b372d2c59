"""Caches: read if they are whole, else reported and made again; a full disk costs the cache and nothing else."""

import errno
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from data_files import full_disk
from PIL import Image

from batchsel.data.builders import decoded_images, language_model
from batchsel.data.builders.decoded_images import decode_images
from batchsel.data.builders.image_files import ImageFiles
from batchsel.data.formats import jpeg
from batchsel.data.storage.cache import load_or_compute
from batchsel.data.storage.disk_space import reserve_space
from batchsel.errors import UserError

COUNT, SHAPE = 40, (64, 64, 3)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "batchsel"


@pytest.fixture
def files(tmp_path):
    """Return small images, one of which is broken."""
    paths = []
    for number in range(COUNT):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (4, 4), (number, 0, 200)).save(paths[-1])
    paths[7].write_bytes(b"no picture")
    return ImageFiles(paths, np.zeros(COUNT), SHAPE)


def rows_of(files):
    source, whole = decode_images(files, "mine", skip_broken=True)
    assert whole.tolist() == [row for row in range(COUNT) if row != 7]
    return source.take(whole)[0]


def flip(at):
    def damage(path):
        body = bytearray(path.read_bytes())
        body[at if at >= 0 else len(body) // 2] ^= 4
        path.write_bytes(body)

    return damage


def saved(**arrays):
    return lambda path: np.savez(path, **arrays)


def save_rows(rows):
    return lambda path: np.save(path, rows)


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "no magic": flip(0),
    "header": flip(20),
    "one bit": flip(-1),
    "another file": lambda path: path.write_text("<html>"),
}
ROWS = {
    "wrong shape": save_rows(np.zeros((COUNT - 1, *SHAPE), np.uint8)),
    "wrong type": save_rows(np.zeros((COUNT, *SHAPE), np.int8)),
    "wrong values": save_rows(np.zeros((COUNT, *SHAPE), np.uint8)),
    "list": lambda path: path.with_suffix(".broken.txt").write_text("seven"),
    "list of others": lambda path: path.with_suffix(".broken.txt").write_text("7 40"),
    "list lost": lambda path: path.with_suffix(".broken.txt").unlink(),
}


@pytest.mark.parametrize("kind", [*DAMAGE, *ROWS])
def test_damaged_rows_of_images_are_reported_and_made_again(files, cache, kind, capfd):
    expected = rows_of(files)
    assert capfd.readouterr().err == ""
    (path,) = cache.rglob("*.npy")
    (DAMAGE | ROWS)[kind](path)
    np.testing.assert_array_equal(rows_of(files), expected)
    note = capfd.readouterr().err
    assert note.startswith("note: ")
    assert note.count("\n") == 1
    assert path.stem in note
    np.testing.assert_array_equal(rows_of(files), expected)
    assert capfd.readouterr().err == "", "whole again"


def test_rows_without_a_checksum_are_read(files, cache, monkeypatch, capfd):
    expected = rows_of(files)
    (path,) = cache.rglob("*.broken.txt")
    assert path.read_text().split()[1:] == ["7"]
    path.write_text("7")
    monkeypatch.setattr(decoded_images, "decode_image_file", None)
    np.testing.assert_array_equal(rows_of(files), expected)
    assert capfd.readouterr().err == ""


def streams():
    held = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(held, "JPEG")
    raw = np.frombuffer(held.getvalue() * 3, np.uint8)
    return raw, np.arange(4) * (len(raw) // 3)


def decoded_streams():
    return jpeg.decode_jpegs(*streams(), (8, 8, 3), "mine")


def sequences():
    documents = {"train": ["low lower lowest"] * 30, "validation": ["low"] * 20, "test": ["lower"] * 20}
    return language_model.build_sequence_dataset("mine", documents, "", language_model.SequenceForm(4, 300)).train.x


@pytest.mark.parametrize(
    ("make", "others"),
    [
        (
            decoded_streams,
            [saved(x=np.zeros((3, 8, 8), np.uint8)), saved(x=np.zeros((3, 8, 8, 3))), saved(y=np.zeros(3))],
        ),
        (
            sequences,
            [
                saved(description=np.zeros(3, np.uint8), train=np.zeros(9, np.int32)),
                saved(description=np.zeros(3), train=np.array([None])),
            ],
        ),
    ],
)
def test_damaged_arrays_are_reported_and_made_again(make, others, cache, capfd):
    expected = make()
    (path,) = cache.rglob("*.npz")
    # Zip states sizes and times twice, and does not read those in its local header.
    for damage in (*(damage for kind, damage in DAMAGE.items() if kind != "header"), *others):
        damage(path)
        capfd.readouterr()
        np.testing.assert_array_equal(make(), expected)
        assert capfd.readouterr().err.count("is a file of the cache, and is made again") == 1
        np.testing.assert_array_equal(make(), expected)
        assert capfd.readouterr().err == ""


def test_arrays_that_cannot_be_stored_are_computed(cache, monkeypatch):
    with full_disk(100):
        assert load_or_compute("a", "key", lambda: {"x": np.arange(1000)})["x"].sum() == 499_500
    assert list((cache / "a").iterdir()) == []


def fail(number):
    def allocate(descriptor, start, count):
        raise OSError(number, os.strerror(number))

    return allocate


def check_full(files, cache):
    source, whole = decode_images(files, "mine")
    assert source is files
    assert len(whole) == COUNT
    with pytest.raises(UserError, match="mine: the list of broken images cannot be written: .*"):
        decode_images(files, "mine", skip_broken=True)
    assert list((cache / "pictures").iterdir()) == []


def test_full_disk_is_noticed_before_anything_is_decoded(files, cache, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", fail(errno.ENOSPC))
    monkeypatch.setattr(decoded_images, "decode_image_file", None)
    check_full(files, cache)


@pytest.mark.parametrize("reserves", ["reserves", "cannot reserve", "has no such call", "takes it and fails later"])
def test_full_disk_leaves_nothing_and_images_are_decoded_on_access(files, cache, monkeypatch, reserves):
    if reserves == "cannot reserve":
        monkeypatch.setattr(os, "posix_fallocate", fail(errno.EOPNOTSUPP))
    elif reserves == "has no such call":
        monkeypatch.delattr(os, "posix_fallocate")
    elif reserves == "takes it and fails later":
        monkeypatch.setattr(os, "posix_fallocate", lambda *_: None)
    with full_disk(100_000):
        check_full(files, cache)
    assert len(rows_of(files)) == COUNT - 1


@pytest.mark.parametrize("reserves", [True, False])
def test_reserved_space_is_on_the_disk_and_is_written_over(tmp_path, monkeypatch, reserves):
    if not reserves:
        monkeypatch.delattr(os, "posix_fallocate")
    path = tmp_path / "a.bin"
    with open(path, "wb") as file:
        file.write(b"head")
        reserve_space(file, 3 << 20)
        assert path.stat().st_blocks * 512 >= 3 << 20
        file.write(b"body")
    assert path.read_bytes() == b"headbody" + bytes((3 << 20) - 4)


ON_A_SMALL_DISK = """
import subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", sys.argv[1]], check=True)
import numpy as np
from pathlib import Path
from batchsel.data.builders import decoded_images
from batchsel.data.builders.image_files import ImageFiles
decoded_images.check_disk_space = lambda *_: None  # space that another process takes in the meantime
files = ImageFiles(sorted(Path(sys.argv[2]).glob("*.png")), np.zeros(60), (64, 64, 3))
assert decoded_images.decode_images(files, "mine")[0] is files
assert list(Path(sys.argv[1], "batchsel", "pictures").iterdir()) == []
print("decoded on access")
"""


def test_small_disk_does_not_kill_the_process(files, tmp_path):
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        possible = subprocess.run([*own_mounts, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("file systems cannot be mounted here")
    small = tmp_path / "small"
    small.mkdir()
    for number in range(100, 120):
        Image.new("RGB", (4, 4), (number, 0, 200)).save(tmp_path / f"{number}.png")
    command = [*own_mounts, sys.executable, "-c", ON_A_SMALL_DISK, str(small), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "XDG_CACHE_HOME": str(small)})
    assert (done.returncode, done.stdout) == (0, "decoded on access\n"), done.stderr


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_trouble_of_the_machine_is_not_stored_as_a_broken_image(files, cache, monkeypatch, number):
    def open_none(*_, **__):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as trouble:
        trouble.setattr(Image, "open", open_none)
        with pytest.raises(UserError, match=os.strerror(number)):
            decode_images(files, "mine", skip_broken=True)
    assert len(rows_of(files)) == COUNT - 1
