"""Files that are whole and still cannot be used: odd types, encrypted members, bombs, pipes, endless names."""

import datetime
import decimal
import io
import os
import pickle
import resource
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing.harness import alarm
from PIL import Image

from batchsel import cards, data
from batchsel.data.formats.archives import read_tar_members, unpack
from batchsel.data.formats.array_pickle import read_array_pickle
from batchsel.data.formats.delimited import read_delimited
from batchsel.data.formats.documents import read_documents
from batchsel.data.formats.parquet import read_parquet
from batchsel.data.sets import cifar
from batchsel.data.user.image_folder import load_image_folder
from batchsel.data.user.references import fingerprint_by_name, has_no_card, load_by_name
from batchsel.data.user.table import load_table
from batchsel.errors import UserError
from batchsel.experiments.run import records, run_folder
from batchsel.experiments.spec import run_spec
from batchsel.experiments.tuning import tuned_settings
from batchsel.selectors.scores.precomputed import PrecomputedScores
from batchsel.training import checkpoint


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def not_utf_8():
    whole = pa.array([b"good", b"\xff\xfe"], pa.binary())
    return pa.Array.from_buffers(pa.string(), 2, whole.buffers())


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([0, 2_932_897], pa.date32()), r"'odd' of the type date32\[day\], whose values .*\(.*\)\. Save it"),
        (pa.array([0, -800_000], pa.date32()), r"'odd' of the type date32"),
        (pa.array([0, 2**52], pa.timestamp("ms")), r"'odd' of the type timestamp"),
        (pa.array([0, 2**62], pa.duration("s")), r"'odd' of the type duration"),
        (not_utf_8(), r"'odd' of the type string, .*Save it as numbers, or as text in UTF-8, or leave it out"),
    ],
    ids=["year 10000", "before year 1", "time", "duration", "not UTF-8"],
)
def test_values_that_python_cannot_hold_name_their_column(tmp_path, column, why):
    path = write_parquet(tmp_path / "a.parquet", odd=column, label=["a", "b"])
    with pytest.raises(UserError, match=rf"a\.parquet has the column {why}"):
        read_parquet(path)
    assert read_parquet(path, ["label"]).column("label") == ("a", "b")


