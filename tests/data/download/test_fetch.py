"""Downloads from a real web server: complete and right, or not at all."""

import hashlib
import os
from types import SimpleNamespace

import pytest
from data_files import Server, full_disk, read_only_folder, sha256

from batchsel.data.download import http_download
from batchsel.data.download.fetch import DataFolder, data_folder
from batchsel.data.storage.hashing import file_sha256
from batchsel.data.storage.progress import LineProgress
from batchsel.data.verification import compare_files
from batchsel.errors import UserError

BODY = bytes(range(256)) * 1000


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def remote(*urls, name="train.gz", body=BODY):
    return SimpleNamespace(name=name, sha256=sha256(body), urls=urls)


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_download_lands_in_its_place_once(tmp_path, server):
    folder = DataFolder(tmp_path / "deep" / "mnist")
    path = folder.fetch(remote(server.add("/train.gz", BODY)))
    assert path.read_bytes() == BODY
    assert file_sha256(path) == sha256(BODY)
    assert names(tmp_path) == ["train.gz"]
    folder.fetch(remote(server.url("/train.gz")))
    assert server.asked == ["/train.gz"], "an existing file is not fetched again"


def test_a_file_with_an_md5_is_checked_and_its_sha256_written_down(tmp_path, server):
    file = SimpleNamespace(name="a.gz", sha256="", md5=hashlib.md5(BODY).hexdigest(), urls=(server.add("/a", BODY),))
    folder = DataFolder(tmp_path)
    folder.fetch(file)
    assert (tmp_path / "a.gz.sha256").read_text() == f"{sha256(BODY)}  a.gz\n"
    card = SimpleNamespace(files=(file,))
    assert compare_files(card, folder) == {"a.gz": "right"}
    (tmp_path / "a.gz.sha256").write_text(f"{'0' * 64}  a.gz\n")
    assert compare_files(card, folder) == {"a.gz": "different"}
    wrong = SimpleNamespace(name="b.gz", sha256="", md5="0" * 32, urls=file.urls)
    with pytest.raises(
        UserError, match=r"wrong content, MD5 .{8}\.\.\. instead of 00000000(.|\n)*elsewhere \(MD5 0{32}\)"
    ):
        folder.fetch(wrong)
    assert not (tmp_path / "b.gz").exists()


def test_existing_file_is_left_alone(tmp_path, server):
    (tmp_path / "train.gz").write_bytes(b"put here by hand, packed in another way")
    path = DataFolder(tmp_path).fetch(remote(server.add("/train.gz", BODY)))
    assert path.read_bytes().startswith(b"put here by hand")
    assert server.asked == []


def test_mirrors_are_tried_in_order(tmp_path, server):
    wrong = server.add("/wrong", BODY[:-1] + b"x")
    right = server.add("/right", BODY)
    never = server.add("/never", BODY)
    dead = "http://127.0.0.1:9/dead"
    path = DataFolder(tmp_path).fetch(remote(server.url("/missing"), dead, wrong, right, never))
    assert path.read_bytes() == BODY
    assert server.asked == ["/missing", "/wrong", "/right"]
    assert names(tmp_path) == ["train.gz", "train.gz.corrupt"]


def test_corrupt_download_is_kept_aside_and_named(tmp_path, server):
    body = BODY[:-1] + b"x"
    with pytest.raises(UserError) as caught:
        DataFolder(tmp_path).fetch(remote(server.add("/train.gz", body)))
    text = str(caught.value)
    assert f"wrong content, SHA-256 {sha256(body)[:8]}... instead of {sha256(BODY)[:8]}..." in text
    assert f"kept as {tmp_path / 'train.gz.corrupt'}" in text
    assert f"put it into {tmp_path}" in text
    assert names(tmp_path) == ["train.gz.corrupt"]
    assert (tmp_path / "train.gz.corrupt").read_bytes() == body


def test_truncated_download_is_kept_for_resuming_and_never_used(tmp_path, server, monkeypatch):
    monkeypatch.setattr(http_download, "PAUSES", ())
    url = server.add("/train.gz", BODY[:150_000], promised=len(BODY))
    with pytest.raises(UserError, match=r"IncompleteRead(.|\n)*150\.0 kB received are kept"):
        DataFolder(tmp_path).fetch(remote(url))
    assert names(tmp_path) == [".train.gz.part", ".train.gz.part.json"]
    server.add("/train.gz", BODY)
    assert DataFolder(tmp_path).fetch(remote(url)).read_bytes() == BODY


def test_every_failed_address_is_reported(tmp_path, server):
    urls = (server.url("/a"), server.url("/b"))
    with pytest.raises(UserError) as caught:
        DataFolder(tmp_path).fetch(remote(*urls))
    assert all(f"{url}: HTTPError: 404" in str(caught.value) for url in urls)
    assert names(tmp_path) == []


def test_empty_answer_is_a_failure(tmp_path, server):
    with pytest.raises(UserError, match="the answer was empty"):
        DataFolder(tmp_path).fetch(remote(server.add("/train.gz", b"")))
    assert names(tmp_path) == []


def test_offline_sends_no_request(tmp_path, server):
    folder = DataFolder(tmp_path / "mnist", offline=True)
    with pytest.raises(UserError, match=r"train\.gz is not in .*mnist, and --offline forbids downloading it"):
        folder.fetch(remote(server.add("/train.gz", BODY)))
    assert server.asked == []
    assert not folder.path.exists()


def test_full_disk_leaves_existing_files(tmp_path, server):
    (tmp_path / "other.gz").write_bytes(b"mine")
    file = remote(server.add("/train.gz", BODY))
    with full_disk(10_000), pytest.raises(UserError, match=r"cannot write .*train\.gz: File too large.*free space"):
        DataFolder(tmp_path).fetch(file)
    assert names(tmp_path) == ["other.gz"]
    assert DataFolder(tmp_path).fetch(file).read_bytes() == BODY


def test_read_only_folder_raises(tmp_path, server):
    file = remote(server.add("/train.gz", BODY))
    DataFolder(tmp_path).fetch(file)  # imports everything while the folders of Python are readable
    with read_only_folder() as folder:
        with pytest.raises(UserError, match=r"cannot write .*: Permission denied.*--data-dir or BATCHSEL_DATA"):
            DataFolder(folder).fetch(file)
        with pytest.raises(UserError, match="Permission denied"):
            DataFolder(folder / "mnist").fetch(file)


def test_data_folder_that_is_a_file_raises(tmp_path, server):
    (tmp_path / "mnist").write_text("I am a file")
    with pytest.raises(UserError, match="cannot write"):
        DataFolder(tmp_path / "mnist").fetch(remote(server.add("/train.gz", BODY)))
    assert (tmp_path / "mnist").read_text() == "I am a file"


@pytest.mark.parametrize("name", ["../up.gz", "/etc/passwd", "a/../../up.gz", ".."])
def test_names_outside_the_folder_raise(tmp_path, server, name):
    with pytest.raises(UserError, match="points outside the data folder"):
        DataFolder(tmp_path / "inside").fetch(remote(server.add("/up.gz", BODY), name=name))
    assert names(tmp_path) == []
    assert server.asked == []


def test_links_are_read_and_nothing_is_downloaded_through_them(tmp_path, server):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "shared.gz").write_bytes(BODY)
    (inside / "folder").symlink_to(outside)
    (inside / "file.gz").symlink_to(outside / "shared.gz")
    for name in ("file.gz", "folder/shared.gz"):
        assert DataFolder(inside).fetch(remote(server.add("/up.gz", BODY), name=name)).read_bytes() == BODY
    with pytest.raises(UserError, match="through a link that leads outside the data folder"):
        DataFolder(inside).fetch(remote(server.add("/up.gz", BODY), name="folder/up.gz"))
    assert names(outside) == ["shared.gz"]
    assert server.asked == []


def test_name_may_include_a_folder(tmp_path, server):
    path = DataFolder(tmp_path).fetch(remote(server.add("/a", BODY), name="raw/train.gz"))
    assert path == tmp_path / "raw" / "train.gz"


def test_progress_counts_every_byte(tmp_path, server, capsys):
    DataFolder(tmp_path, progress=LineProgress).fetch(remote(server.add("/train.gz", BODY)))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "downloading train.gz\ntrain.gz: 0.3 MB\n"


def test_progress_is_closed_when_the_download_fails(tmp_path, server):
    bars = []

    class Bar(LineProgress):
        def __init__(self, label):
            super().__init__(label)
            bars.append(self)
            self.closed = 0

        def close(self):
            self.closed += 1

    with pytest.raises(UserError):
        DataFolder(tmp_path, progress=Bar).fetch(remote(server.url("/a"), server.url("/b")))
    assert [bar.closed for bar in bars] == [1, 1]


def test_bar_on_a_terminal_counts_updates():
    from batchsel.data.storage.progress import BarProgress

    bar = BarProgress("train.gz")
    try:
        bar.total = 200
        bar.update(150)
        assert bar._display.tasks[0].percentage == 75
        bar.reset()
        bar.update(200)
        assert bar._display.finished
    finally:
        bar.close()
        bar.close()


def test_folder_comes_from_argument_environment_or_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BATCHSEL_DATA", str(tmp_path / "environment"))
    assert data_folder("mnist", tmp_path) == tmp_path / "mnist"
    assert data_folder("mnist") == tmp_path / "environment" / "mnist"
    monkeypatch.delenv("BATCHSEL_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if os.name == "posix" and os.uname().sysname == "Linux":
        assert data_folder("mnist") == tmp_path / "cache" / "batchsel" / "mnist"