def test_odd_types_become_text_and_are_left_out_or_used(tmp_path):
    n = 60
    pair = pa.struct([("a", pa.int8()), ("b", pa.list_(pa.string()))])
    columns = {
        "lists": pa.array([[[i], []] for i in range(n)]),
        "structs": pa.array([{"a": i, "b": ["x"]} for i in range(n)], pair),
        "maps": pa.array([[("k", i)] for i in range(n)], pa.map_(pa.string(), pa.int32())),
        "kinds": pa.array(["u", None] * (n // 2)).dictionary_encode(),
        "prices": pa.array([decimal.Decimal(i) / 4 for i in range(n)], pa.decimal128(10, 2)),
        "spans": pa.array([datetime.timedelta(seconds=i) for i in range(n)]),
        "bytes": pa.array([bytes([200 + i % 50, i]) for i in range(n)]),
        "halves": pa.array(np.arange(n, dtype=np.float16)),
        "none": pa.nulls(n),
        "label": ["yes", "no", "no"] * (n // 3),
    }
    dataset, reports = load_table(f"{write_parquet(tmp_path / 'a.parquet', **columns)}:label")
    kinds = {report.name: report.kind for report in reports}
    assert {name: kind for name, kind in kinds.items() if not kind.startswith("left out")} == {
        "kinds": "category of 2 kinds",
        "prices": "number",
        "halves": "number",
        "label": "label, 2 classes",
    }
    assert dataset.train.x.shape[1] == 4


def bomb(path, width=200_000, height=200_000):
    """Write a picture of 4e10 pixels in a hundred bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def write_folder(folder):
    for value, name in ((40, "x"), (200, "y")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (8, 8), (value, number, 7)).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.mark.parametrize("kind", ["bomb", "pipe", "device", "dangling link", "folder"])
def test_class_folder_with_something_else_names_it_and_skips_it_on_request(tmp_path, kind):
    folder = write_folder(tmp_path / "a")
    path = folder / "x" / "00a.png"
    if kind == "bomb":
        bomb(path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "gone.png")
    with alarm(60):
        if kind != "folder":
            with pytest.raises(UserError, match=rf"1 of 41 images cannot be decoded: {path}\."):
                load_image_folder(str(folder))
        dataset, _ = load_image_folder(f"{folder}:skip_broken")
        assert sum(map(len, dataset.splits.values())) == 40
        assert len(fingerprint_by_name(str(folder))) == 16


@pytest.mark.parametrize("name", ["a.csv:y", "a.csv.gz:y", "a.parquet:y", "a.txt", "a.jsonl", "a.txt:END"])
def test_pipe_given_as_a_file_is_refused(tmp_path, name):
    path = tmp_path / name.partition(":")[0]
    os.mkfifo(path)
    with alarm(60), pytest.raises(UserError, match=rf"{path} is a pipe. Expected a file"):
        load_by_name(f"{tmp_path}/{name}", 0)
    with alarm(60):
        assert fingerprint_by_name(f"{tmp_path}/{name}") == ""
        for read in (PrecomputedScores(str(path)).init, lambda _: records.read(path), lambda _: checkpoint.read(path)):
            with pytest.raises(UserError, match="is a pipe"):
                read(3)
        for read in (run_spec.read_file, tuned_settings.read, run_folder.read_text):
            with pytest.raises(UserError, match="is a pipe"):
                read(path)


def test_pipe_that_a_shell_opened_is_read():
    reader, writer = os.pipe()
    os.write(writer, b"seed = 7")
    os.close(writer)
    try:
        assert run_spec.read_file(f"/dev/fd/{reader}") == {"seed": 7}
    finally:
        os.close(reader)


@pytest.mark.parametrize("name", ["{}", "{}.csv:y", "{}.txt", "{}.parquet:y", "{}/images", "{}.py:load", "{}.jsonl:x"])
def test_path_longer_than_the_system_allows_is_told_in_short(name):
    name = name.format("./" + "long/" * 1000)
    assert has_no_card(name) in (True, False)
    assert fingerprint_by_name(name) == ""
    with pytest.raises(UserError) as caught:
        load_by_name(name, 0)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cinic10", "imdb", "lm_text", "sentiment140", "svhn"])
def test_data_folder_with_such_a_path_is_told_in_short(name):
    for root, why in (("long/" * 1000, "File name too long"), ("nu\0ll", "null")):
        with pytest.raises(UserError, match=rf"cannot be a data folder: .*{why}") as caught:
            data.load(cards.load("datasets", name), folder=root, offline=True)
        assert len(str(caught.value)) < 500
    with pytest.raises(UserError, match="there is no card"):
        cards.load_file("datasets", Path("long/" * 1000))


def zipped(compression=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", compression) as archive:
        archive.writestr("table.csv", "a,b\n" + "1,2\n" * 2000)
    return bytearray(held.getvalue())


def test_encrypted_and_unknown_members_are_refused(tmp_path):
    path = tmp_path / "a.csv.zip"
    raw = zipped()
    for at in (6, raw.index(b"PK\x01\x02") + 8):
        raw[at] |= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"its member table\.csv is encrypted\. Unpack it"):
        read_delimited(path)
    raw = zipped()
    raw[raw.index(b"PK\x01\x02") + 10] = 97
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"is damaged or truncated \(NotImplementedError: .*compression method"):
        read_documents(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_within_other_compressions_is_refused(tmp_path, compression):
    path = tmp_path / "a.csv.zip"
    raw = zipped(compression)
    raw[60:64] = b"\xff\x00\xff\x00"
    path.write_bytes(raw)
    for read in (read_delimited, read_documents):
        with pytest.raises(UserError, match=r"a\.csv\.zip is damaged or truncated"):
            read(path)


@pytest.mark.parametrize("line", ["[" * 200_000, '{"text":' * 100_000, '{"text": ' + "[" * 99_999 + "]" * 99_999 + "}"])
def test_deeply_nested_json_names_its_line(tmp_path, line):
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n' + line + "\n")
    with pytest.raises(
        UserError, match=r"a\.jsonl, line 2: expected a JSON object with the texts text \(values are nested"
    ):
        read_documents(tmp_path / "a.jsonl")


def test_link_to_a_missing_member_is_refused_and_skipped_where_only_files_are_read(tmp_path):
    for kind, linked in ((tarfile.LNKTYPE, "set/gone"), (tarfile.SYMTYPE, "gone")):
        with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo("set/link")
            member.type, member.linkname = kind, linked
            archive.addfile(member)
        if kind == tarfile.LNKTYPE:
            with pytest.raises(UserError, match=r"set\.tar\.gz is damaged or truncated .*gone"):
                unpack(tmp_path / "set.tar.gz", tmp_path / "unpacked")
            assert [path.name for path in tmp_path.iterdir()] == ["set.tar.gz"]
        assert list(read_tar_members(tmp_path / "set.tar.gz", lambda name: True)) == []


def test_huge_member_is_not_read_into_memory(tmp_path):
    import gzip

    with gzip.open(tmp_path / "set.tar.gz", "wb") as packed:
        member = tarfile.TarInfo("data_batch_1")
        member.size = 1 << 40
        packed.write(member.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(UserError, match="its member 'data_batch_1' has 1,099,511,627,776 bytes"):
        list(read_tar_members(tmp_path / "set.tar.gz", lambda name: True))


IMAGES = np.zeros((2, 3072), np.uint8)


class Call:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def doubled(times):
    """Return a list that is short in a pickle and 2^times numbers long as an array."""
    nested = [0, 1]
    for _ in range(times):
        nested = [nested, nested]
    return nested


REMEMBERED = b"\x80\x02}r\xff\xff\xff\x7f."  # an empty dictionary, remembered as number 2^31 - 1
REBUILD = np.empty(0, np.uint8).__reduce__()[0]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ({b"data": IMAGES, b"labels": [3, 300]}, "the label 300 in row 1 is outside 0 to 9"),
        ({b"data": IMAGES, b"labels": [-1, 3]}, "the label -1 in row 0 is outside"),
        ({b"data": IMAGES, b"labels": [10**400, 3]}, "is not a batch of CIFAR"),
        ({b"data": IMAGES, b"labels": doubled(40)}, "labels are not a list of whole numbers"),
        ({b"data": IMAGES.astype(float), b"labels": [1, 2]}, "not an array of bytes"),
        ({b"data": IMAGES[:, :7], b"labels": [1, 2]}, "is not a batch of CIFAR"),
        ({b"data": Call(REBUILD, np.ndarray, (10**9,), b"b"), b"labels": [1]}, "is not a batch of CIFAR"),
        ({b"data": np.array([None]), b"labels": [1]}, "an array of 'O8', expected numbers"),
        ({b"data": Call(np.ndarray, (10**12,)), b"labels": [1]}, "makes an array without values"),
        ({b"data": Call(__import__("_codecs").encode, "x" * 9, "idna"), b"labels": [1]}, "asks for the codec 'idna'"),
        ({b"data": Call(os.getcwd), b"labels": [1]}, "which no array needs"),
        ([1, 2], "expected a dictionary"),
        (REMEMBERED, "it remembers object 2147483647 of"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_pickle_of_anything_but_a_batch_is_refused_in_little_memory(raw, why):
    raw = raw if isinstance(raw, bytes) else pickle.dumps(raw, protocol=2)
    size = os.sysconf("SC_PAGE_SIZE") * int(Path("/proc/self/statm").read_text().split()[0])
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + (300 << 20), old[1]))
    try:
        with pytest.raises(UserError, match=why):
            cifar._parse_pickle(raw, 10, "data_batch_1")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["u1", ">i2", "<f8", "bool"])
def test_arrays_of_every_protocol_are_read_as_numpy_wrote_them(protocol, kind):
    expected = np.arange(12).reshape(3, 4).astype(kind)
    for array in (expected, np.asfortranarray(expected), expected[:0]):
        found = read_array_pickle(pickle.dumps({"x": array, "n": 5}, protocol=protocol))
        assert found["n"] == 5
        assert found["x"].dtype == array.dtype
        np.testing.assert_array_equal(found["x"], array)


def test_batch_that_python_2_wrote_is_read():
    # In the form of the official files: written by cPickle of Python 2 with protocol 2.
    raw = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
        b"U\x01bq\x05\x87Rq\x06(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x07U\x02u1q\x08K\x00K\x01\x87Rq\t(K\x03U\x01|"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x0c\x00\x00" + bytes(range(256)) * 12 + b"tbU\x06labels"
        b"q\n]q\x0bK\x07au."
    )
    images, labels = cifar._parse_pickle(raw, 10, "data_batch_1")
    assert images.shape == (1, 32, 32, 3)
    assert images[0, 0, :3, 0].tolist() == [0, 1, 2]
    assert labels.tolist() == [7]
